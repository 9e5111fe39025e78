#include "cli/session/event_source.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "cli/frame/console.h"

namespace cay::cli {
namespace {

constexpr Millis kFirstDelay{100};
constexpr Millis kLongestDelay{2000};

}  // namespace

Result<std::optional<ServerEvent>> EventSource::Next() {
  if (std::optional<ServerEvent> event = TakeParsed()) return event;
  if (ended_) return std::nullopt;
  if (!response_) {
    if (Clock::now() >= retry_at_) TRY(Connect());
    return std::nullopt;
  }
  std::array<char, 64 * 1024> buffer;
  const Result<std::optional<size_t>> got = response_->TryRead(buffer);
  drained_ = got && !*got;
  if (drained_) {
    if (Clock::now() - heard_at_ < kSilence) return std::nullopt;
    TRY(Lost(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server stopped sending")));
    return std::nullopt;
  }
  if (!got || (**got == 0 && !ends_)) {
    TRY(Lost(got ? Error(ErrorCode::kUnavailable, Fault::kMachine, "the stream was cut")
                 : got.error()));
    return std::nullopt;
  }
  ended_ = **got == 0;
  heard_at_ = Clock::now();
  // Not at the connect: a server that only accepts would be tried for ever.
  if (lost_at_) Note("connected again");
  lost_at_.reset();
  delay_ = Millis(0);
  TRY(parser_.Feed(std::string_view(buffer.data(), **got)));
  return TakeParsed();
}

std::optional<ServerEvent> EventSource::TakeParsed() {
  std::optional<ServerEvent> event = parser_.Next();
  // The parser of a new connection knows no id yet: an event that has none changes nothing.
  if (event && !event->id.empty()) last_id_ = event->id;
  return event;
}

Result<void> EventSource::Connect() {
  Result<std::unique_ptr<http::ClientResponse>> opened = open_(last_id_);
  if (!opened) {
    if (opened.error().code() != ErrorCode::kUnavailable || !ever_connected_) {
      return Failure(std::move(opened).error());
    }
    return Lost(std::move(opened).error());
  }
  response_ = *std::move(opened);
  drained_ = false;
  ever_connected_ = true;
  heard_at_ = Clock::now();
  return {};
}

Result<void> EventSource::Lost(Error error) {
  response_.reset();
  parser_ = EventStreamParser();  // half an event comes again
  const Clock::time_point now = Clock::now();
  if (!lost_at_) {
    lost_at_ = now;
    Note("the connection was lost (" + error.message() + "); trying again");
  }
  if (now - *lost_at_ >= patience_) return Failure(std::move(error));
  delay_ = std::clamp(delay_ * 2, kFirstDelay, kLongestDelay);
  retry_at_ = now + std::min(delay_, patience_);
  return {};
}

int EventSource::WaitMillis() const {
  const Clock::time_point until = response_ ? heard_at_ + kSilence : retry_at_;
  if (response_ && !drained_) return 0;
  const auto left = std::chrono::ceil<Millis>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, kSilence.count()));
}

void EventSource::Wait() const {
  pollfd polled{fd(), POLLIN, 0};
  ::poll(&polled, 1, WaitMillis());
}

}  // namespace cay::cli
