#include "cli/session/output_session.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/output_writer.h"
#include "cli/frame/remedy_words.h"
#include "cli/frame/signal_scope.h"
#include "cli/session/event_source.h"
#include "cli/session/input_pump.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

// Events taken before signals and input are looked at again.
constexpr int kEventsInARow = 64;

// The process was not there any more: its end is on the way.
bool HasEnded(const Error& error) {
  return error.code() == ErrorCode::kIllegalState || error.code() == ErrorCode::kNotFound;
}

class OutputSession {
 public:
  OutputSession(ApiClient& api, const AttachRequest& request)
      : api_(api),
        request_(request),
        process_(request.process),
        source_([this](const std::string& last_id) { return OpenOutput(last_id); }),
        tracker_(request.from),
        out_(STDOUT_FILENO),
        err_(STDERR_FILENO) {
    source_.set_ends(!request.follow);
  }

  Result<int> Run();

 private:
  Result<std::unique_ptr<http::ClientResponse>> OpenOutput(const std::string& last_id);
  Result<int> Loop();
  Result<bool> TakeEvents();
  Result<void> TakeEvent(const ServerEvent& event);
  Result<void> WaitForSomething(bool more);
  Result<void> OnSignal(const CallersSignal& signal);
  Result<void> OutputClosed();
  Result<void> Kill();
  bool pending() const { return out_.pending() || err_.pending(); }

  ApiClient& api_;
  const AttachRequest& request_;
  std::string process_;
  bool executed_ = false;
  bool feeding_ = false;
  EventSource source_;
  OutputTracker tracker_;
  OutputWriter out_;
  OutputWriter err_;
  std::optional<CallersSignals> signals_;
  std::optional<InputPump> pump_;
  std::optional<int> exit_code_;
};

Result<std::unique_ptr<http::ClientResponse>> OutputSession::OpenOutput(
    const std::string& last_id) {
  if (process_.empty()) {
    // Once more would run it once more.
    if (std::exchange(executed_, true)) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "the connection was lost before the command was seen to start")
                         .WithRemedy("see cay ps " + request_.sandbox));
    }
    http::ClientRequest execute;
    execute.method = "POST";
    execute.target = SandboxPath(request_.sandbox, "/execute");
    execute.headers.Add("Accept", "text/event-stream");
    execute.headers.Add("Content-Type", "application/json");
    execute.body = request_.execute;
    return api_.OpenStream(std::move(execute));
  }
  Target target(ProcessPath(request_.sandbox, process_, "/output"));
  if (request_.from && last_id.empty()) {
    target = std::move(target).Add("from", std::to_string(*request_.from));
  }
  target = std::move(target).Add("follow", request_.follow ? "true" : "false");
  return api_.OpenEvents(target.text(), last_id);
}

Result<int> OutputSession::Run() {
  if (!request_.control) return Loop();
  const SignalScope scope(false);
  signals_ = TRY(scope.Open());
  return Loop();
}

Result<int> OutputSession::Loop() {
  while (true) {
    bool more = false;
    if (!exit_code_ && !pending()) more = TRY(TakeEvents());
    // Not before somebody reads what the process makes of it.
    if (request_.input && !exit_code_ && source_.fd() >= 0 && !std::exchange(feeding_, true)) {
      pump_.emplace(TRY(InputPump::Start(api_.connection(), request_.sandbox, process_)));
    }
    if (exit_code_ && !pending()) return *exit_code_;
    TRY(WaitForSomething(more));
  }
}

// Whether there may be more without waiting.
Result<bool> OutputSession::TakeEvents() {
  for (int taken = 0; taken < kEventsInARow; ++taken) {
    const std::optional<ServerEvent> event = TRY(source_.Next());
    if (source_.ended() && !event) {
      exit_code_ = 0;
      return false;
    }
    if (!event) return false;
    TRY(TakeEvent(*event));
    if (exit_code_ || pending()) return false;
  }
  return true;
}

