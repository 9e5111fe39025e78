// GET …/terminal: a WebSocket that is a terminal. Server to client: binary messages are output,
// text messages say {"type": "started" | "gap" | "exited" | "error", …}; "started" says where in
// the output the earlier one ends. Client to server: binary messages are input, text messages say
// {"type": "resize" | "input" | "signal", …}. When the client goes the shell stays, and ?process=ID
// finds it again.
#include <poll.h>

#include <array>
#include <csignal>

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

using http::Exchange;
using http::WebSocket;
using sandbox::Caller;
using sandbox::Lease;
using sandbox::ProcessRecord;
using sandbox::RunningProcess;

constexpr uint16_t kNormalClosure = 1000;  // RFC 6455, 7.4.1
constexpr uint16_t kGoingAway = 1001;
constexpr uint16_t kPolicyViolation = 1008;
constexpr uint16_t kInternalError = 1011;
// And then it is seen to that the client is still there, and may be.
constexpr int kPollMs = static_cast<int>(Exchange::kStandingInterval.count());

struct TerminalRequest {
  sandbox::ProcessSpec spec;
  std::optional<uint64_t> process;  // an earlier one
  std::optional<uint64_t> from;
  bool kill_on_close = false;
};

// A shell that is typed into may stay as long as any command may, unless the request says
// otherwise.
Result<TerminalRequest> ReadTerminalRequest(const http::Request& request, Millis max_timeout) {
  TerminalRequest wanted;
  protocol::TerminalSize size;
  size.rows = static_cast<uint16_t>(TRY(QueryNumber(request, "rows", UINT16_MAX)).value_or(24));
  size.columns =
      static_cast<uint16_t>(TRY(QueryNumber(request, "columns", UINT16_MAX)).value_or(80));
  wanted.spec.terminal = size;
  wanted.spec.env["TERM"] = request.Query("term").value_or("xterm-256color");
  wanted.spec.workdir = request.Query("workdir").value_or("");
  wanted.spec.user = request.Query("user").value_or("");
  wanted.spec.tag = request.Query("tag").value_or("");
  wanted.spec.timeout = TRY(QueryDuration(request, "timeout"));
  if (!wanted.spec.timeout) wanted.spec.timeout = max_timeout;
  const auto command = request.Query("command");
  if (command && !command->empty()) {
    wanted.spec.shell = *command;
  } else {
    wanted.spec.argv = {"sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"};
  }
  wanted.process = TRY(QueryNumber(request, "process", UINT64_MAX));
  wanted.from = TRY(QueryNumber(request, "from", UINT64_MAX));
  wanted.kill_on_close = TRY(QueryBool(request, "kill_on_close", false));
  return wanted;
}

// What a client of a terminal says in text.
Result<void> ObeyText(RunningProcess& process, std::string_view text, std::string& input) {
  const JsonValue body = TRY(ParseJson(text));
  auto fields = TRY(JsonFields::Of(body));
  const std::string type = TRY(fields.RequiredString("type"));
  if (type == "input") {
    input += TRY(fields.RequiredString("data"));
    return fields.Finish();
  }
  if (type == "signal") {
    const int signal = TRY(ReadSignal(fields, "signal"));
    TRY(fields.Finish());
    return process.Signal(signal);
  }
  if (type != "resize") return Failure(Error::Invalid("unknown \"type\" \"" + type + "\""));
  protocol::TerminalSize size{.rows = 0, .columns = 0};
  FieldReader reader(fields);
  sandbox::fields::TerminalSize::Of(size, reader);
  TRY(reader.Finish());
  TRY(sandbox::fields::TerminalSize::Check(size));
  return process.Resize(size);
}

// Output before `earlier` is shown again.
std::string StartedText(const RunningProcess& process, uint64_t earlier) {
  JsonWriter json;
  json.BeginObject().Member("type", "started").Member("process_id", process.id());
  json.Member("pid", process.pid()).Member("replay_end", earlier).EndObject();
  return std::move(json).Take();
}

std::string ExitedText(const ProcessRecord& record) {
  JsonWriter json;
  json.BeginObject().Member("type", "exited").Member("process_id", record.id);
  WriteMembers<sandbox::fields::Ending>(json, record);
  json.EndObject();
  return std::move(json).Take();
}

// One client at one terminal.
class Terminal {
 public:
  Terminal(Exchange& exchange, WebSocket& socket, RunningProcess& process)
      : exchange_(exchange), socket_(socket), process_(process) {}

