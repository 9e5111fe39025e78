// Processes: started in the background, looked at, followed, fed, signalled, ended.
#include <chrono>
#include <csignal>

#include "api/json_response.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/processes/process_follow.h"
#include "api/rest/processes/process_json.h"
#include "api/rest/routes.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/processes/process_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::Lease;
using sandbox::ProcessRecord;

constexpr size_t kMaxListed = 1000;
// Its command has at most 4 KiB.
constexpr Bytes kMaxRecordBytes = 5 * kKiB;
static_assert(2 * kMaxListed * kMaxRecordBytes <= kLeastOutputHeld);

Result<uint64_t> ProcessId(const http::Request& request) {
  const auto id = ParseUnsigned(request.Capture("pid"));
  if (id) return *id;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "there is no process \"" + request.Capture("pid") + "\"")
                     .WithRemedy("name it by its process_id"));
}

Result<Lease> Use(const Services& services, const Exchange& exchange, const Caller& caller) {
  return services.manager.Use(caller, exchange.request().Capture("id"));
}

JsonWriter ProcessJson(const ProcessRecord& record) { return ObjectJson<fields::Process>(record); }

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  const auto spec = TRY(ReadProcessSpec(body));
  const Lease lease = TRY(Use(services, exchange, caller));
  const auto process = TRY(services.processes.Start(lease, spec));
  const auto record = TRY(services.processes.Get(lease.id(), process.id()));
  return RespondJson(exchange, 201, ProcessJson(record),
                     {{"Location", "/api/sandboxes/" + lease.id().text() + "/processes/" +
                                       std::to_string(process.id())}});
}

// Also of a sandbox that does not run: what is remembered.
Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto limit = TRY(QueryNumber(exchange.request(), "limit", kMaxListed)).value_or(kMaxListed);
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  const auto memory =
      TRY(MemoryForAnswer(*services.answers, caller.owner, limit * kMaxRecordBytes));
  std::vector<ProcessRecord> records;
  if (view.state == sandbox::SandboxState::kRunning) {
    records = TRY(services.processes.List(TRY(Use(services, exchange, caller)), limit));
  } else {
    records = services.processes.History(view.id, limit);
  }
  JsonResponse answer(exchange, 200);
  WriteObject<fields::ProcessList>(answer.json(), records);
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  const auto record = TRY(services.processes.Get(view.id, TRY(ProcessId(exchange.request()))));
  return RespondJson(exchange, 200, ProcessJson(record));
}

// A client of a stream knows where it stopped.
class FollowedOutput : public SseOutput {
 public:
  using SseOutput::SseOutput;
  bool EndsWithServer() const override { return true; }
};

// Ends a stream when all that was held when it began was sent, for ?follow=false.
class HeldOnly : public FollowedOutput {
 public:
  // What was held ends before `end`; `from` is the first byte that is to come.
  HeldOnly(SseStream& events, uint64_t from, uint64_t end)
      : FollowedOutput(events), end_(end), enough_(from >= end) {}
  Result<void> OnOutput(const ProcessOutput& output) override {
    TRY(FollowedOutput::OnOutput(output));
    return NoteSent(output.seq + output.bytes.size());
  }
  Result<void> OnGap(const protocol::Gap& gap) override {
    TRY(FollowedOutput::OnGap(gap));
    return NoteSent(gap.to);
  }
  Result<Millis> OnQuiet() override {
    if (enough_) return Failure(Enough());
    return FollowedOutput::OnQuiet();
  }
  bool enough() const { return enough_; }

 private:
  static Error Enough() { return {ErrorCode::kIllegalState, Fault::kCaller, "all was sent"}; }
  Result<void> NoteSent(uint64_t end) {
    enough_ = end >= end_;
    return enough_ ? Result<void>(Failure(Enough())) : Result<void>();
  }

  const uint64_t end_;
  bool enough_;
};

Result<void> Output(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto from = TRY(ResumePoint(exchange.request(), "from"));
  const bool follow = TRY(QueryBool(exchange.request(), "follow", true));
  const uint64_t id = TRY(ProcessId(exchange.request()));
  const Lease lease = TRY(Use(services, exchange, caller));
  auto process = TRY(services.processes.Attach(lease, id, from));
  // One that has ended has nothing more to come, and its end is told.
  const bool to_the_end = follow || TRY(services.processes.Get(lease.id(), id)).state !=
                                        sandbox::ProcessState::kRunning;
  const uint64_t held_end = to_the_end ? 0 : TRY(services.processes.OutputEnd(lease, id));
  SseStream events = TRY(SseStream::Begin(exchange));
  FollowedOutput all(events);
  HeldOnly held(events, from.value_or(0), held_end);
  FollowedOutput& sink = to_the_end ? all : held;
  const auto record = Follow(process, exchange, false, {}, sink);
  if (!to_the_end && held.enough()) {
    TRY(sink.Flush());
    return events.End("held", ProcessJson(TRY(services.processes.Get(lease.id(), id))).text());
  }
  if (!record) return events.EndWithError(record.error());
  if (!*record) return {};
  TRY(sink.Flush());
  return events.End("exited", ProcessJson(**record).text());
}

