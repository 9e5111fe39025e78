#include "sandbox/processes/process_keeper.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "sandbox/processes/process_adoption.h"
#include "sandbox/processes/process_book.h"
#include "sandbox/processes/process_request.h"
#include "sandbox/processes/process_supervisor.h"
#include "sandbox/processes/running_process_impl.h"

namespace cay::sandbox {
namespace {

// For the guest to say that a command runs, or why not.
constexpr Millis kStartPatience{30'000};
// A guest that hangs costs the caller no more than the command's own time, and this.
constexpr Millis kStartGrace{2000};
constexpr Millis kForEver{365LL * 86'400'000};

uint64_t MicrosSince(SteadyClock::time_point from) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyNow() - from).count());
}

Error Ended(uint64_t process) {
  const std::string id = std::to_string(process);
  return Error(ErrorCode::kIllegalState, Fault::kCaller, "process " + id + " has ended")
      .WithRemedy("its result and its output are kept: " + Remedy(Action::kReadProcess, id) +
                  "; what it left running is ended by " + Remedy(Action::kKillLeftovers, id));
}

// What of `also` says that the client is gone: of a socket, input may be its next request.
short GoneEvents(int also) {
  int type = 0;
  socklen_t length = sizeof type;
  const bool is_socket = also >= 0 && ::getsockopt(also, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
  return is_socket ? POLLRDHUP : POLLIN;
}

Millis StartPatience(const std::optional<Millis>& timeout) {
  return timeout ? std::min(kStartPatience, *timeout + kStartGrace) : kStartPatience;
}

// Waits until it runs.
Result<protocol::Started> AwaitStart(ProcessStream& stream, Millis patience) {
  const SteadyClock::time_point until = SteadyNow() + patience;
  while (true) {
    const std::optional<ProcessEvent> event = TRY(stream.Next());
    if (event) return std::get<protocol::Started>(*event);
    const auto left = std::chrono::ceil<Millis>(until - SteadyNow()).count();
    if (left <= 0) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "the command was not started within " + FormatDuration(patience))
                         .WithRemedy("the machine is overloaded, or the sandbox's guest hangs"));
    }
    pollfd polled{.fd = stream.fd(), .events = stream.poll_events(), .revents = 0};
    ::poll(&polled, 1, static_cast<int>(left));
  }
}

// Sends what it takes of `input`, and then the end of it. True when that is done.
Result<bool> Feed(RunningProcess& process, std::string_view& input) {
  while (!input.empty()) {
    const size_t sent = TRY(process.WriteStdin(input));
    if (sent == 0) return false;
    input.remove_prefix(sent);
  }
  TRY(process.CloseStdin());
  return true;
}

}  // namespace

Execution::Execution(std::shared_ptr<OutputRoom> its_room) : room(std::move(its_room)) {
  stdout_.from = stdout_.to = room->written(OutputStream::kStdout);
  stderr_.from = stderr_.to = room->written(OutputStream::kStderr);
}

void Execution::Gather(OutputStream stream, std::string_view bytes) {
  if (!room->Append(stream, bytes)) out_of_memory = true;
  (stream == OutputStream::kStdout ? stdout_ : stderr_).to = room->written(stream);
}

class ProcessKeeper::Impl {
 public:
  explicit Impl(std::shared_ptr<KeeperParts> parts) : parts_(std::move(parts)) {}

  ProcessBook& book() { return *parts_->book; }
  Result<void> CheckCommand(const Lease& lease, const ProcessSpec& spec);
  Result<protocol::StartRequest> RequestFor(const Lease& lease, const ProcessSpec& spec);
  Result<std::unique_ptr<RunningProcess::Impl>> Start(const Lease& lease, const ProcessSpec& spec);
  Result<std::unique_ptr<RunningProcess::Impl>> Attach(const Lease& lease, uint64_t process,
                                                       std::optional<uint64_t> from_seq);
  Result<std::optional<Execution>> Gathered(RunningProcess& process, std::string_view input,
                                            bool feeds, std::shared_ptr<OutputRoom> room, int also);
  // The guest's name for it.
  Result<uint64_t> GuestProcess(const Lease& lease, uint64_t process) {
    return TRY(book().FindOfLife(TRY(book().LifeOf(lease.view())), process))->guest_process;
  }

