#include "cli/run/run_session.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>

namespace cay::cli {
namespace {

using protocol::Exited;
using protocol::Gap;
using protocol::Started;

// Events taken before signals, input and the clock are looked at again.
constexpr int kEventsInARow = 32;

}  // namespace

RunSession::RunSession(const GuestChannel& guest, const SessionOptions& options)
    : guest_(guest), options_(options), out_(STDOUT_FILENO), err_(STDERR_FILENO) {}

void RunSession::Finish(EndKind kind) {
  end_.kind = kind;
  end_.ended = Clock::now();
  finished_ = true;
}

Result<SessionEnd> RunSession::Run(const protocol::StartRequest& request) {
  terminal_ = request.terminal.has_value();
  input_open_ = options_.pass_stdin;
  protocol::StartRequest sized = request;
  if (terminal_) {
    if (auto window = CallersWindow()) sized.terminal = {window->rows, window->columns};
  }
  SignalScope scope(terminal_);
  signals_ = TRY(scope.Open());
  deadline_ = Clock::now() + kStartPatience;
  stream_ = TRY(guest_.Start(sized));
  Result<void> looped = Loop(*stream_);
  mode_.reset();
  if (!looped) {
    // The guest ended while the command ran: what that means is the engine's to say.
    bool running = end_.process != 0;
    if (!running || looped.error().code() != ErrorCode::kUnavailable) {
      return Failure(std::move(looped).error());
    }
    Finish(EndKind::kGuestGone);
  }
  if (end_.kind == EndKind::kTimedOut && end_.process == 0) {
    return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                         "the command was not started within " + FormatDuration(kStartPatience))
                       .WithRemedy("the machine may be overloaded: see --timing"));
  }
  return end_;
}

Result<void> RunSession::Loop(ProcessStream& stream) {
  while (true) {
    bool more = false;
    if (!finished_ && !out_.pending() && !err_.pending()) more = TRY(TakeEvents(stream));
    bool blocked = out_.pending() || err_.pending();
    if (finished_ && (!blocked || end_.kind != EndKind::kExited)) return {};
    bool reads_input = input_open_ && !finished_ && stream.stdin_room() > 0;
    std::array<pollfd, 5> polled = {
        pollfd{signals_->fd(), POLLIN, 0},
        pollfd{finished_ || blocked ? -1 : stream.fd(), stream.poll_events(), 0},
        pollfd{reads_input ? STDIN_FILENO : -1, POLLIN, 0},
        pollfd{out_.pending() ? out_.fd() : -1, POLLOUT, 0},
        pollfd{err_.pending() ? err_.fd() : -1, POLLOUT, 0},
    };
    int ready = ::poll(polled.data(), polled.size(), more ? 0 : WaitMillis());
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
    if (OnDeadline()) return {};
    if (ready <= 0) continue;
    if (polled[0].revents != 0) TRY(OnSignals(stream));
    if (polled[2].revents != 0) TRY(OnInput(stream));
    for (auto [index, writer] : {std::pair(3U, &out_), std::pair(4U, &err_)}) {
      if (polled[index].revents == 0) continue;
      if (Result<void> flushed = writer->Flush(); !flushed) {
        if (flushed.error().sys_errno() != EPIPE) return flushed;
        Finish(EndKind::kOutputClosed);
        return {};
      }
    }
  }
}

// True when there may be more without waiting.
Result<bool> RunSession::TakeEvents(ProcessStream& stream) {
  for (int i = 0; i < kEventsInARow; ++i) {
    std::optional<ProcessEvent> event = TRY(stream.Next());
    if (!event) return false;
    if (const auto* output = std::get_if<ProcessOutput>(&*event)) {
      Result<void> taken = OnOutput(*output);
      if (!taken && taken.error().sys_errno() == EPIPE) {
        Finish(EndKind::kOutputClosed);
        return false;
      }
      TRY(std::move(taken));
      if (out_.pending() || err_.pending()) return false;
    } else if (const auto* gap = std::get_if<Gap>(&*event)) {
      TRY(OnGap(*gap));
    } else if (const auto* exited = std::get_if<Exited>(&*event)) {
      end_.exited = *exited;
      Finish(EndKind::kExited);
      return false;
    } else if (const auto* started = std::get_if<Started>(&*event)) {
      end_.process = started->process;
      end_.started = Clock::now();
      deadline_.reset();
      if (options_.timeout > Millis(0)) deadline_ = end_.started + options_.timeout;
      // Only now: a command that cannot be started leaves the terminal as it was.
      if (terminal_ && input_open_ && ::isatty(STDIN_FILENO) == 1) {
        mode_.emplace(TRY(TerminalMode::EnterRaw(STDIN_FILENO)));
      }
    }
  }
  return true;
}

