#include "api/rest/processes/execute_routes.h"

#include <algorithm>
#include <chrono>

#include "api/json_response.h"
#include "api/problem.h"
#include "api/rest/processes/execute_request.h"
#include "api/rest/processes/process_follow.h"
#include "api/rest/processes/process_json.h"
#include "api/rest/routes.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Execution;
using sandbox::Lease;
using sandbox::OutputRoom;
using sandbox::ProcessRecord;
using sandbox::ProcessState;
using sandbox::RunningProcess;
using Clock = std::chrono::steady_clock;

// A command that cannot be started ends as in a shell.
ProcessRecord NotStarted(const CommandText& command, int32_t exit_code) {
  ProcessRecord record;
  record.command = ShownCommand(command, {});
  record.state = ProcessState::kExited;
  record.exit_code = exit_code;
  return record;
}

// What a shell would say of it.
std::string Complaint(const Error& error) { return error.message() + "\n"; }

// The results of several commands as they come.
struct Together {
  std::optional<ProcessRecord> last;
  bool success = true;
  Clock::time_point begin = Clock::now();

  void Add(const ProcessRecord& record) {
    success = success && Succeeded(record);
    last = record;
  }
  bool lost() const { return last && last->state == ProcessState::kLost; }
  void WriteSummary(JsonWriter& json) const {
    WriteState(json, *last);
    json.Member("exit_code", last->exit_code).Key("signal");
    if (last->signal.value_or(0) != 0) {
      json.Value(SignalText(*last->signal));
    } else {
      json.Null();
    }
    json.Member("timed_out", last->timed_out).Member("oom_killed", last->oom_killed);
    json.Member("disk_full", last->disk_full);
    json.Member("file_size_exceeded", FileSizeExceeded(*last));
    json.Member("cpu_time_exceeded", CpuTimeExceeded(*last)).Member("success", success);
    const auto taken = std::chrono::duration_cast<Millis>(Clock::now() - begin);
    json.Member("duration_ms", taken.count());
  }
};

// The output of a request's commands, within the server's bounds.
Result<std::shared_ptr<OutputRoom>> RoomFor(const Services& services, const Caller& caller,
                                            const ExecuteRequest& request) {
  return OutputRoom::Take(*services.answers, caller.owner, request.max_output);
}

// Several commands and what came of them, in one room.
struct Results {
  std::shared_ptr<OutputRoom> room;
  Together together = {};
  std::vector<Execution> executions = {};
  std::optional<Error> error =
      std::nullopt;  // of the command after those, which could not be started

  void Add(Execution execution) {
    together.Add(execution.record);
    executions.push_back(std::move(execution));
  }
};

Result<Execution> RunOneOfSeveral(const Services& services, const Lease& lease,
                                  const ExecuteRequest& request, const CommandText& command,
                                  const std::shared_ptr<OutputRoom>& room, int client) {
  auto execution = services.processes.Execute(lease, SpecOf(request, command), request.stdin_bytes,
                                              room, client);
  if (execution) return execution;
  const auto exit_code = ExitCodeOfStartError(execution.error());
  if (!exit_code) return execution;
  Execution failed(room);
  failed.record = NotStarted(command, *exit_code);
  failed.Gather(OutputStream::kStderr, Complaint(execution.error()));
  return failed;
}

// Runs them until one fails. What has run is a result, whatever becomes of the next one.
Result<Results> RunSeveral(const Services& services, const Lease& lease, const Caller& caller,
                           const ExecuteRequest& request, int client) {
  Results results{.room = TRY(RoomFor(services, caller, request))};
  for (const CommandText& command : request.commands) {
    auto execution = RunOneOfSeveral(services, lease, request, command, results.room, client);
    if (!execution) {
      if (results.executions.empty()) return Failure(execution.error());
      results.error = std::move(execution).error();
      results.together.success = false;
      break;
    }
    results.Add(std::move(*execution));
    const ProcessRecord& record = *results.together.last;
    if (results.together.lost() || (!Succeeded(record) && !request.continue_on_error)) break;
  }
  return results;
}

void WriteResults(JsonWriter& json, const Results& results, const ExecuteRequest& request,
                  const std::string& request_id) {
  results.room->Settle();
  json.BeginObject().Key("results").BeginArray();
  for (size_t i = 0; i < results.executions.size(); ++i) {
    json.BeginObject();
    WriteCommand(json.Key("command"),
                 ShownCommand(request.commands[i], results.executions[i].record.command));
    WriteExecution(json, results.executions[i]);
    json.EndObject();
  }
  json.EndArray();
  const auto any = [&](const auto& holds) {
    return std::ranges::any_of(results.executions, holds);
  };
  const auto write = [&](const char* name, OutputStream stream) {
    WriteOutput(json, name, results.room->Text(stream, 0, results.room->written(stream)));
    return any([&](const Execution& execution) { return execution.Truncated(stream); });
  };
  const bool stdout_truncated = write("stdout", OutputStream::kStdout);
  const bool stderr_truncated = write("stderr", OutputStream::kStderr);
  json.Member("stdout_truncated", stdout_truncated);
  json.Member("stderr_truncated", stderr_truncated);
  WriteTruncatedBy(json, stdout_truncated || stderr_truncated,
                   any([](const Execution& execution) { return execution.out_of_memory; }));
  results.together.WriteSummary(json);
  if (results.error) {
    json.Key("error").Raw(ProblemJson(*results.error, {.request_id = request_id}));
  }
  json.EndObject();
}