Result<void> OutputSession::TakeEvent(const ServerEvent& event) {
  if (event.type == "stdout" || event.type == "stderr" || event.type == "gap") {
    const OutputPiece piece = TRY(tracker_.Take(event));
    if (piece.lost > 0) {
      Note(std::to_string(piece.lost) + " bytes of output are no longer held by the sandbox");
    }
    Result<void> written = (piece.is_stdout ? out_ : err_).Write(piece.bytes);
    if (!written && written.error().sys_errno() == EPIPE) return OutputClosed();
    return written;
  }
  if (event.type == "started") {
    process_ = ProcessIdOf(TRY(EventData(event)));
  } else if (event.type == "exited") {
    const ProcessEnd end = ParseProcessEnd(TRY(EventData(event)));
    exit_code_ = request_.control ? TRY(ExitCodeOfEnd(end)) : 0;
    if (!request_.quiet && (*exit_code_ != 0 || end.output_cut)) {
      for (const std::string& note : NotesOnEnd(end)) Note(note);
    }
  } else if (event.type == "error") {
    const json::object problem = TRY(EventData(event));
    return Failure(ProblemError(problem, event.data));
  }
  return {};
}

Result<void> OutputSession::WaitForSomething(bool more) {
  std::array<pollfd, 5> polled = {
      pollfd{signals_ ? signals_->fd() : -1, POLLIN, 0},
      pollfd{exit_code_ || pending() ? -1 : source_.fd(), POLLIN, 0},
      pollfd{out_.pending() ? out_.fd() : -1, POLLOUT, 0},
      pollfd{err_.pending() ? err_.fd() : -1, POLLOUT, 0},
      pollfd{pump_ ? pump_->fd() : -1, POLLIN, 0},
  };
  const int wait = more ? 0 : pending() ? -1 : source_.WaitMillis();
  const int ready = ::poll(polled.data(), polled.size(), wait);
  if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  if (ready <= 0) return {};
  if (polled[0].revents != 0) {
    while (const auto signal = signals_->Next(nullptr)) TRY(OnSignal(*signal));
  }
  for (auto [index, writer] : {std::pair(2U, &out_), std::pair(3U, &err_)}) {
    if (polled[index].revents == 0) continue;
    Result<void> flushed = writer->Flush();
    if (!flushed && flushed.error().sys_errno() == EPIPE) return OutputClosed();
    if (!flushed) return flushed;
  }
  if (polled[4].revents != 0) {
    Result<void> sent = pump_->Finished();
    pump_.reset();
    return sent;
  }
  return {};
}

Result<void> OutputSession::OnSignal(const CallersSignal& signal) {
  if (signal.kind == CallersSignal::Kind::kEndNow) {
    // The caller wants out, whether or not the server can be told.
    if (!exit_code_) TRY(Kill());
    exit_code_ = kExitSignalBase + signal.signal;
    return {};
  }
  if (exit_code_ || process_.empty()) return {};
  Result<json::object> sent = api_.Call("POST", ProcessPath(request_.sandbox, process_, "/signal"),
                                        json::object{{"signal", signal.signal}});
  if (!sent && !HasEnded(sent.error())) Note(sent.error().ToString(CommandFor));
  return {};
}

Result<void> OutputSession::Kill() {
  if (process_.empty()) return {};
  Result<json::object> killed = api_.Call("DELETE", ProcessPath(request_.sandbox, process_));
  if (killed || HasEnded(killed.error())) return {};
  return Failure(std::move(killed).error());
}

Result<void> OutputSession::OutputClosed() {
  if (request_.control) TRY(Kill());
  // What is left to be written is nobody's.
  out_ = OutputWriter(STDOUT_FILENO);
  err_ = OutputWriter(STDERR_FILENO);
  exit_code_ = kExitSignalBase + SIGPIPE;
  return {};
}

}  // namespace

Result<int> RunOutputSession(ApiClient& api, const AttachRequest& request) {
  return OutputSession(api, request).Run();
}

}  // namespace cay::cli