Result<void> Stdin(const Services& services, Exchange& exchange, const Caller& caller) {
  const bool close = TRY(QueryBool(exchange.request(), "close", false));
  const uint64_t id = TRY(ProcessId(exchange.request()));
  const Lease lease = TRY(Use(services, exchange, caller));
  TRY(services.processes.WriteStdin(
      lease, id, [&](std::span<char> space) { return exchange.ReadBody(space); }, close));
  return RespondNothing(exchange);
}

Result<void> Signal(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto members = TRY(JsonFields::Of(body));
  const int signal = TRY(ReadSignal(members, "signal"));
  TRY(members.Finish());
  const uint64_t id = TRY(ProcessId(exchange.request()));
  TRY(services.processes.Signal(TRY(Use(services, exchange, caller)), id, signal));
  return RespondNothing(exchange);
}

// Ends what a timeout ends. Of one that has ended itself the leftovers are not killed unasked.
Result<void> Kill(const Services& services, Exchange& exchange, const Caller& caller) {
  const uint64_t id = TRY(ProcessId(exchange.request()));
  const Lease lease = TRY(Use(services, exchange, caller));
  TRY(services.processes.Signal(lease, id, SIGKILL));
  TRY(services.processes.KillLeftovers(lease, id));
  return RespondNothing(exchange);
}

Result<void> Resize(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  const auto size = TRY((ReadObject<fields::TerminalSize, protocol::TerminalSize>(body)));
  const uint64_t id = TRY(ProcessId(exchange.request()));
  TRY(services.processes.Resize(TRY(Use(services, exchange, caller)), id, size));
  return RespondNothing(exchange);
}

Result<void> KillLeftovers(const Services& services, Exchange& exchange, const Caller& caller) {
  const uint64_t id = TRY(ProcessId(exchange.request()));
  const auto killed =
      TRY(services.processes.KillLeftovers(TRY(Use(services, exchange, caller)), id));
  return RespondJson(exchange, 200, ObjectJson<fields::LeftoversKilled>(killed));
}

// Takes no output: only waits.
class WaitOnly : public ProcessSink {
 public:
  explicit WaitOnly(Millis patience) : deadline_(std::chrono::steady_clock::now() + patience) {}
  Result<void> OnOutput(const ProcessOutput& /*output*/) override { return {}; }
  Result<void> OnGap(const protocol::Gap& /*gap*/) override { return {}; }
  Result<Millis> OnQuiet() override {
    const auto left = std::chrono::ceil<Millis>(deadline_ - std::chrono::steady_clock::now());
    if (left <= Millis(0)) {
      expired_ = true;
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "the process has not ended yet"));
    }
    return left;
  }
  // It is answered then, as when the time is up.
  bool EndsWithServer() const override { return true; }
  bool expired() const { return expired_; }

 private:
  std::chrono::steady_clock::time_point deadline_;
  bool expired_ = false;
};

// The process object when it has ended, or as it is when the time is up or the server ends.
Result<void> Wait(const Services& services, Exchange& exchange, const Caller& caller) {
  constexpr Millis kMaxWait{3'600'000};
  const Millis patience =
      TRY(QueryDuration(exchange.request(), "timeout")).value_or(Millis(60'000));
  if (patience > kMaxWait) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "the parameter \"timeout\" is over the maximum of " + FormatDuration(kMaxWait))
            .WithRemedy("ask for less, and ask again when that time is up"));
  }
  const uint64_t id = TRY(ProcessId(exchange.request()));
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  auto record = TRY(services.processes.Get(view.id, id));
  if (record.state == sandbox::ProcessState::kRunning) {
    const Lease lease = TRY(Use(services, exchange, caller));
    auto process = TRY(services.processes.Attach(lease, id, std::nullopt));
    WaitOnly sink(patience);
    const auto ended = Follow(process, exchange, false, {}, sink);
    if (!ended && !sink.expired()) return Failure(ended.error());
    if (ended && !*ended && !exchange.Ending()) return {};
    record = TRY(services.processes.Get(view.id, id));
  }
  return RespondJson(exchange, 200, ProcessJson(record));
}

}  // namespace

void AddProcessRoutes(const Services& services, Routes& routes) {
  const std::string all = "/api/sandboxes/{id}/processes";
  const std::string one = all + "/{pid}";
  const RouteAdder add(services, routes);
  add("POST", all, Scope::kUse, "startProcess", &Start);
  add("GET", all, Scope::kRead, "listProcesses", &List);
  add("GET", one, Scope::kRead, "getProcess", &Get);
  add("DELETE", one, Scope::kUse, "killProcess", &Kill);
  add("GET", one + "/output", Scope::kRead, "followOutput", &Output);
  add("GET", one + "/wait", Scope::kRead, "waitForProcess", &Wait);
  add("POST", one + "/stdin", Scope::kUse, "writeStdin", &Stdin, kAsItComes);
  add("POST", one + "/signal", Scope::kUse, "signalProcess", &Signal);
  add("POST", one + "/resize", Scope::kUse, "resizeProcess", &Resize);
  add("POST", one + "/kill_leftovers", Scope::kUse, "killLeftovers", &KillLeftovers);
}

}  // namespace cay::api::rest
