// What pulls and pushes have in common to those who follow one: events of which each has all of it
// as it is, so that one that was missed is not missing.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "api/problem.h"
#include "api/request.h"
#include "api/sse.h"
#include "json/field_writer.h"
#include "sandbox/types.h"

namespace cay::api::rest {

// A wait cannot be woken by a client that goes: so it is looked after so often. And a client is
// told no more often than it could look.
inline constexpr Millis kLookAtClient{1000};
inline constexpr Millis kLeastBetweenEvents{100};

// `List`: its fields. `Keeper`: Get, Await and stopping, as PullKeeper has them.
template <class List, class Keeper>
Result<void> PumpProgress(Keeper& keeper, http::Exchange& exchange, const sandbox::Caller& caller,
                          const std::string& id, uint64_t after, SseStream& stream) {
  while (!exchange.ClientGone()) {
    const auto view = TRY(keeper.Await(caller, id, after, kLookAtClient));
    const JsonWriter json = ObjectJson<List>(view);
    if (HasEnded(view.state)) return stream.End("end", json.text());
    if (view.change > after) {
      TRY(stream.Send("progress", json.text(), view.change));
      after = view.change;
    } else if (keeper.stopping()) {
      return stream.End("end", R"({"reason":"the server is shutting down"})");
    }
    TRY(stream.PingIfQuiet());
    std::this_thread::sleep_for(kLeastBetweenEvents);
  }
  return {};
}

// The one that the path names by its "id", from where the client was on.
template <class List, class Keeper>
Result<void> FollowProgress(Keeper& keeper, http::Exchange& exchange,
                            const sandbox::Caller& caller) {
  const std::string id = exchange.request().Capture("id");
  const auto after = TRY(ResumePoint(exchange.request(), "after"));
  TRY(keeper.Get(caller, id));
  SseStream stream = TRY(SseStream::Begin(exchange));
  const auto done = PumpProgress<List>(keeper, exchange, caller, id, after.value_or(0), stream);
  return done ? done : stream.EndWithError(done.error());
}

}  // namespace cay::api::rest
