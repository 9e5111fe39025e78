#include "api/sse.h"

#include <algorithm>

#include "api/problem.h"

namespace cay::api {

using Clock = std::chrono::steady_clock;

std::string FormatSseEvent(std::string_view type, std::string_view data,
                           std::optional<uint64_t> id) {
  std::string text = "event: " + std::string(type) + "\n";
  if (id) text += "id: " + std::to_string(*id) + "\n";
  text += "data: ";
  text += data;
  text += "\n\n";
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
