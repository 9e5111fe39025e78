// EventSource: a stream of the server's events that outlives its connection. When the connection is
// cut, or silent for longer than the server's pings allow, it is opened again from the last id that
// came (Last-Event-ID), for at most kPatience; then the error comes out.
//
//   EventSource source([&](const std::string& last_id) { return api.OpenEvents(target, last_id); });
//   while (true) {
//     std::optional<ServerEvent> event = TRY(source.Next());
//     if (event) { …; if (event->type == "exited") break; continue; }
//     poll({source.fd(), POLLIN}, source.WaitMillis());        // fd -1: not connected just now
//   }
//
// One thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "cli/session/event_stream.h"
#include "http/client/client.h"

namespace cay::cli {

class EventSource {
 public:
  using Clock = std::chrono::steady_clock;
  // Opens the stream after the event `last_id` (empty: from its beginning). kUnavailable is tried
  // again; other errors are final.
  using Open =
      std::function<Result<std::unique_ptr<http::ClientResponse>>(const std::string& last_id)>;

  // From the loss of a connection to giving up.
  static constexpr Millis kPatience{60'000};
  // The server pings every 15 s.
  static constexpr Millis kSilence{50'000};

  explicit EventSource(Open open, Millis patience = kPatience)
      : open_(std::move(open)), patience_(patience) {}

  // The next event that is there; nothing when there is none yet: then poll. An event whose id says
  // that it came before is given once more only if the server sends it again.
  Result<std::optional<ServerEvent>> Next();

  // Whether the server has ended the stream without being asked for more: of a stream that does not
  // follow. Otherwise the end is a lost connection.
  void set_ends(bool ends) { ends_ = ends; }
  bool ended() const { return ended_; }

  int fd() const { return response_ ? response_->fd() : -1; }
  // For poll, with fd(): until the next try, or until the silence is too long.
  int WaitMillis() const;
  // Blocks until something may have come.
  void Wait() const;

 private:
  Result<void> Connect();
  Result<void> Lost(Error error);
  std::optional<ServerEvent> TakeParsed();

  Open open_;
  Millis patience_;
  std::unique_ptr<http::ClientResponse> response_;
  EventStreamParser parser_;
  std::string last_id_;
  bool ends_ = false;
  bool ended_ = false;
  bool drained_ = false;  // all that had come was taken: poll says when there is more
  bool ever_connected_ = false;
  std::optional<Clock::time_point> lost_at_;
  Clock::time_point retry_at_{};
  Millis delay_{0};
  Clock::time_point heard_at_{};
};

}  // namespace cay::cli
