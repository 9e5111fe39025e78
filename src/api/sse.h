// Server-sent events (the HTML standard, 9.2) on an exchange.
//
//   SseStream events = TRY(SseStream::Begin(exchange));
//   TRY(events.Send("stdout", json, seq));
//   TRY(events.Ping());                       // when nothing else was sent for kPingInterval
//   TRY(events.End("exited", json));          // exactly one; nothing follows
//
// For one thread. Errors mean that the client is gone or does not read.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/result.h"
#include "base/units.h"
#include "http/exchange.h"
#include "json/json_writer.h"

namespace cay::api {

class SseStream final : private JsonSink {
 public:
  static constexpr Millis kPingInterval{15'000};

  static Result<SseStream> Begin(http::Exchange& exchange);

  // `data` is one line of JSON. `id`: where a client that comes back continues.
  Result<void> Send(std::string_view type, std::string_view data,
                    std::optional<uint64_t> id = std::nullopt);
  // The same for much data, which is sent while it is written:
  //   JsonWriter json = events.BeginEvent("stdout", seq);
  //   json.BeginObject()….EndObject();
  //   TRY(events.SendEvent(std::move(json)));
  JsonWriter BeginEvent(std::string_view type, std::optional<uint64_t> id);
  Result<void> SendEvent(JsonWriter event);
  // Sends a comment when the last line is older than the interval: this keeps proxies between from
  // closing the connection, and finds out whether the client is there. An error as well when the
  // exchange has no standing any more: EndWithError tells the client.
  Result<void> PingIfQuiet();
  // How long a wait may be before PingIfQuiet must be called.
  Millis UntilPing() const;

  // The terminal event; then the response is complete.
  Result<void> End(std::string_view type, std::string_view data);
  // The terminal event `error`, with the problem document.
  Result<void> EndWithError(const Error& error);

 private:
  explicit SseStream(http::Exchange& exchange);
  Result<void> Write(std::string_view text);
  void Take(std::string& text) override;

  http::Exchange* exchange_;
  std::chrono::steady_clock::time_point last_write_;
  std::string event_;   // the last one's memory
  Result<void> taken_;  // whether what Take got of the event that is being written could be sent
};

// The text of one event.
std::string FormatSseEvent(std::string_view type, std::string_view data,
                           std::optional<uint64_t> id);

// Where to continue: Last-Event-ID, or else the query's `name`. kInvalidArgument for what is not a
// number.
Result<std::optional<uint64_t>> ResumePoint(const http::Request& request, std::string_view name);

}  // namespace cay::api
