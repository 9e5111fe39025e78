#include "api/rest/execute_routes.h"

#include <algorithm>
#include <chrono>

#include "api/request.h"
#include "api/rest/execute_request.h"
#include "api/rest/process_follow.h"
#include "api/rest/process_json.h"
#include "api/rest/routes.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Execution;
using sandbox::Lease;
using sandbox::ProcessRecord;
using sandbox::RunningProcess;
using Clock = std::chrono::steady_clock;

// What a shell would say of a command that cannot be started.
Execution NotStarted(const CommandText& command, const Error& error, int32_t exit_code) {
  Execution execution;
  execution.record.command = ShownCommand(command);
  execution.record.state = sandbox::ProcessState::kExited;
  execution.record.exit_code = exit_code;
  execution.stderr_text = error.message() + "\n";
  execution.stderr_bytes = execution.stderr_text.size();
  return execution;
}

// The results of several commands as they come.
struct Together {
  std::string stdout_text, stderr_text;
  bool stdout_truncated = false, stderr_truncated = false;
  std::optional<ProcessRecord> last;
  bool success = true;
  Clock::time_point begin = Clock::now();

  void Add(const ProcessRecord& record) {
    success = success && Succeeded(record);
    last = record;
  }
  void WriteSummary(JsonWriter& json) const {
    json.Member("exit_code", last->exit_code).Key("signal");
    if (last->signal.value_or(0) != 0) {
      json.Value(SignalText(*last->signal));
    } else {
      json.Null();
    }
    json.Member("timed_out", last->timed_out).Member("oom_killed", last->oom_killed);
    json.Member("disk_full", last->disk_full).Member("success", success);
    const auto taken = std::chrono::duration_cast<Millis>(Clock::now() - begin);
    json.Member("duration_ms", taken.count());
  }
};

Result<Execution> RunOneOfSeveral(const Services& services, const Lease& lease,
                                  const ExecuteRequest& request, const CommandText& command,
                                  Bytes max_output, int client) {
  auto execution = services.processes.Execute(lease, SpecOf(request, command), request.stdin_bytes,
                                              max_output, client);
  if (execution) return execution;
  const auto exit_code = ExitCodeOfStartError(execution.error());
  if (!exit_code) return execution;
  return NotStarted(command, execution.error(), *exit_code);
}

Result<void> AnswerSeveral(const Services& services, Exchange& exchange, const Lease& lease,
                           const ExecuteRequest& request) {
  Together together;
  JsonWriter json;
  json.BeginObject().Key("results").BeginArray();
  for (const CommandText& command : request.commands) {
    const size_t used = std::max(together.stdout_text.size(), together.stderr_text.size());
    const auto execution = TRY(RunOneOfSeveral(services, lease, request, command,
                                               request.max_output - used, exchange.socket()));
    json.BeginObject();
    WriteCommand(json.Key("command"), ShownCommand(command));
    WriteExecution(json, execution);
    json.EndObject();
    together.Add(execution.record);
    together.stdout_text += execution.stdout_text;
    together.stderr_text += execution.stderr_text;
    together.stdout_truncated |= execution.stdout_truncated;
    together.stderr_truncated |= execution.stderr_truncated;
    if (!Succeeded(execution.record) && !request.continue_on_error) break;
  }
  json.EndArray();
  WriteOutput(json, "stdout", together.stdout_text, together.stdout_truncated);
  WriteOutput(json, "stderr", together.stderr_text, together.stderr_truncated);
  json.Member("stdout_truncated", together.stdout_truncated);
  json.Member("stderr_truncated", together.stderr_truncated);
  together.WriteSummary(json);
  json.EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<void> AnswerOne(const Services& services, Exchange& exchange, const Lease& lease,
                       const ExecuteRequest& request) {
  const auto execution =
      TRY(services.processes.Execute(lease, SpecOf(request, request.commands.front()),
                                     request.stdin_bytes, request.max_output, exchange.socket()));
  JsonWriter json;
  json.BeginObject();
  WriteExecution(json, execution);
  json.EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

std::string StartedJson(const RunningProcess& process, const CommandText& command) {
  JsonWriter json;
  json.BeginObject().Member("process_id", process.id()).Member("pid", process.pid());
  WriteCommand(json.Key("command"), ShownCommand(command));
  json.EndObject();
  return std::move(json).Take();
}

std::string OutcomeJson(const ProcessRecord& record, const CommandText& command) {
  JsonWriter json;
  json.BeginObject().Member("process_id", record.id).Member("pid", record.pid);
  WriteCommand(json.Key("command"), ShownCommand(command));
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
      const Execution failed = NotStarted(command, record.error(), *exit_code);
      JsonWriter text;
      text.BeginObject().Member("text", failed.stderr_text).EndObject();
      TRY(events->Send("stderr", text.text()));
      record = failed.record;
    }
    if (!*record) return {};
    TRY(events->Send("command_exited", OutcomeJson(**record, command)));
    together.Add(**record);
    if (!Succeeded(**record) && !request.continue_on_error) break;
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
                           const std::string& which, const ExecuteRequest& request) {
  const Lease lease = TRY(services.manager.Use(caller, which));
  TRY(WriteFiles(lease, request));
  if (!exchange.request().headers.ListContains("Accept", "text/event-stream")) {
    return request.several ? AnswerSeveral(services, exchange, lease, request)
                           : AnswerOne(services, exchange, lease, request);
  }
  std::optional<SseStream> events;
  auto done = Stream(services, exchange, lease, request, events);
  if (!done && events) return events->EndWithError(done.error());
  return done;
}

void AddExecuteRoutes(const Services& services, Routes& routes) {
  routes.push_back({"POST", "/api/sandboxes/{id}/execute", Scope::kUse, "execute",
                    [services](Exchange& exchange, const Caller& caller) -> Result<void> {
                      const JsonValue body = TRY(ReadJsonBody(exchange));
                      return AnswerExecute(services, exchange, caller,
                                           exchange.request().Capture("id"),
                                           TRY(ReadExecuteRequest(body)));
                    }});
}

}  // namespace cay::api::rest
