// Head: the first part of a message, from its bytes. Parsed by Boost.Beast, after the checks that
// keep two servers from reading one message differently (request smuggling: RFC 9112, 2.2, 5.2,
// 6.1, 6.3, 11.2). Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace cay::http {

// How a message's body is delimited.
enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

// Looks for the empty line that ends a head. `scanned` is where the last search ended, and is moved
// on. The length of the head, the empty line included; nothing when it is not there yet.
std::optional<size_t> FindHeadEnd(std::string_view bytes, size_t& scanned);

// A head that was refused: the status to answer with, and why, in words without quotes or input.
struct HeadError {
  int status;
  std::string_view detail;
};

struct RequestHead {
  Request request;  // without peer and id
  Framing framing = Framing::kNone;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
};
// `head` ends with its empty line.
std::expected<RequestHead, HeadError> ParseRequestHead(std::string_view head,
                                                       size_t max_target_bytes);

struct ResponseHead {
  int status = 0;
  Headers headers;
  Framing framing = Framing::kNone;
  std::optional<uint64_t> content_length;  // as announced, also for HEAD
  bool keep_alive = true;
};
// `method`: of the request that it answers.
std::expected<ResponseHead, HeadError> ParseResponseHead(std::string_view head,
                                                         std::string_view method);

}  // namespace cay::http
