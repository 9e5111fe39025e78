#include "cli/session/terminal_session.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <csignal>

#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/output_writer.h"
#include "cli/frame/signal_scope.h"
#include "cli/frame/terminal_mode.h"
#include "cli/run/run_result.h"
#include "cli/session/detach_keys.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"
#include "cli/session/replay_filter.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using Kind = http::WebSocket::Kind;

constexpr Millis kRetryDelay{300};
// How often the socket wants to be asked, so that it can see whether the server is there.
constexpr Millis kSignOfLife{15'000};
// Of what is typed or piped in, in one message.
constexpr size_t kInputBytes = 16 * 1024;

class TerminalSession {
 public:
  TerminalSession(ApiClient& api, const AttachRequest& request)
      : api_(api), request_(request), out_(STDOUT_FILENO), next_(request.from) {}

  Result<TerminalEnd> Run();

 private:
  Result<void> Connect();
  Result<void> Lost(Error error);
  Result<void> TakeMessages();
  Result<void> TakeMessage(const http::WebSocket::Message& message);
  std::string Shown(std::string_view bytes);
  Result<void> WaitForSomething();
  Result<void> OnInput();
  Result<void> OnSignal(const CallersSignal& signal);
  Result<void> Send(Kind kind, std::string_view bytes);
  void Say(std::string_view text);

  ApiClient& api_;
  const AttachRequest& request_;
  OutputWriter out_;
  std::optional<uint64_t> next_;
  std::unique_ptr<http::WebSocket> socket_;
  std::optional<CallersSignals> signals_;
  std::optional<TerminalMode> mode_;
  DetachKeys keys_;
  ReplayFilter replay_;
  uint64_t replay_end_ = 0;  // output before it was shown before
  bool started_ = false;
  bool input_open_ = false;
  bool at_line_start_ = true;
  bool ever_connected_ = false;
  std::optional<Clock::time_point> lost_at_;
  Clock::time_point retry_at_{};
  std::optional<TerminalEnd> end_;
};

Result<TerminalEnd> TerminalSession::Run() {
  input_open_ = request_.input;
  const SignalScope scope(true);
  signals_ = TRY(scope.Open());
  while (!end_ || out_.pending()) {
    if (!end_ && !socket_ && Clock::now() >= retry_at_) TRY(Connect());
    if (!end_ && socket_ && !out_.pending()) TRY(TakeMessages());
    if (end_ && !out_.pending()) break;
    TRY(WaitForSomething());
  }
  end_->position = next_.value_or(0);
  return *end_;
}

Result<void> TerminalSession::Connect() {
  Target target(SandboxPath(request_.sandbox, "/terminal"));
  target = std::move(target).Add("process", request_.process);
  if (next_) target = std::move(target).Add("from", std::to_string(*next_));
  if (const std::optional<WindowSize> window = CallersWindow()) {
    target = std::move(target).Add("rows", std::to_string(window->rows));
    target = std::move(target).Add("columns", std::to_string(window->columns));
  }
  Result<std::unique_ptr<http::WebSocket>> opened = api_.OpenWebSocket(target.text());
  if (!opened) {
    const bool may_come_back = ever_connected_ && opened.error().code() == ErrorCode::kUnavailable;
    return may_come_back ? Lost(std::move(opened).error()) : Failure(std::move(opened).error());
  }
  socket_ = *std::move(opened);
  ever_connected_ = true;
  // Only now: what cannot be attached to leaves the terminal as it was.
  if (!mode_ && input_open_ && ::isatty(STDIN_FILENO) == 1) {
    mode_.emplace(TRY(TerminalMode::EnterRaw(STDIN_FILENO)));
  }
  return {};
}

// In raw mode a line feed is no new line.
void TerminalSession::Say(std::string_view text) {
  if (mode_) mode_->Restore();
  Note(text);
  if (mode_) mode_->Reenter();
}

Result<void> TerminalSession::Lost(Error error) {
  socket_.reset();
  const Clock::time_point now = Clock::now();
  if (!lost_at_) {
    lost_at_ = now;
    Say("the connection was lost; trying again");
  }
  if (now - *lost_at_ >= EventSource::kPatience) return Failure(std::move(error));
  retry_at_ = now + kRetryDelay;
  return {};
}

Result<void> TerminalSession::Send(Kind kind, std::string_view bytes) {
  if (!socket_) return {};  // what is typed into a lost connection is lost
  Result<void> sent = socket_->Send(kind, bytes);
  return sent ? sent : Lost(std::move(sent).error());
}

Result<void> TerminalSession::TakeMessages() {
  while (socket_ && !end_ && !out_.pending()) {
    Result<bool> ready = socket_->Advance();
    if (!ready) return Lost(std::move(ready).error());
    if (!*ready) return {};
    auto message = socket_->Read();
    if (!message || !*message) {
      return Lost(message ? Error(ErrorCode::kUnavailable, Fault::kMachine, "the server closed it")
                          : std::move(message).error());
    }
    if (lost_at_) Say("connected again");
    lost_at_.reset();
    TRY(TakeMessage(**message));
  }
  return {};
}

// What of the output the caller's terminal gets: that of before without the questions.
std::string TerminalSession::Shown(std::string_view bytes) {
  const uint64_t at = next_.value_or(0);
  next_ = at + bytes.size();
  if (at >= replay_end_) return std::string(bytes);
  const size_t earlier = std::min<uint64_t>(bytes.size(), replay_end_ - at);
  std::string shown = replay_.Take(bytes.substr(0, earlier));
  if (*next_ >= replay_end_) shown += replay_.Flush();
  return shown.append(bytes.substr(earlier));
}

Result<void> TerminalSession::TakeMessage(const http::WebSocket::Message& message) {
  if (message.kind == Kind::kBinary) {
    Result<void> written = out_.Write(Shown(message.bytes));
    if (!written && written.error().sys_errno() == EPIPE) {
      end_ = {.detached = true, .exit_code = kExitSignalBase + SIGPIPE};
      return {};
    }
    return written;
  }
  const json::object event = TRY(ParseJsonObject(message.bytes));
  const std::string type = TextOf(event, "type");
  if (type == "started") {
    // Only of the first connection: what was missed while it was lost is asked of this terminal.
    if (!std::exchange(started_, true) && request_.replay)
      replay_end_ = NumberOf<uint64_t>(event, "replay_end").value_or(0);
  } else if (type == "gap") {
    next_ = NumberOf<uint64_t>(event, "to").value_or(0);
  } else if (type == "exited") {
    const ProcessEnd end = ParseProcessEnd(event);
    end_ = {.exit_code = TRY(ExitCodeOfEnd(end))};
    if (end.output_cut && !end.timed_out && !request_.quiet) Say(kOutputCutNote);
  } else if (type == "error") {
    Say(TextOf(event, "detail"));  // of something we asked for; the terminal goes on
  }
  return {};
}

Result<void> TerminalSession::WaitForSomething() {
  const bool reads_input = input_open_ && socket_ && !end_;
  std::array<pollfd, 4> polled = {
      pollfd{signals_->fd(), POLLIN, 0},
      pollfd{socket_ && !out_.pending() && !end_ ? socket_->fd() : -1, POLLIN, 0},
      pollfd{reads_input ? STDIN_FILENO : -1, POLLIN, 0},
      pollfd{out_.pending() ? out_.fd() : -1, POLLOUT, 0},
  };
  int wait = end_ ? -1 : static_cast<int>(kRetryDelay.count());
  if (socket_ && !end_) wait = static_cast<int>(kSignOfLife.count());
  if (socket_ && socket_->HasBuffered() && !out_.pending()) wait = 0;
  const int ready = ::poll(polled.data(), polled.size(), wait);
  if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  if (ready <= 0) return {};
  if (polled[0].revents != 0) {
    while (const auto signal = signals_->Next(mode_ ? &*mode_ : nullptr)) TRY(OnSignal(*signal));
  }
  if (polled[2].revents != 0 && !end_) TRY(OnInput());
  if (polled[3].revents != 0) {
    Result<void> flushed = out_.Flush();
    if (!flushed && flushed.error().sys_errno() != EPIPE) return flushed;
    if (!flushed) {
      out_ = OutputWriter(STDOUT_FILENO);
      end_ = {.detached = true, .exit_code = kExitSignalBase + SIGPIPE};
    }
  }
  return {};
}

Result<void> TerminalSession::OnInput() {
  std::array<char, kInputBytes> buffer;
  const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got <= 0) {  // EIO: the terminal was hung up
    input_open_ = false;
    // termios(3), VEOF: in the middle of a line the first only ends the read.
    return Send(Kind::kBinary, at_line_start_ ? "\x04" : "\x04\x04");
  }
  const std::string_view typed(buffer.data(), static_cast<size_t>(got));
  at_line_start_ = typed.back() == '\n';
  // Keys are a person's: a pipe may hold those two bytes.
  const std::string send = mode_ ? keys_.Feed(typed) : std::string(typed);
  if (!send.empty()) TRY(Send(Kind::kBinary, send));
  if (keys_.detached()) {
    if (socket_) socket_->Close(1000, "detached");
    end_ = {.detached = true};
  }
  return {};
}

Result<void> TerminalSession::OnSignal(const CallersSignal& signal) {
  if (signal.kind == CallersSignal::Kind::kResize) {
    const auto& [rows, columns] = signal.window;
    return Send(Kind::kText, json::serialize(json::object{
                                 {"type", "resize"}, {"rows", rows}, {"columns", columns}}));
  }
  if (signal.kind == CallersSignal::Kind::kEndNow) {
    end_ = {.detached = true, .exit_code = kExitSignalBase + signal.signal};
    // Bounded by the connection's own timeouts; that the process is gone already is no matter.
    [[maybe_unused]] auto killed =
        api_.Call("DELETE", ProcessPath(request_.sandbox, request_.process));
    return {};
  }
  return Send(Kind::kText,
              json::serialize(json::object{{"type", "signal"}, {"signal", signal.signal}}));
}

}  // namespace

Result<TerminalEnd> RunTerminalSession(ApiClient& api, const AttachRequest& request) {
  return TerminalSession(api, request).Run();
}

}  // namespace cay::cli
