#include "api/json_response.h"

namespace cay::api {

JsonResponse::JsonResponse(http::Exchange& exchange, int status, http::Headers headers)
    : exchange_(exchange), status_(status), headers_(std::move(headers)) {
  headers_.Set("Content-Type", "application/json");
}

void JsonResponse::Take(std::string& text) {
  if (sent_ && !exchange_.started()) sent_ = exchange_.Begin(status_, headers_);
  if (sent_) sent_ = exchange_.Write(text);
  text.clear();
}

Result<void> JsonResponse::Finish() {
  TRY(std::move(sent_));
  if (exchange_.started()) {
    if (!json_.text().empty()) TRY(exchange_.Write(json_.text()));
    return exchange_.Finish();
  }
  return exchange_.Respond(
      {.status = status_, .headers = std::move(headers_), .body = std::move(json_).Take()});
}

}  // namespace cay::api
