// What happens to sandboxes, as events that a client can resume, or as a list.
#include <algorithm>
#include <chrono>

#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/sse.h"
#include "json/field_writer.h"
#include "sandbox/events/event_log.h"
#include "sandbox/fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Event;
using sandbox::EventFilter;
using sandbox::EventLog;

constexpr uint64_t kMaxListed = 1000;
constexpr uint64_t kMaxBatch = 100;  // that are held at a time
// A wait for events cannot be woken by a client that goes: so it is looked after so often.
constexpr Millis kLook{1000};

Result<void> RespondWithBatch(EventLog& events, Exchange& exchange, const EventFilter& filter,
                              uint64_t after) {
  uint64_t left = TRY(QueryNumber(exchange.request(), "limit", kMaxListed)).value_or(kMaxListed);
  JsonResponse answer(exchange, 200);
  answer.json().BeginObject().Key("events").BeginArray();
  uint64_t missed_up_to = 0;
  for (;;) {
    const uint64_t wanted = std::min(left, kMaxBatch);
    const auto batch = events.After(after, filter, wanted, Millis(0));
    for (const Event& event : batch.events)
      WriteObject<sandbox::fields::Event>(answer.json(), event);
    after = batch.last;
    missed_up_to = std::max(missed_up_to, batch.missed_up_to);
    left -= batch.events.size();
    if (left == 0 || batch.events.size() < wanted) break;
  }
  answer.json().EndArray().Member("last_id", after);
  answer.json().Member("missed_up_to", missed_up_to).EndObject();
  return answer.Finish();
}

Result<void> SendBatch(SseStream& stream, const EventLog::Batch& batch, uint64_t after) {
  if (batch.missed_up_to > after) {
    JsonWriter json;
    json.BeginObject().Member("from", after + 1).Member("to", batch.missed_up_to).EndObject();
    TRY(stream.Send("gap", json.text(), batch.missed_up_to));
  }
  for (const Event& event : batch.events) {
    const JsonWriter json = ObjectJson<sandbox::fields::Event>(event);
    TRY(stream.Send(event.type, json.text(), event.id));
  }
  return {};
}

// Whether the log was closed: it answers at once, with nothing.
bool Closed(const EventLog::Batch& batch, std::chrono::steady_clock::duration waited) {
  return batch.events.empty() && waited < kLook / 2;
}

Result<void> Pump(EventLog& events, Exchange& exchange, const EventFilter& filter, uint64_t after,
                  SseStream& stream) {
  int closed = 0;
  while (!exchange.ClientGone()) {
    const auto begin = std::chrono::steady_clock::now();
    const auto batch = events.After(after, filter, kMaxBatch, kLook);
    TRY(SendBatch(stream, batch, after));
    const bool moved = batch.last > after;
    after = std::max(after, batch.last);
    for (const Event& event : batch.events) {
      const bool end = !filter.sandbox.empty() && event.type == "sandbox.destroyed";
      if (end) return stream.End("end", R"({"reason":"destroyed"})");
    }
    const auto waited = std::chrono::steady_clock::now() - begin;
    closed = !moved && Closed(batch, waited) ? closed + 1 : 0;
    if (closed > 1) return stream.End("end", R"({"reason":"the server is shutting down"})");
    TRY(stream.PingIfQuiet());
  }
  return {};
}

Result<void> StreamEvents(EventLog& events, Exchange& exchange, const EventFilter& filter,
                          uint64_t after) {
  SseStream stream = TRY(SseStream::Begin(exchange));
  const auto done = Pump(events, exchange, filter, after, stream);
  return done ? done : stream.EndWithError(done.error());
}

Result<void> Answer(const Services& services, Exchange& exchange, const EventFilter& filter) {
  const auto after = TRY(ResumePoint(exchange.request(), "after"));
  if (!TRY(QueryBool(exchange.request(), "wait", true))) {
    return RespondWithBatch(services.events, exchange, filter, after.value_or(0));
  }
  return StreamEvents(services.events, exchange, filter, after.value_or(services.events.last_id()));
}

Result<void> OfAll(const Services& services, Exchange& exchange, const Caller& caller) {
  EventFilter filter;
  filter.owner = TRY(QueryOwner(exchange.request(), caller));
  if (!caller.admin) filter.owner = caller.owner;
  return Answer(services, exchange, filter);
}

Result<void> OfOne(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  EventFilter filter;
  filter.owner = view.owner;
  filter.sandbox = view.id.text();
  return Answer(services, exchange, filter);
}

}  // namespace

void AddEventRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/events", Scope::kRead, "followEvents", &OfAll);
  add("GET", "/api/sandboxes/{id}/events", Scope::kRead, "followSandboxEvents", &OfOne);
}

}  // namespace cay::api::rest
