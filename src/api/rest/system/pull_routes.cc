// Pulls: images of registries on their way to being templates.
#include <thread>

#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/sse.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/templates/pull_fields.h"
#include "sandbox/templates/pull_keeper.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::PullView;

// A wait cannot be woken by a client that goes: so it is looked after so often. And a client is
// told no more often than it could look.
constexpr Millis kLook{1000};
constexpr Millis kLeastBetween{100};

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<fields::PullSpec, sandbox::PullSpec>(body)));
  const PullView pull = TRY(services.pulls.Start(caller, spec));
  return RespondJson(exchange, 202, ObjectJson<fields::Pull>(pull),
                     {{"Location", "/api/pulls/" + pull.id}});
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  JsonResponse answer(exchange, 200);
  WriteObject<fields::PullList>(answer.json(), services.pulls.List(caller));
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const PullView pull = TRY(services.pulls.Get(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, ObjectJson<fields::Pull>(pull));
}

Result<void> Cancel(const Services& services, Exchange& exchange, const Caller& caller) {
  const PullView pull = TRY(services.pulls.Cancel(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 202, ObjectJson<fields::Pull>(pull));
}

// Each event has all of it as it is: one that was missed is not missing.
Result<void> Pump(const Services& services, Exchange& exchange, const Caller& caller,
                  const std::string& id, uint64_t after, SseStream& stream) {
  while (!exchange.ClientGone()) {
    const PullView pull = TRY(services.pulls.Await(caller, id, after, kLook));
    const JsonWriter json = ObjectJson<fields::Pull>(pull);
    if (HasEnded(pull.state)) return stream.End("end", json.text());
    if (pull.change > after) {
      TRY(stream.Send("progress", json.text(), pull.change));
      after = pull.change;
    } else if (services.pulls.stopping()) {
      return stream.End("end", R"({"reason":"the server is shutting down"})");
    }
    TRY(stream.PingIfQuiet());
    std::this_thread::sleep_for(kLeastBetween);
  }
  return {};
}

Result<void> Follow(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string id = exchange.request().Capture("id");
  const auto after = TRY(ResumePoint(exchange.request(), "after"));
  TRY(services.pulls.Get(caller, id));
  SseStream stream = TRY(SseStream::Begin(exchange));
  const auto done = Pump(services, exchange, caller, id, after.value_or(0), stream);
  return done ? done : stream.EndWithError(done.error());
}

}  // namespace

void AddPullRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string one = "/api/pulls/{id}";
  add("GET", "/api/pulls", Scope::kRead, "listPulls", &List);
  add("POST", "/api/pulls", Scope::kAdmin, "startPull", &Start, {kMaxSmallBody});
  add("GET", one, Scope::kRead, "getPull", &Get);
  add("GET", one + "/events", Scope::kRead, "followPull", &Follow);
  add("DELETE", one, Scope::kAdmin, "cancelPull", &Cancel);
}

}  // namespace cay::api::rest
