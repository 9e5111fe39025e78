// What became of the connections of a sandbox: as a list, and as events that a client can resume.
#include <poll.h>

#include <array>
#include <chrono>

#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/sse.h"
#include "json/field_writer.h"
#include "sandbox/network/network_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::FlowPage;
using sandbox::NumberedFlow;

constexpr size_t kDefaultFlows = 100;
constexpr size_t kMaxBatch = 64;  // that are held at a time
// A wait for flows is not woken by a client that goes, nor by the end of the server or of the
// sandbox: so those are looked after so often.
constexpr Millis kLook{500};

Result<void> ListFlows(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const uint64_t after = TRY(QueryNumber(request, "after", UINT64_MAX)).value_or(0);
  const uint64_t limit =
      TRY(QueryNumber(request, "limit", sandbox::FlowRing::kKept)).value_or(kDefaultFlows);
  if (limit == 0) return Failure(Error::Invalid("the parameter \"limit\" must be at least 1"));
  const auto page = TRY(services.manager.GetFlows(caller, request.Capture("id"), after, limit));
  return RespondJson(exchange, 200, ObjectJson<fields::FlowPage>(page));
}

Result<void> SendPage(SseStream& stream, const FlowPage& page) {
  uint64_t known = page.from;
  for (const NumberedFlow& flow : page.flows) {
    if (flow.number > known + 1) {
      JsonWriter gap;
      gap.BeginObject().Member("from", known + 1).Member("to", flow.number - 1).EndObject();
      TRY(stream.Send("gap", gap.text(), flow.number - 1));
    }
    TRY(stream.Send("flow", ObjectJson<fields::NumberedFlow>(flow).text(), flow.number));
    known = flow.number;
  }
  return {};
}

void Rest(const Exchange& exchange, Millis time) {
  std::array<pollfd, 2> wait = {pollfd{exchange.socket(), POLLRDHUP, 0},
                                pollfd{exchange.ending_fd(), POLLIN, 0}};
  ::poll(wait.data(), wait.size(), static_cast<int>(time.count()));
}

Result<void> Pump(const Services& services, Exchange& exchange, const Caller& caller,
                  const SandboxId& id, uint64_t after, SseStream& stream) {
  while (!exchange.ClientGone()) {
    if (exchange.Ending()) return stream.End("end", R"({"reason":"the server is shutting down"})");
    const auto began = std::chrono::steady_clock::now();
    const auto page = services.manager.AwaitFlows(caller, id.text(), after, kMaxBatch, kLook);
    if (!page && page.error().code() == ErrorCode::kNotFound)
      return stream.End("end", R"({"reason":"destroyed"})");
    if (!page) return Failure(page.error());
    TRY(SendPage(stream, *page));
    after = page->next;
    TRY(stream.PingIfQuiet());
    // It has no network, and so there is nothing to wait for.
    const bool waited = std::chrono::steady_clock::now() - began >= kLook / 2;
    if (page->flows.empty() && !waited) Rest(exchange, kLook);
  }
  return {};
}

// From now on, unless it is said after which one.
Result<void> FollowFlows(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  auto after = TRY(ResumePoint(exchange.request(), "after"));
  if (!after) after = services.manager.NewestFlow(view.id).value_or(0);
  SseStream stream = TRY(SseStream::Begin(exchange));
  const auto done = Pump(services, exchange, caller, view.id, *after, stream);
  return done ? done : stream.EndWithError(done.error());
}

}  // namespace

void AddFlowRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string flows = "/api/sandboxes/{id}/flows";
  add("GET", flows, Scope::kRead, "listSandboxFlows", &ListFlows);
  add("GET", flows + "/events", Scope::kRead, "followSandboxFlows", &FollowFlows);
}

}  // namespace cay::api::rest