  // Until the process has ended (the record), the client has gone or the server ends (nothing), or
  // the client has no standing any more (an error).
  Result<std::optional<ProcessRecord>> Run() {
    for (;;) {
      TRY(exchange_.Standing());
      auto record = TRY(TakeOutput());
      if (record) return record;
      if (!more_ && process_.finished()) {
        return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                             "the connection to the terminal was lost"));
      }
      TRY(GiveInput());
      if (!TRY(Wait())) return std::nullopt;
    }
  }

 private:
  Result<std::optional<ProcessRecord>> TakeOutput() {
    more_ = true;
    for (size_t taken = 0; taken < kEventsInARound; ++taken) {
      auto event = TRY(process_.Poll());
      if (!event) {
        more_ = false;
        break;
      }
      if (const auto* output = std::get_if<ProcessOutput>(&*event)) {
        TRY(socket_.Send(WebSocket::Kind::kBinary, output->bytes));
      } else if (const auto* gap = std::get_if<protocol::Gap>(&*event)) {
        JsonWriter json;
        json.BeginObject().Member("type", "gap").Member("from", gap->from).Member("to", gap->to);
        json.EndObject();
        TRY(socket_.Send(WebSocket::Kind::kText, json.text()));
      } else if (auto* ended = std::get_if<sandbox::ProcessEnded>(&*event)) {
        return std::move(ended->record);
      }
    }
    return std::nullopt;
  }

  Result<void> GiveInput() {
    const size_t room = process_.stdin_room();
    if (input_.empty() || room == 0) return {};
    input_.erase(0, TRY(process_.WriteStdin(std::string_view(input_).substr(0, room))));
    return {};
  }

  // Waits for either side. What the client says is read only while the terminal takes its input.
  Result<bool> Wait() {
    const bool listen = input_.empty();
    const bool buffered = listen && socket_.HasBuffered();
    std::array<pollfd, 3> wait = {
        pollfd{process_.fd(), process_.poll_events(), 0},
        pollfd{socket_.fd(), static_cast<short>(listen ? POLLIN | POLLRDHUP : POLLRDHUP), 0},
        pollfd{exchange_.ending_fd(), POLLIN, 0}};
    const int ready = ::poll(wait.data(), wait.size(), more_ || buffered ? 0 : kPollMs);
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
    if (wait[2].revents != 0) return false;
    if (buffered || (ready == 0 && listen)) return Listen();
    if (wait[1].revents == 0) return true;
    if (listen && (wait[1].revents & POLLIN) != 0) return Listen();
    return false;
  }

  // False when the client has closed.
  Result<bool> Listen() {
    // What came may be a ping, or half of a message: there is output to wait for as well.
    const auto ready = socket_.Advance();
    if (!ready) return false;
    if (!*ready) return true;
    auto message = socket_.Read();
    if (!message || !*message) return false;
    if ((*message)->kind == WebSocket::Kind::kBinary) {
      input_ += (*message)->bytes;
      return true;
    }
    if (const auto done = ObeyText(process_, (*message)->bytes, input_); !done) {
      JsonWriter json;
      json.BeginObject().Member("type", "error").Member("detail", done.error().message());
      json.EndObject();
      TRY(socket_.Send(WebSocket::Kind::kText, json.text()));
    }
    return true;
  }

  Exchange& exchange_;
  WebSocket& socket_;
  RunningProcess& process_;
  bool more_ = false;  // there may be output now
  std::string input_;  // at most one message
};

Result<RunningProcess> OpenProcess(const Services& services, const Lease& lease,
                                   const TerminalRequest& wanted) {
  if (!wanted.process) return services.processes.Start(lease, wanted.spec);
  const auto record = TRY(services.processes.Get(lease.id(), *wanted.process));
  if (!record.terminal) {
    return Failure(
        Error::Impossible("process " + std::to_string(*wanted.process) + " has no terminal")
            .WithRemedy(Remedy(Action::kFollowOutput) + " follows it"));
  }
  auto process = TRY(services.processes.Attach(lease, *wanted.process, wanted.from));
  if (record.state == sandbox::ProcessState::kRunning) {
    TRY(services.processes.Resize(lease, *wanted.process, *wanted.spec.terminal));
  }
  return process;
}

Result<void> Serve(const Services& services, Exchange& exchange, const Caller& caller) {
  if (!exchange.WantsWebSocket()) {
    return exchange.Respond(ProblemResponse(
        Error::Invalid("a terminal is a WebSocket").WithRemedy("connect with a WebSocket client"),
        {.request_id = exchange.request().id, .status = 426}));
  }
  const TerminalRequest wanted =
      TRY(ReadTerminalRequest(exchange.request(), services.facts.processes.max_timeout));
  const Lease lease = TRY(services.manager.Use(caller, exchange.request().Capture("id")));
  const uint64_t earlier =
      wanted.process ? TRY(services.processes.OutputEnd(lease, *wanted.process)) : 0;
  auto process = TRY(OpenProcess(services, lease, wanted));
  const auto socket = TRY(exchange.AcceptWebSocket());
  TRY(socket->Send(WebSocket::Kind::kText, StartedText(process, earlier)));
  const auto record = Terminal(exchange, *socket, process).Run();
  if (!record) {
    const bool clients = record.error().fault() == Fault::kCaller;
    const bool denied = record.error().code() == ErrorCode::kPermissionDenied;
    socket->Close(clients ? kPolicyViolation : kInternalError,
                  denied ? record.error().message() : "the connection to the terminal was lost");
  } else if (*record) {
    TRY(socket->Send(WebSocket::Kind::kText, ExitedText(**record)));
    socket->Close(kNormalClosure, "exited");
  } else if (exchange.Ending()) {
    socket->Close(kGoingAway, "the server is shutting down");
  }
  // Of a server that ends it is not the client that goes: the process waits for it at the next one.
  if (!wanted.kill_on_close || (record && *record) || exchange.Ending()) return {};
  // In a call of its own, which is answered: what is the last on a connection that is then closed
  // may never be read.
  const auto killed = services.processes.Signal(lease, process.id(), SIGKILL);
  return killed || killed.error().code() == ErrorCode::kIllegalState ? Result<void>() : killed;
}

}  // namespace

void AddTerminalRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/sandboxes/{id}/terminal", Scope::kUse, "openTerminal", &Serve);
}

}  // namespace cay::api::rest
