#include "api/dispatch/dispatcher.h"

#include <chrono>
#include <exception>
#include <optional>

#include "api/problem.h"
#include "base/clock.h"
#include "base/os/log.h"

namespace cay::api {
namespace {

constexpr size_t kMaxLoggedPath = 512;

Error Missing(int status, const http::Request& request) {
  if (status == 405) {
    return Error(ErrorCode::kInvalidArgument, Fault::kCaller,
                 "this path does not take " + request.method.substr(0, 32))
        .WithRemedy("the header Allow lists the methods that it takes");
  }
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is nothing at this path")
      .WithRemedy("/openapi.json lists all paths");
}

// Whether it is worth a row: what changes something, what opens a terminal, who was not let in.
bool Noteworthy(const http::Exchange& exchange, int status) {
  const http::Request& request = exchange.request();
  const bool reads =
      request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
  return !reads || exchange.WantsWebSocket() || status == 401 || status == 403 || status == 421;
}

}  // namespace

Dispatcher::Dispatcher(Gate& gate, AuditLog& audit, RequestMetrics& metrics)
    : gate_(gate), audit_(audit), metrics_(metrics), refused_(metrics.AddOperation("none")) {}

const Dispatcher::Entry* Dispatcher::NewEntry(Route route) {
  // For whoever wants to know what there is; the description of the API is tested against these
  // lines.
  LogDebug("route " + route.method + " " + route.pattern + " " +
           std::string(ScopeName(route.scope)) + " " + route.name);
  auto entry = std::make_unique<Entry>();
  entry->operation = metrics_.AddOperation(route.name);
  entry->route = std::move(route);
  return entries_.emplace_back(std::move(entry)).get();
}

void Dispatcher::Add(std::vector<Route> routes) {
  for (Route& route : routes) {
    const Entry* entry = NewEntry(std::move(route));
    router_.Add(entry->route.method, entry->route.pattern, Carrier{entry});
  }
}

void Dispatcher::SetPortRoute(Route route) { port_entry_ = NewEntry(std::move(route)); }

std::expected<const Dispatcher::Entry*, Refusal> Dispatcher::Find(http::Request& request) const {
  if (port_entry_ != nullptr) {
    if (const auto port = gate_.PortOf(request)) {
      const std::string_view path = request.path;
      request.captures = {{"id", port->sandbox},
                          {"port", std::to_string(port->port)},
                          {"rest", std::string(path.substr(path.starts_with('/') ? 1 : 0))}};
      return port_entry_;
    }
  }
  http::Router::Match match = router_.Find(request.method, request.path);
  if (match.handler == nullptr) {
    Refusal refusal{.error = Missing(match.status, request), .status = match.status};
    if (!match.allow.empty()) refusal.headers.Add("Allow", match.allow);
    return std::unexpected(std::move(refusal));
  }
  request.captures = std::move(match.captures);
  return match.handler->target<Carrier>()->entry;
}

void Dispatcher::Run(const Entry& entry, TrackedExchange& exchange, const sandbox::Caller& caller) {
  // Who was let in by the head may not be any more: a body can take hours to come.
  Result<void> done = exchange.Standing();
  if (done) done = entry.route.operation(exchange, caller);
  if (done) return;
  const Error& error = done.error();
  if (exchange.started()) {
    LogDebug("the answer to request " + exchange.request().id +
             " was cut off: " + error.ToString());
    return;
  }
  if (error.fault() == Fault::kMachine) {
    const LogField fields[] = {{"request_id", exchange.request().id},
                               {"operation", entry.route.name}};
    LogEvent(LogLevel::kWarning, error.ToString(), fields);
  }
  (void)exchange.Respond(entry.route.errors(error, {.request_id = exchange.request().id}));
}

// What a head decided. With a refusal or a preflight's answer there is no operation.
struct Dispatcher::Screened {
  std::optional<Refusal> refusal;
  std::optional<http::Response> preflight;
  http::Headers cors;
  Admission admission;
  const Entry* entry = nullptr;
  ErrorWriter errors = &ProblemResponse;  // the route's, when it was found
  std::chrono::steady_clock::time_point at = std::chrono::steady_clock::now();  // when it did
};

void Dispatcher::Refuse(TrackedExchange& exchange, const Screened& screened, Outcome& outcome) {
  const Refusal& refusal = *screened.refusal;
  http::Response response = screened.errors(refusal.error, {.request_id = exchange.request().id,
                                                            .status = refusal.status,
                                                            .retry_after = refusal.retry_after});
  for (const auto& [name, value] : refusal.headers.fields()) response.headers.Add(name, value);
  if (refusal.flood) outcome.audited = false;
  (void)exchange.Respond(std::move(response));
}

void Dispatcher::Judge(http::Request& request, Screened& screened) {
  screened.refusal = gate_.CheckNames(request);
  if (screened.refusal) return;
  screened.preflight = gate_.AnswerPreflight(request);
  if (screened.preflight) return;
  screened.cors = gate_.CorsHeaders(request);
  auto found = Find(request);
  if (found) screened.errors = (*found)->route.errors;
  // Who has no key does not learn what there is.
  const Scope wanted = found ? gate_.Wanted((*found)->route) : Scope::kRead;
  auto admitted = gate_.Admit(request, wanted);
  if (!admitted) {
    screened.refusal = std::move(admitted).error();
    return;
  }
  screened.admission = std::move(*admitted);
  if (found) {
    screened.entry = *found;
  } else {
    screened.refusal = std::move(found).error();
  }
}

http::Intake Dispatcher::Screen(http::Request& request) {
  auto screened = std::make_shared<Screened>();
  Judge(request, *screened);
  request.screened = screened;
  if (screened->entry == nullptr || screened->entry->route.quick) {
    return {.lane = http::Intake::Lane::kQuick};
  }
  http::Intake intake{.whole_body = screened->entry->route.body.whole};
  const Admission& admission = screened->admission;
  if (admission.scope == Scope::kPublic) {
    intake.lane = http::Intake::Lane::kPublic;
    intake.client = request.peer.client;
  } else if (!admission.key_id.empty()) {
    intake.client = "owner " + admission.caller.owner;
  }
  return intake;
}

void Dispatcher::Answer(TrackedExchange& exchange, Outcome& outcome) {
  http::Request& request = exchange.request();
  if (!request.screened) (void)Screen(request);
  const auto screened = std::static_pointer_cast<Screened>(request.screened);
  exchange.AddToAnswer(std::move(screened->cors));
  outcome.owner = screened->admission.caller.owner;
  outcome.key_id = screened->admission.key_id;
  if (screened->refusal) return Refuse(exchange, *screened, outcome);
  if (screened->preflight) {
    (void)exchange.Respond(*std::move(screened->preflight));
    return;
  }
  outcome.entry = screened->entry;
  const Admission& admission = screened->admission;
  if (admission.scope != Scope::kPublic) {
    exchange.SetStanding([this, who = admission] { return gate_.StillAdmitted(who); },
                         screened->at);
  }
  Run(*screened->entry, exchange, admission.caller);
}

void Dispatcher::Handle(http::Exchange& exchange) {
  TrackedExchange tracked(exchange);
  Outcome outcome;
  try {
    Answer(tracked, outcome);
  } catch (const std::exception& exception) {
    // bad_alloc, or a defect. The request is lost, the server is not.
    const Error error(ErrorCode::kInternal, Fault::kMachine,
                      std::string("the server failed: ") + exception.what());
    LogError(tracked.request().id + ": " + error.message());
    const ErrorWriter errors =
        outcome.entry == nullptr ? ErrorWriter{&ProblemResponse} : outcome.entry->route.errors;
    if (!tracked.started())
      (void)tracked.Respond(errors(error, {.request_id = tracked.request().id}));
  }
  const int status = tracked.status();
  const size_t operation = outcome.entry == nullptr ? refused_ : outcome.entry->operation;
  metrics_.Count(operation, status, tracked.MicrosecondsToAnswer(), tracked.bytes_written());
  WriteDown(tracked, outcome, status);
  if (log_requests_ && LogEnabled(LogLevel::kInfo)) LogRequest(tracked, outcome, status);
}

void Dispatcher::WriteDown(const TrackedExchange& exchange, const Outcome& outcome, int status) {
  const http::Request& request = exchange.request();
  if (!outcome.audited || !Noteworthy(exchange, status)) return;
  audit_.Add({.unix_ms = UnixMs(),
              .request_id = request.id,
              .owner = outcome.owner,
              .key_id = outcome.key_id,
              .peer = request.peer.address,
              .operation = outcome.entry == nullptr ? "" : outcome.entry->route.name,
              .method = request.method,
              .path = request.path,
              .status = status});
}

void Dispatcher::LogRequest(const TrackedExchange& exchange, const Outcome& outcome, int status) {
  const http::Request& request = exchange.request();
  const LogField fields[] = {
      {"request_id", request.id},
      {"method", request.method},
      // Without its query, in which a secret of somebody's may stand.
      {"path", request.path.substr(0, kMaxLoggedPath)},
      {"operation", outcome.entry == nullptr ? "" : outcome.entry->route.name},
      {"status", status},
      {"duration_us", static_cast<int64_t>(exchange.MicrosecondsSoFar())},
      {"bytes", static_cast<int64_t>(exchange.bytes_written())},
      {"owner", outcome.owner},
      {"key_id", outcome.key_id},
      {"peer", request.peer.address},
  };
  LogEvent(LogLevel::kInfo, "request", fields);
}

}  // namespace cay::api
