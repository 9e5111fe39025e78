// GET …/files/watch: what changes in a directory, as events.
#include <poll.h>

#include <algorithm>
#include <array>

#include "api/request.h"
#include "api/rest/files/file_json.h"
#include "api/rest/routes.h"
#include "api/sse.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Lease;

constexpr std::string_view KindName(protocol::WatchKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"created", "modified",   "removed",
                                                      "renamed", "attributes", "overflow"};
  return kNames[static_cast<size_t>(kind)];
}

Result<void> SendAll(SseStream& events, const std::vector<protocol::WatchEvent>& batch) {
  for (const protocol::WatchEvent& event : batch) {
    JsonWriter json;
    json.BeginObject();
    WriteName(json, "path", event.path);
    if (event.from) WriteName(json, "from", *event.from);
    json.Member("directory", event.directory).EndObject();
    TRY(events.Send(KindName(event.kind), json.text()));
  }
  return {};
}

constexpr size_t kBatchesInARound = 16;

// Until the client goes, the watch ends with an error, or the server ends: then the stream is cut,
// and a client comes back.
Result<void> Pump(WatchStream& watch, SseStream& events, const Exchange& exchange) {
  for (;;) {
    bool more = true;
    for (size_t taken = 0; more && taken < kBatchesInARound; ++taken) {
      const auto batch = TRY(watch.Next());
      more = !batch.empty();
      if (more) TRY(SendAll(events, batch));
    }
    TRY(events.PingIfQuiet());
    std::array<pollfd, 3> wait = {pollfd{watch.fd(), POLLIN, 0},
                                  pollfd{exchange.socket(), POLLRDHUP, 0},
                                  pollfd{exchange.ending_fd(), POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), more ? 0 : static_cast<int>(events.UntilPing().count())) <
            0 &&
        errno != EINTR) {
      return Failure(Error::FromErrno("poll"));
    }
    if ((wait[1].revents | wait[2].revents) != 0) return {};
  }
}

Result<void> Watch(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const bool recursive = TRY(QueryBool(request, "recursive", false));
  const Lease lease = TRY(services.manager.Use(caller, request.Capture("id")));
  const std::string path = TRY(DirectoryOf(request, lease));
  auto watch = TRY(
      lease.guest().Watch({.user = UserOf(request, lease), .path = path, .recursive = recursive}));
  SseStream events = TRY(SseStream::Begin(exchange));
  JsonWriter json;
  json.BeginObject();
  WriteName(json, "path", path);
  json.EndObject();
  TRY(events.Send("watching", json.text()));
  const auto done = Pump(watch, events, exchange);
  return done ? done : events.EndWithError(done.error());
}

}  // namespace

void AddWatchRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/sandboxes/{id}/files/watch", Scope::kRead, "watchFiles", &Watch);
}

}  // namespace cay::api::rest
