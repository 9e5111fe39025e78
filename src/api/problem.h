// Problem documents (RFC 9457): an Error as an HTTP response.
//
//   if (auto done = route.operation(exchange, caller); !done && !exchange.started())
//     (void)exchange.Respond(ProblemResponse(done.error(), exchange.request().id));
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/units.h"
#include "http/message.h"

namespace cay::api {

inline constexpr std::string_view kProblemType = "application/problem+json";

// The status of an error: by its code, and by whose fault it is. See docs/api.md.
int StatusOf(const Error& error);

// Seconds after which a 503, or a 429 that passes (Error::Busy), is worth another try, where
// nothing better is known.
inline constexpr uint32_t kDefaultRetryAfter = 1;

struct ProblemOptions {
  std::string_view request_id = {};
  std::optional<int> status = std::nullopt;  // instead of StatusOf: 401, 405, 413 …
  std::optional<uint32_t> retry_after =
      std::nullopt;  // seconds; without it kDefaultRetryAfter, where waiting helps
};

// The JSON object.
std::string ProblemJson(const Error& error, const ProblemOptions& options);

// The response: that object, its type, and Retry-After where it belongs.
http::Response ProblemResponse(const Error& error, const ProblemOptions& options);
inline http::Response ProblemResponse(const Error& error, std::string_view request_id) {
  return ProblemResponse(error, ProblemOptions{.request_id = request_id});
}

// Errors that are 413 and 416: kLimitTooHigh and kInvalidArgument, told apart by their sys_errno.
Error BodyTooLarge(Bytes max_bytes);
Error RangeNotSatisfiable(Bytes size);

}  // namespace cay::api