  // What a guest does not do, or find, because it has ended: there is its result, and what is to be
  // done instead.
  Result<void> UnlessEnded(const Lease& lease, uint64_t process, Result<void> done) {
    const bool may_have = !done && (done.error().code() == ErrorCode::kNotFound ||
                                    done.error().code() == ErrorCode::kIllegalState);
    if (!may_have) return done;
    const auto record = book().Get(lease.id(), process);
    const bool ended = record && (record->state != ProcessState::kRunning ||
                                  done.error().code() == ErrorCode::kNotFound);
    return ended ? Failure(Ended(process)) : done;
  }

 private:
  // That a command is refused, where it is.
  std::optional<Error> Refusal(const std::vector<std::string>& command);
  Result<protocol::StartRequest> Build(const Lease& lease, const ProcessSpec& spec,
                                       Millis cpu_time);

  std::shared_ptr<KeeperParts> parts_;
};

std::optional<Error> ProcessKeeper::Impl::Refusal(const std::vector<std::string>& command) {
  const std::vector<std::string> refused = book().rules()->refuse.Matching(command);
  if (refused.empty()) return std::nullopt;
  return Error(ErrorCode::kNotSupported, Fault::kCaller,
               "the server refuses this command: it matches the pattern \"" + refused.front() +
                   "\", and is refused")
      .WithRemedy(
          "run something else, or have commands.refuse changed in the server's configuration");
}

Result<void> ProcessKeeper::Impl::CheckCommand(const Lease& lease, const ProcessSpec& spec) {
  const std::vector<std::string> command = TRY(CommandOf(spec));
  const auto refusal = Refusal(command);
  if (!refusal) return {};
  book().NoteStartFailed(*TRY(book().LifeOf(lease.view())), command, *refusal);
  return Failure(*refusal);
}

Result<protocol::StartRequest> ProcessKeeper::Impl::Build(const Lease& lease,
                                                          const ProcessSpec& spec,
                                                          Millis cpu_time) {
  protocol::StartRequest request = TRY(BuildStartRequest(lease, spec, book().options()));
  if (cpu_time > Millis(0)) {
    request.rlimits.push_back({.kind = protocol::RlimitKind::kCpuSeconds,
                               .value = static_cast<uint64_t>(cpu_time.count()) / 1000});
  }
  return request;
}

Result<protocol::StartRequest> ProcessKeeper::Impl::RequestFor(const Lease& lease,
                                                               const ProcessSpec& spec) {
  if (auto refusal = Refusal(TRY(CommandOf(spec)))) return Failure(*std::move(refusal));
  return Build(lease, spec, TRY(CpuTimeOf(lease, spec, *book().manager().options())));
}

Result<std::unique_ptr<RunningProcess::Impl>> ProcessKeeper::Impl::Start(const Lease& lease,
                                                                         const ProcessSpec& spec) {
  const SteadyClock::time_point begun = SteadyNow();
  TRY(CheckCommand(lease, spec));
  const Millis cpu_time = TRY(CpuTimeOf(lease, spec, *book().manager().options()));
  protocol::StartRequest request = TRY(Build(lease, spec, cpu_time));
  const std::optional<Millis> timeout = TRY(TimeoutOf(spec, book().options()));
  const Millis kill_grace = TRY(KillGraceOf(spec, book().options()));
  ProcessBook::Place place = TRY(book().Reserve(lease));
  ProcessRow row;
  row.record.started_unix_ms = UnixMs();
  ProcessStream stream = TRY(lease.guest().Start(request));
  const auto started = AwaitStart(stream, StartPatience(timeout));
  if (!started) {
    book().NoteStartFailed(*place.life, request.argv, started.error());
    return Failure(started.error());
  }
  row.guest_process = started->process;
  row.kill_leftovers = spec.kill_leftovers;
  row.kill_grace_ms = kill_grace.count();
  if (timeout) row.record.deadline_unix_ms = row.record.started_unix_ms + timeout->count();
  row.record.pid = started->pid;
  // A guest before the field, or one that says anything else, leaves it as it was asked for.
  const auto known = std::ranges::find(protocol::kLineShells, started->shell);
  if (request.shell && known != protocol::kLineShells.end()) request.argv.front() = *known;
  row.record.command = RememberedCommand(request.argv);
  row.record.tag = spec.tag;
  row.record.flagged = book().rules()->flag.Matching(TRY(CommandOf(spec)));
  row.record.cpu_limit_ms = static_cast<uint64_t>(cpu_time.count());
  row.record.terminal = spec.terminal.has_value();
  auto entry = book().Begin(std::move(place), std::move(row));
  if (timeout) parts_->supervisor->SetDeadline(entry, begun + *timeout);
  book().NoteStartTime(MicrosSince(begun));
  const protocol::Started announced{.process = entry->id, .pid = started->pid};
  // NOLINTNEXTLINE(modernize-make-unique): it takes no designated initializers
  return std::unique_ptr<RunningProcess::Impl>(new RunningProcess::Impl{
      .parts = parts_,
      .entry = std::move(entry),
      .stream = std::move(stream),
      .owner = true,
      .announced = announced,
  });
}

