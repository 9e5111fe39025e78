#include "http/exchange.h"

#include <poll.h>

#include <algorithm>

namespace cay::http {

Result<std::string> Exchange::ReadWholeBody(size_t max_bytes) {
  constexpr size_t kFirst = size_t{16} * 1024;
  constexpr size_t kLargest = size_t{1024} * 1024;
  const uint64_t announced = request().content_length.value_or(0);
  const auto too_large = [&] {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the request body is over the maximum of " + HumanBytes(max_bytes))
                       .WithRemedy("send at most " + std::to_string(max_bytes) + " bytes"));
  };
  if (announced > max_bytes) return too_large();
  std::string body;
  size_t used = 0;
  for (;;) {
    // Memory follows what has come, not what was announced.
    const size_t step = std::clamp(used, kFirst, kLargest);
    if (body.size() - used < step) body.resize(used + step);
    const size_t got = TRY(ReadBody(std::span(body).subspan(used)));
    if (got == 0) break;
    used += got;
    if (used > max_bytes) return too_large();
  }
  body.resize(used);
  return body;
}

Result<void> Exchange::FinishWith(std::string_view bytes) {
  TRY(Write(bytes));
  return Finish();
}

bool Exchange::ClientGone() const {
  pollfd waited = {.fd = socket(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&waited, 1, 0) > 0 && (waited.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Exchange::Ending() const {
  pollfd waited = {.fd = ending_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, 0) > 0;
}

}  // namespace cay::http