Result<void> RunSession::OnOutput(const ProcessOutput& output) {
  if (!end_.first_byte) end_.first_byte = Clock::now();
  bool is_out = output.stream == OutputStream::kStdout;
  if (HeldOutput* held = is_out ? options_.out : options_.err) {
    held->Append(output.bytes);
    return {};
  }
  return (is_out ? out_ : err_).Write(output.bytes);
}

// The ring blocks the command before it overruns while we are attached, so this says that the guest
// does not keep its word: told, never passed over.
Result<void> RunSession::OnGap(const Gap& gap) {
  if (options_.out != nullptr) {
    options_.out->AddLost(gap.to - gap.from);
    return {};
  }
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                       std::to_string(gap.to - gap.from) + " bytes of output were lost"));
}

Result<void> RunSession::OnInput(ProcessStream& stream) {
  std::array<char, 64 * 1024> buffer;
  size_t room = std::min(buffer.size(), stream.stdin_room());
  ssize_t got = ::read(STDIN_FILENO, buffer.data(), room);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got <= 0) return EndInput(stream);  // EIO: the terminal was hung up
  std::string_view bytes(buffer.data(), static_cast<size_t>(got));
  at_line_start_ = bytes.back() == '\n';
  while (!bytes.empty()) {
    size_t sent = TRY(stream.WriteStdin(bytes));
    if (sent == 0) break;  // the command closed its input meanwhile
    bytes.remove_prefix(sent);
  }
  if (stream.stdin_closed()) input_open_ = false;
  return {};
}

Result<void> RunSession::EndInput(ProcessStream& stream) {
  if (!terminal_) {
    input_open_ = false;
    return stream.CloseStdin();
  }
  // termios(3), VEOF: in the middle of a line the first only ends the read, the second is the end.
  std::string_view end_of_file = at_line_start_ ? "\x04" : "\x04\x04";
  // Without room for it the end is read, and sent, once more.
  input_open_ = TRY(stream.WriteStdin(end_of_file)) < end_of_file.size();
  return {};
}

Result<void> RunSession::OnSignals(ProcessStream& stream) {
  while (!finished_ || end_.kind == EndKind::kExited) {
    const std::optional<CallersSignal> signal = signals_->Next(mode_ ? &*mode_ : nullptr);
    if (!signal) return {};
    TRY(OnSignal(stream, *signal));
  }
  return {};
}

Result<void> RunSession::OnSignal(ProcessStream& stream, const CallersSignal& signal) {
  using Kind = CallersSignal::Kind;
  // After the command's end only our own output is left to wait for.
  if (signal.kind == Kind::kEndNow || (signal.kind == Kind::kEnd && finished_)) {
    end_.signal = signal.signal;
    Finish(EndKind::kInterrupted);
    return {};
  }
  if (finished_) return {};
  if (signal.kind == Kind::kResize) {
    return stream.Resize({signal.window.rows, signal.window.columns});
  }
  if (signal.kind == Kind::kEnd) {
    asked_to_end_ = signal.signal;
    grace_ = Clock::now() + kGrace;
  }
  return stream.Signal(signal.signal);
}

bool RunSession::OnDeadline() {
  if (finished_ && end_.kind == EndKind::kExited) return false;
  Clock::time_point now = Clock::now();
  if (deadline_ && now >= *deadline_) {
    const bool first = end_.process != 0 && !std::exchange(end_.timed_out, true);
    if (!first || options_.kill_grace == Millis(0)) {
      Finish(EndKind::kTimedOut);
      return true;
    }
    deadline_ = now + options_.kill_grace;
    // A stream that is broken says so where it is read.
    static_cast<void>(stream_->Signal(SIGTERM));
  }
  if (grace_ && now >= *grace_) {
    end_.signal = asked_to_end_;
    Finish(EndKind::kInterrupted);
    return true;
  }
  return false;
}

int RunSession::WaitMillis() const {
  if (finished_) return -1;
  std::optional<Clock::time_point> first = deadline_;
  if (grace_ && (!first || *grace_ < *first)) first = grace_;
  if (!first) return -1;
  auto left = std::chrono::ceil<Millis>(*first - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

Result<void> RunSession::Kill(Millis patience) {
  if (!stream_ || stream_->finished()) return {};
  TRY(stream_->Signal(SIGKILL));
  Clock::time_point until = Clock::now() + patience;
  while (!stream_->finished()) {
    std::optional<ProcessEvent> event = TRY(stream_->Next());  // output now is nobody's
    auto left = std::chrono::ceil<Millis>(until - Clock::now()).count();
    if (left <= 0) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "the command cannot be ended"));
    }
    if (event) continue;
    pollfd polled{stream_->fd(), stream_->poll_events(), 0};
    ::poll(&polled, 1, static_cast<int>(left));
  }
  TRY(guest_.KillLeftovers(end_.process));
  return {};
}

}  // namespace cay::cli