Result<std::unique_ptr<RunningProcess::Impl>> ProcessKeeper::Impl::Attach(
    const Lease& lease, uint64_t process, std::optional<uint64_t> from_seq) {
  auto entry = TRY(book().FindOfLife(TRY(book().LifeOf(lease.view())), process));
  ProcessStream stream = TRY(lease.guest().Attach(entry->guest_process, from_seq.value_or(0)));
  const protocol::Started started = TRY(AwaitStart(stream, kStartPatience));
  const protocol::Started announced{.process = entry->id, .pid = started.pid};
  // NOLINTNEXTLINE(modernize-make-unique): it takes no designated initializers
  return std::unique_ptr<RunningProcess::Impl>(new RunningProcess::Impl{
      .parts = parts_,
      .entry = std::move(entry),
      .stream = std::move(stream),
      .skip_gap = !from_seq,
      .announced = announced,
  });
}

// Nothing when the client has gone.
Result<std::optional<Execution>> ProcessKeeper::Impl::Gathered(RunningProcess& process,
                                                               std::string_view input, bool feeds,
                                                               std::shared_ptr<OutputRoom> room,
                                                               int also) {
  Execution execution(std::move(room));
  const short gone = GoneEvents(also);
  while (true) {
    while (auto event = TRY(process.Poll())) {
      if (auto* output = std::get_if<ProcessOutput>(&*event)) {
        execution.Gather(output->stream, output->bytes);
      } else if (auto* ended = std::get_if<ProcessEnded>(&*event)) {
        execution.record = std::move(ended->record);
        execution.room->Settle();
        return execution;
      } else if (std::holds_alternative<protocol::Gap>(*event)) {
        execution.lost = execution.out_of_memory = true;
      }
    }
    if (feeds) feeds = !TRY(Feed(process, input));
    const SteadyClock::time_point until = SteadyNow() + kForEver;
    if (TRY(process.impl_->Wait(until, also, gone))) return std::nullopt;
  }
}

Result<std::unique_ptr<ProcessKeeper>> ProcessKeeper::Open(KeeperOptions options, Manager& manager,
                                                           store::Store& store, EventLog& events) {
  auto parts = std::make_shared<KeeperParts>();
  parts->book = std::make_unique<ProcessBook>(options, manager, store, events);
  parts->supervisor = TRY(ProcessSupervisor::Start(*parts->book));
  manager.OnGuestGone([weak = std::weak_ptr(parts)](const SandboxId& id, const GuestEnd& end) {
    const auto keeper = weak.lock();
    if (!keeper) return;
    keeper->book->NoteGone(id, end);
    keeper->supervisor->LookAt(id);
  });
  TRY(AdoptProcesses(*parts->book, *parts->supervisor));
  return std::unique_ptr<ProcessKeeper>(
      new ProcessKeeper(std::make_unique<Impl>(std::move(parts))));
}

ProcessKeeper::ProcessKeeper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessKeeper::~ProcessKeeper() = default;

Result<RunningProcess> ProcessKeeper::Start(const Lease& lease, const ProcessSpec& spec) {
  return RunningProcess(TRY(impl_->Start(lease, spec)));
}

Result<RunningProcess> ProcessKeeper::Attach(const Lease& lease, uint64_t process,
                                             std::optional<uint64_t> from_seq) {
  return RunningProcess(TRY(impl_->Attach(lease, process, from_seq)));
}