Result<void> AnswerSeveral(const Services& services, Exchange& exchange, const Lease& lease,
                           const Caller& caller, const ExecuteRequest& request) {
  const Results results = TRY(RunSeveral(services, lease, caller, request, exchange.socket()));
  JsonResponse answer(exchange, 200);
  WriteResults(answer.json(), results, request, exchange.request().id);
  return answer.Finish();
}

Result<void> AnswerOne(const Services& services, Exchange& exchange, const Lease& lease,
                       const Caller& caller, const ExecuteRequest& request) {
  auto room = TRY(RoomFor(services, caller, request));
  const auto execution =
      TRY(services.processes.Execute(lease, SpecOf(request, request.commands.front()),
                                     request.stdin_bytes, std::move(room), exchange.socket()));
  JsonResponse answer(exchange, 200);
  answer.json().BeginObject();
  WriteExecution(answer.json(), execution);
  answer.json().EndObject();
  return answer.Finish();
}

std::string StartedJson(const RunningProcess& process, const CommandText& command) {
  JsonWriter json;
  json.BeginObject().Member("process_id", process.id()).Member("pid", process.pid());
  WriteCommand(json.Key("command"), ShownCommand(command, process.command()));
  json.EndObject();
  return std::move(json).Take();
}

std::string OutcomeJson(const ProcessRecord& record, const CommandText& command) {
  JsonWriter json;
  json.BeginObject().Member("process_id", record.id).Member("pid", record.pid);
  WriteCommand(json.Key("command"), ShownCommand(command, record.command));
  WriteOutcome(json, record);
  json.EndObject();
  return std::move(json).Take();
}

// One command to its end. Nothing when the client has gone.
Result<std::optional<ProcessRecord>> StreamOne(const Services& services, Exchange& exchange,
                                               const Lease& lease, const ExecuteRequest& request,
                                               const CommandText& command,
                                               std::optional<SseStream>& events) {
  sandbox::ProcessSpec spec = SpecOf(request, command);
  spec.stdin_open = !request.stdin_bytes.empty();
  auto process = TRY(services.processes.Start(lease, spec));
  if (!events) events = TRY(SseStream::Begin(exchange));
  TRY(events->Send("started", StartedJson(process, command)));
  SseOutput sink(*events);
  auto record = TRY(Follow(process, exchange, spec.stdin_open, request.stdin_bytes, sink));
  if (record) TRY(sink.Flush());
  return record;
}

Result<void> StreamSeveral(const Services& services, Exchange& exchange, const Lease& lease,
                           const ExecuteRequest& request, std::optional<SseStream>& events) {
  Together together;
  for (const CommandText& command : request.commands) {
    auto record = StreamOne(services, exchange, lease, request, command, events);
    if (!record) {
      const auto exit_code = ExitCodeOfStartError(record.error());
      if (!exit_code) return Failure(record.error());
      if (!events) events = TRY(SseStream::Begin(exchange));
      JsonWriter text;
      text.BeginObject().Member("text", Complaint(record.error())).EndObject();
      TRY(events->Send("stderr", text.text()));
      record = NotStarted(command, *exit_code);
    }
    if (!*record) return {};
    TRY(events->Send("command_exited", OutcomeJson(**record, command)));
    together.Add(**record);
    if (together.lost() || (!Succeeded(**record) && !request.continue_on_error)) break;
  }
  JsonWriter json;
  json.BeginObject();
  together.WriteSummary(json);
  json.EndObject();
  return events->End("exited", json.text());
}

Result<void> Stream(const Services& services, Exchange& exchange, const Lease& lease,
                    const ExecuteRequest& request, std::optional<SseStream>& events) {
  if (request.several) return StreamSeveral(services, exchange, lease, request, events);
  const CommandText& command = request.commands.front();
  const auto record = TRY(StreamOne(services, exchange, lease, request, command, events));
  if (!record) return {};
  return events->End("exited", OutcomeJson(*record, command));
}

}  // namespace

Result<void> AnswerExecute(const Services& services, Exchange& exchange, const Caller& caller,
                           const std::string& which, ExecuteRequest request) {
  const Lease lease = TRY(services.manager.Use(caller, which));
  for (const CommandText& command : request.commands) {
    TRY(services.processes.CheckCommand(lease, SpecOf(request, command)));
  }
  TRY(WriteFiles(lease, request));
  request.files = {};  // not held while the command runs
  if (!exchange.request().headers.ListContains("Accept", "text/event-stream")) {
    return request.several ? AnswerSeveral(services, exchange, lease, caller, request)
                           : AnswerOne(services, exchange, lease, caller, request);
  }
  std::optional<SseStream> events;
  auto done = Stream(services, exchange, lease, request, events);
  if (!done && events) return events->EndWithError(done.error());
  return done;
}

void AddExecuteRoutes(const Services& services, Routes& routes) {
  routes.push_back({"POST", "/api/sandboxes/{id}/execute", Scope::kUse, "execute",
                    [services](Exchange& exchange, const Caller& caller) -> Result<void> {
                      return AnswerExecute(services, exchange, caller,
                                           exchange.request().Capture("id"),
                                           TRY(TakeExecuteRequest(exchange)));
                    }});
}

}  // namespace cay::api::rest
