// TrackedExchange: an exchange that notes when its answer began, adds fields to it (CORS), and
// sends and takes nothing more of bodies once it has no standing. All else goes through.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "http/exchange.h"

namespace cay::api {

class TrackedExchange : public http::Exchange {
 public:
  explicit TrackedExchange(http::Exchange& inner)
      : inner_(inner), arrived_(std::chrono::steady_clock::now()) {}

  void AddToAnswer(http::Headers fields) { more_ = std::move(fields); }
  // Sets the function that Standing asks from then on, in the thread of the exchange, at most every
  // kStandingEvery. Once it failed, that stays. `asked`: when it was true for the last time.
  void SetStanding(std::function<Result<void>()> standing,
                   std::chrono::steady_clock::time_point asked) {
    ask_standing_ = std::move(standing);
    standing_asked_ = asked;
  }
  // Until the answer's head; until now when there is none yet.
  uint64_t MicrosecondsToAnswer() const { return Since(answered_.value_or(Clock::now())); }
  uint64_t MicrosecondsSoFar() const { return Since(Clock::now()); }

  using http::Exchange::request;
  http::Request& request() override { return inner_.request(); }
  Result<size_t> ReadBody(std::span<char> space) override;
  Result<std::string> ReadWholeBody(size_t max_bytes) override;
  Result<std::optional<size_t>> TryReadBody(std::span<char> space) override;
  void SetBodyLimit(uint64_t max_bytes) override { inner_.SetBodyLimit(max_bytes); }
  Result<void> Respond(http::Response response) override;
  Result<void> Begin(int status, http::Headers headers,
                     std::optional<uint64_t> content_length) override;
  Result<void> Write(std::string_view bytes) override;
  Result<void> Finish() override { return inner_.Finish(); }
  Result<void> Standing() override;
  Result<void> FinishWith(std::string_view bytes) override { return inner_.FinishWith(bytes); }
  bool started() const override { return inner_.started(); }
  int status() const override { return inner_.status(); }
  uint64_t bytes_written() const override { return inner_.bytes_written(); }
  int socket() const override { return inner_.socket(); }
  int ending_fd() const override { return inner_.ending_fd(); }
  bool WantsWebSocket() const override { return inner_.WantsWebSocket(); }
  Result<std::unique_ptr<http::WebSocket>> AcceptWebSocket(http::Headers headers) override;
  Result<std::unique_ptr<http::ByteStream>> SwitchProtocols(http::Headers headers) override;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Millis kStandingEvery{250};

  uint64_t Since(Clock::time_point end) const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(end - arrived_).count());
  }
  http::Headers Answer(http::Headers headers);

  http::Exchange& inner_;
  Clock::time_point arrived_;
  std::optional<Clock::time_point> answered_;
  http::Headers more_;
  std::function<Result<void>()> ask_standing_;
  Result<void> standing_;
  Clock::time_point standing_asked_ = arrived_;
};

}  // namespace cay::api
