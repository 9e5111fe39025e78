#include "sandbox/processes/running_process_impl.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "guest_link/process_verdict.h"

namespace cay::sandbox {
namespace {

// So often who waits looks whether a process whose time is over was given up.
constexpr Millis kLook{200};

// The answer, or nothing when it does not come in time.
template <class T>
std::optional<T> Await(Result<PendingReply<T>> pending, Millis patience) {
  if (!pending) return std::nullopt;
  const SteadyClock::time_point until = SteadyNow() + patience;
  while (true) {
    auto answer = pending->Next();
    if (!answer) return std::nullopt;
    if (*answer) return *std::move(answer);
    const auto left = std::chrono::ceil<Millis>(until - SteadyNow()).count();
    if (left <= 0) return std::nullopt;
    pollfd polled{.fd = pending->fd(), .events = POLLIN, .revents = 0};
    ::poll(&polled, 1, static_cast<int>(left));
  }
}

}  // namespace

RunningProcess::Impl::~Impl() {
  if (owner && !finished) parts->supervisor->Adopt(entry);
}

Result<std::optional<RunningEvent>> RunningProcess::Impl::Poll() {
  if (finished) return std::nullopt;
  if (announced) return *std::exchange(announced, std::nullopt);
  while (true) {
    auto event = stream.Next();
    if (!event) return TRY(OnError(event.error()));
    if (!*event) {
      if (entry->given_up()) return Finish({});
      return std::nullopt;
    }
    if (auto* output = std::get_if<ProcessOutput>(&**event)) {
      skip_gap = false;
      return *output;
    }
    if (auto* exited = std::get_if<protocol::Exited>(&**event)) {
      return TRY(OnExited(std::move(*exited)));
    }
    if (auto* gap = std::get_if<protocol::Gap>(&**event)) {
      if (std::exchange(skip_gap, false)) continue;
      return *gap;
    }
    return protocol::Started{.process = entry->id, .pid = std::get<protocol::Started>(**event).pid};
  }
}

Result<RunningEvent> RunningProcess::Impl::OnError(const Error& error) {
  if (error.code() == ErrorCode::kUnavailable) {
    return Finish(ProcessEnding::Lost(WhyLost(*parts->book, *entry->life, kReasonPatience)));
  }
  // The guest does what it must not: its process is waited for without it.
  finished = true;
  if (owner) parts->supervisor->Adopt(entry);
  return Failure(error);
}

Result<RunningEvent> RunningProcess::Impl::OnExited(protocol::Exited exited) {
  ProcessBook& book = *parts->book;
  const bool leaves = LeavesToBeKilled(*entry, exited);
  std::optional<protocol::Info> info;
  std::optional<uint64_t> remaining;
  if (entry->running() && (Failed(exited) || leaves)) {
    if (const auto lease =
            book.manager().UseForServer(entry->life->sandbox, engine::Engine::kConnectPatience)) {
      if (leaves) {
        const auto killed = Await<protocol::LeftoversKilled>(
            lease->guest().BeginKillLeftovers(entry->guest_process), kKillPatience);
        if (killed) remaining = killed->remaining;
      }
      if (Failed(exited)) {
        info = Await<protocol::Info>(lease->guest().BeginPing(), kJudgePatience);
      }
    }
  }
  if (!entry->running()) return Finish({});
  ProcessEnding ending = JudgeEnding(book, *entry, std::move(exited), info);
  ending.leftovers_remaining = remaining;
  return Finish(ending);
}

RunningEvent RunningProcess::Impl::Finish(const ProcessEnding& ending) {
  finished = true;
  ProcessEnded ended{parts->book->Finish(entry, ending)};
  parts->supervisor->CancelDeadline(*entry);
  return ended;
}

Result<bool> RunningProcess::Impl::Wait(SteadyClock::time_point until, int also,
                                        short also_events) {
  auto left = std::chrono::ceil<Millis>(until - SteadyNow()).count();
  if (left <= 0) return false;
  // Past its time its guest may hang: then not the stream says that it is over.
  if (const auto time_left = entry->time_left())
    left = std::min<int64_t>(left, std::max(*time_left, kLook).count());
  std::array<pollfd, 2> polled = {
      pollfd{.fd = stream.fd(), .events = stream.poll_events(), .revents = 0},
      pollfd{.fd = also, .events = also_events, .revents = 0}};
  const auto wait_ms = static_cast<int>(std::min<int64_t>(left, 3'600'000));
  if (::poll(polled.data(), polled.size(), wait_ms) < 0 && errno != EINTR) {
    return Failure(Error::FromErrno("poll"));
  }
  return polled[1].revents != 0;
}

RunningProcess::RunningProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunningProcess::RunningProcess(RunningProcess&&) noexcept = default;
RunningProcess& RunningProcess::operator=(RunningProcess&&) noexcept = default;
RunningProcess::~RunningProcess() = default;

uint64_t RunningProcess::id() const { return impl_->entry->id; }
int32_t RunningProcess::pid() const { return impl_->entry->record().pid; }
std::vector<std::string> RunningProcess::command() const { return impl_->entry->record().command; }
int RunningProcess::fd() const { return impl_->stream.fd(); }
short RunningProcess::poll_events() const { return impl_->stream.poll_events(); }
bool RunningProcess::finished() const { return impl_->finished; }

Result<std::optional<RunningEvent>> RunningProcess::Poll() { return impl_->Poll(); }

Result<std::optional<RunningEvent>> RunningProcess::Next(Millis patience, int also) {
  const SteadyClock::time_point until = SteadyNow() + patience;
  while (true) {
    std::optional<RunningEvent> event = TRY(impl_->Poll());
    if (event || impl_->finished) return event;
    if (TRY(impl_->Wait(until, also, POLLIN | POLLRDHUP))) return std::nullopt;
    if (SteadyNow() >= until) return TRY(impl_->Poll());
  }
}

size_t RunningProcess::stdin_room() const {
  return impl_->finished ? 0 : impl_->stream.stdin_room();
}
Result<size_t> RunningProcess::WriteStdin(std::string_view bytes) {
  return impl_->stream.WriteStdin(bytes);
}
Result<void> RunningProcess::CloseStdin() { return impl_->stream.CloseStdin(); }
Result<void> RunningProcess::Signal(int signal) { return impl_->stream.Signal(signal); }
Result<void> RunningProcess::Resize(protocol::TerminalSize size) {
  return impl_->stream.Resize(size);
}

}  // namespace cay::sandbox
