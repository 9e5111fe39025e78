#include "api/sse.h"

#include <algorithm>

#include "api/problem.h"

namespace cay::api {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::string_view kEventEnd = "\n\n";

void AppendEventHead(std::string& text, std::string_view type, std::optional<uint64_t> id) {
  text += "event: ";
  text += type;
  if (id) text += "\nid: " + std::to_string(*id);
  text += "\ndata: ";
}

}  // namespace

std::string FormatSseEvent(std::string_view type, std::string_view data,
                           std::optional<uint64_t> id) {
  std::string text;
  AppendEventHead(text, type, id);
  text += data;
  text += kEventEnd;
  return text;
}

Result<std::optional<uint64_t>> ResumePoint(const http::Request& request, std::string_view name) {
  const auto header = request.headers.Find("Last-Event-ID");
  const auto text = header ? header : request.Query(name);
  if (!text || text->empty()) return std::nullopt;
  const auto number = ParseUnsigned(*text);
  if (!number) {
    return Failure(
        Error(number.error()).WithContext(header ? std::string_view("Last-Event-ID") : name));
  }
  return *number;
}

SseStream::SseStream(http::Exchange& exchange) : exchange_(&exchange), last_write_(Clock::now()) {}

Result<SseStream> SseStream::Begin(http::Exchange& exchange) {
  // X-Accel-Buffering: nginx would hold events back otherwise.
  TRY(exchange.Begin(200, {{"Content-Type", "text/event-stream"},
                           {"Cache-Control", "no-store"},
                           {"X-Accel-Buffering", "no"}}));
  return SseStream(exchange);
}

Result<void> SseStream::Write(std::string_view text) {
  TRY(exchange_->Write(text));
  last_write_ = Clock::now();
  return {};
}

Result<void> SseStream::Send(std::string_view type, std::string_view data,
                             std::optional<uint64_t> id) {
  return Write(FormatSseEvent(type, data, id));
}

JsonWriter SseStream::BeginEvent(std::string_view type, std::optional<uint64_t> id) {
  event_.clear();
  AppendEventHead(event_, type, id);
  return JsonWriter(std::move(event_), this);
}

Result<void> SseStream::SendEvent(JsonWriter event) {
  event_ = std::move(event).Take();
  event_ += kEventEnd;
  TRY(std::exchange(taken_, {}));
  return Write(event_);
}

void SseStream::Take(std::string& text) {
  if (taken_) taken_ = Write(text);
  text.clear();
}

Millis SseStream::UntilPing() const {
  const auto due = last_write_ + kPingInterval;
  return std::clamp(std::chrono::ceil<Millis>(due - Clock::now()), Millis(0),
                    http::Exchange::kStandingInterval);
}

Result<void> SseStream::PingIfQuiet() {
  TRY(exchange_->Standing());
  return UntilPing() > Millis(0) ? Result<void>() : Write(": ping\n\n");
}

Result<void> SseStream::End(std::string_view type, std::string_view data) {
  return exchange_->FinishWith(FormatSseEvent(type, data, std::nullopt));
}

Result<void> SseStream::EndWithError(const Error& error) {
  return End("error", ProblemJson(error, {.request_id = exchange_->request().id}));
}

}  // namespace cay::api
