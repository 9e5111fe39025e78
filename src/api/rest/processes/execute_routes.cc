#include "api/rest/processes/execute_routes.h"

#include "api/json_response.h"
#include "api/problem.h"
#include "api/rest/processes/execute_request.h"
#include "api/rest/processes/execute_results.h"
#include "api/rest/processes/process_follow.h"
#include "api/rest/routes.h"
#include "json/field_writer.h"

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

// The output of a request's commands, within the server's bounds.
Result<std::shared_ptr<OutputRoom>> RoomFor(const Services& services, const Caller& caller,
                                            const ExecuteRequest& request) {
  return OutputRoom::Take(*services.answers, caller.owner, request.max_output);
}

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
Result<Results> RunSeveral(const Services& services, const Exchange& exchange, const Lease& lease,
                           const Caller& caller, const ExecuteRequest& request) {
  Results results{.room = TRY(RoomFor(services, caller, request))};
  for (const CommandText& command : request.commands) {
    auto execution =
        RunOneOfSeveral(services, lease, request, command, results.room, exchange.socket());
    if (!execution) {
      if (results.results.empty()) return Failure(execution.error());
      results.error = ProblemJson(execution.error(), {.request_id = exchange.request().id});
      results.together.success = false;
      break;
    }
    auto shown = ShownCommand(command, execution->record.command);
    results.Add(std::move(shown), std::move(*execution));
    const ProcessRecord& record = *results.together.last;
    if (results.together.lost() || (!Succeeded(record) && !request.continue_on_error)) break;
  }
  return results;
}

Result<void> AnswerSeveral(const Services& services, Exchange& exchange, const Lease& lease,
                           const Caller& caller, const ExecuteRequest& request) {
  const Results results = TRY(RunSeveral(services, exchange, lease, caller, request));
  results.room->Settle();
  JsonResponse answer(exchange, 200);
  WriteObject<ExecutionsFields>(answer.json(), results);
  return answer.Finish();
}

Result<void> AnswerOne(const Services& services, Exchange& exchange, const Lease& lease,
                       const Caller& caller, const ExecuteRequest& request) {
  auto room = TRY(RoomFor(services, caller, request));
  const auto execution =
      TRY(services.processes.Execute(lease, SpecOf(request, request.commands.front()),
                                     request.stdin_bytes, std::move(room), exchange.socket()));
  JsonResponse answer(exchange, 200);
  WriteObject<sandbox::fields::Execution>(answer.json(), execution);
  return answer.Finish();
}

// What events about a command begin with.
void WriteStarted(JsonWriter& json, uint64_t id, int32_t pid,
                  const std::vector<std::string>& command) {
  FieldWriter write(json.BeginObject());
  write(field::About{"process_id"}, field::Number{}, id);
  write(field::About{"pid"}, field::Number{}, pid);
  write(field::About{"command"}, field::Texts{}, command);
}

std::string StartedJson(const RunningProcess& process, const CommandText& command) {
  JsonWriter json;
  WriteStarted(json, process.id(), process.pid(), ShownCommand(command, process.command()));
  json.EndObject();
  return std::move(json).Take();
}

// A command that has ended, and what its sandbox was denied meanwhile.
struct Outcome {
  ProcessRecord record;
  sandbox::DeniedFlows network_denied = {};
};

std::string OutcomeJson(const Outcome& outcome, const CommandText& command) {
  const ProcessRecord& record = outcome.record;
  JsonWriter json;
  WriteStarted(json, record.id, record.pid, ShownCommand(command, record.command));
  WriteMembers<sandbox::fields::Ending>(json, record);
  WriteMembers<sandbox::fields::NetworkDenied>(json, outcome.network_denied);
  json.EndObject();
  return std::move(json).Take();
}

// One command to its end. Nothing when the client has gone.
Result<std::optional<Outcome>> StreamOne(const Services& services, Exchange& exchange,
                                         const Lease& lease, const ExecuteRequest& request,
                                         const CommandText& command,
                                         std::optional<SseStream>& events) {
  const std::optional<uint64_t> newest_flow = services.manager.NewestFlow(lease.id());
  sandbox::ProcessSpec spec = SpecOf(request, command);
  spec.stdin_open = !request.stdin_bytes.empty();
  auto process = TRY(services.processes.Start(lease, spec));
  if (!events) events = TRY(SseStream::Begin(exchange));
  TRY(events->Send("started", StartedJson(process, command)));
  SseOutput sink(*events);
  auto record = TRY(Follow(process, exchange, spec.stdin_open, request.stdin_bytes, sink));
  if (!record) return std::nullopt;
  TRY(sink.Flush());
  Outcome outcome{.record = *std::move(record)};
  if (newest_flow) outcome.network_denied = services.manager.DeniedAfter(lease.id(), *newest_flow);
  return outcome;
}

Result<void> StreamSeveral(const Services& services, Exchange& exchange, const Lease& lease,
                           const ExecuteRequest& request, std::optional<SseStream>& events) {
  Together together;
  for (const CommandText& command : request.commands) {
    auto outcome = StreamOne(services, exchange, lease, request, command, events);
    if (!outcome) {
      const auto exit_code = ExitCodeOfStartError(outcome.error());
      if (!exit_code) return Failure(outcome.error());
      if (!events) events = TRY(SseStream::Begin(exchange));
      JsonWriter text;
      text.BeginObject().Member("text", Complaint(outcome.error())).EndObject();
      TRY(events->Send("stderr", text.text()));
      outcome = Outcome{.record = NotStarted(command, *exit_code)};
    }
    if (!*outcome) return {};
    TRY(events->Send("command_exited", OutcomeJson(**outcome, command)));
    const ProcessRecord& record = (*outcome)->record;
    together.Add(record);
    if (together.lost() || (!Succeeded(record) && !request.continue_on_error)) break;
  }
  return events->End("exited", ObjectJson<SummaryFields>(together).text());
}

Result<void> Stream(const Services& services, Exchange& exchange, const Lease& lease,
                    const ExecuteRequest& request, std::optional<SseStream>& events) {
  if (request.several) return StreamSeveral(services, exchange, lease, request, events);
  const CommandText& command = request.commands.front();
  const auto outcome = TRY(StreamOne(services, exchange, lease, request, command, events));
  if (!outcome) return {};
  return events->End("exited", OutcomeJson(*outcome, command));
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