Result<Execution> ProcessKeeper::Execute(const Lease& lease, const ProcessSpec& spec,
                                         std::string_view stdin_bytes,
                                         std::shared_ptr<OutputRoom> room, int also) {
  const SteadyClock::time_point begun = SteadyNow();
  std::optional<ProcessSpec> with_stdin;
  if (!stdin_bytes.empty() && !spec.stdin_open) {
    with_stdin = spec;
    with_stdin->stdin_open = true;
  }
  const ProcessSpec& used = with_stdin ? *with_stdin : spec;
  Manager& manager = impl_->book().manager();
  const std::optional<uint64_t> newest_flow = manager.NewestFlow(lease.id());
  RunningProcess process = TRY(Start(lease, used));
  const bool feeds = used.stdin_open && !used.terminal;
  auto execution = TRY(impl_->Gathered(process, stdin_bytes, feeds, std::move(room), also));
  if (!execution) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kCaller,
              "the client has gone; process " + std::to_string(process.id()) + " runs on"));
  }
  impl_->book().NoteExecuteTime(MicrosSince(begun));
  if (newest_flow) execution->network_denied = manager.DeniedAfter(lease.id(), *newest_flow);
  return *std::move(execution);
}

Result<void> ProcessKeeper::SetRules(const CommandRules& rules) {
  CompiledRules compiled;
  compiled.refuse = TRY(CommandPatterns::Compile(rules.refuse));
  compiled.flag = TRY(CommandPatterns::Compile(rules.flag));
  compiled.log = rules.log;
  impl_->book().SetRules(std::move(compiled));
  return {};
}

Result<void> ProcessKeeper::CheckCommand(const Lease& lease, const ProcessSpec& spec) {
  return impl_->CheckCommand(lease, spec);
}

Result<protocol::StartRequest> ProcessKeeper::RequestFor(const Lease& lease,
                                                         const ProcessSpec& spec) {
  return impl_->RequestFor(lease, spec);
}

Result<uint64_t> ProcessKeeper::GuestProcess(const Lease& lease, uint64_t process) {
  return impl_->GuestProcess(lease, process);
}

Result<std::vector<ProcessRecord>> ProcessKeeper::List(const Lease& lease, size_t limit) {
  return impl_->book().List(lease.id(), limit);
}

Result<ProcessRecord> ProcessKeeper::Get(const SandboxId& sandbox, uint64_t process) {
  return impl_->book().Get(sandbox, process);
}

std::vector<ProcessRecord> ProcessKeeper::History(const SandboxId& sandbox, size_t limit) {
  return impl_->book().List(sandbox, limit).value_or(std::vector<ProcessRecord>{});
}

Result<uint64_t> ProcessKeeper::OutputEnd(const Lease& lease, uint64_t process) {
  const uint64_t wanted = TRY(impl_->GuestProcess(lease, process));
  for (const protocol::ProcessInfo& known : TRY(lease.guest().ListProcesses())) {
    if (known.process == wanted) return known.end_seq;
  }
  return TRY(Get(lease.id(), process)).output_end;
}

Result<void> ProcessKeeper::Signal(const Lease& lease, uint64_t process, int signal) {
  if (signal < 0 || signal > static_cast<int>(protocol::kMaxSignal)) {
    return Failure(Error::Invalid("no such signal: " + std::to_string(signal)));
  }
  const uint64_t inside = TRY(impl_->GuestProcess(lease, process));
  return impl_->UnlessEnded(lease, process,
                            lease.guest().Signal({.process = inside,
                                                  .signal = static_cast<uint32_t>(signal),
                                                  .target = protocol::SignalTarget::kGroup}));
}

Result<void> ProcessKeeper::Resize(const Lease& lease, uint64_t process,
                                   protocol::TerminalSize size) {
  const uint64_t inside = TRY(impl_->GuestProcess(lease, process));
  return impl_->UnlessEnded(lease, process,
                            lease.guest().Resize({.process = inside, .size = size}));
}

Result<void> ProcessKeeper::WriteStdin(const Lease& lease, uint64_t process, const Source& source,
                                       bool close) {
  const uint64_t inside = TRY(impl_->GuestProcess(lease, process));
  return impl_->UnlessEnded(lease, process, lease.guest().WriteStdin(inside, source, close));
}

Result<protocol::LeftoversKilled> ProcessKeeper::KillLeftovers(const Lease& lease,
                                                               uint64_t process) {
  return lease.guest().KillLeftovers(TRY(impl_->GuestProcess(lease, process)));
}

ProcessMetrics ProcessKeeper::GetMetrics() { return impl_->book().GetMetrics(); }

}  // namespace cay::sandbox
