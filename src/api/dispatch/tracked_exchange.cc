#include "api/dispatch/tracked_exchange.h"

namespace cay::api {

http::Headers TrackedExchange::Answer(http::Headers headers) {
  if (!answered_) answered_ = Clock::now();
  for (const auto& [name, value] : more_.fields()) headers.Add(name, value);
  return headers;
}

Result<void> TrackedExchange::Respond(http::Response response) {
  response.headers = Answer(std::move(response.headers));
  return inner_.Respond(std::move(response));
}

Result<void> TrackedExchange::Begin(int status, http::Headers headers,
                                    std::optional<uint64_t> content_length) {
  return inner_.Begin(status, Answer(std::move(headers)), content_length);
}

Result<void> TrackedExchange::Standing() {
  if (!ask_standing_ || !standing_) return standing_;
  const auto now = Clock::now();
  if (now - standing_asked_ < kStandingEvery) return {};
  standing_asked_ = now;
  standing_ = ask_standing_();
  return standing_;
}

Result<size_t> TrackedExchange::ReadBody(std::span<char> space) {
  TRY(Standing());
  return inner_.ReadBody(space);
}

Result<std::optional<size_t>> TrackedExchange::TryReadBody(std::span<char> space) {
  TRY(Standing());
  return inner_.TryReadBody(space);
}

Result<std::string> TrackedExchange::ReadWholeBody(size_t max_bytes) {
  TRY(Standing());
  return inner_.ReadWholeBody(max_bytes);
}

Result<void> TrackedExchange::Write(std::string_view bytes) {
  TRY(Standing());
  return inner_.Write(bytes);
}

Result<std::unique_ptr<http::WebSocket>> TrackedExchange::AcceptWebSocket(http::Headers headers) {
  return inner_.AcceptWebSocket(Answer(std::move(headers)));
}

Result<std::unique_ptr<http::ByteStream>> TrackedExchange::SwitchProtocols(http::Headers headers) {
  return inner_.SwitchProtocols(Answer(std::move(headers)));
}

}  // namespace cay::api
