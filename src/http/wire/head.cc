#include "http/wire/head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "http/wire/target.h"

namespace cay::http {
namespace {

namespace beast = boost::beast;
using Unexpected = std::unexpected<HeadError>;

std::string ToString(beast::string_view text) { return {text.data(), text.size()}; }

Unexpected Refuse(int status, std::string_view detail) { return Unexpected({status, detail}); }

// What Beast is lenient about, or joins together: lines end with CR LF and nothing else, none is
// continued, and no control characters are in them.
std::optional<HeadError> CheckLines(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    const auto byte = static_cast<unsigned char>(head[i]);
    if (byte == '\r') {
      if (i + 1 >= head.size() || head[i + 1] != '\n') return HeadError{400, "a bare CR"};
      ++i;
      const bool folded = i + 1 < head.size() && (head[i + 1] == ' ' || head[i + 1] == '\t');
      if (folded) return HeadError{400, "a header field that is continued on the next line"};
    } else if (byte == '\n') {
      return HeadError{400, "a line that does not end with CR LF"};
    } else if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
      return HeadError{400, "a control character"};
    }
  }
  return std::nullopt;
}

template <class Parser>
std::optional<HeadError> Feed(Parser& parser, std::string_view head) {
  if (const auto error = CheckLines(head)) return error;
  parser.eager(false);
  parser.body_limit(boost::none);
  parser.header_limit(static_cast<std::uint32_t>(head.size()));
  beast::error_code error;
  const size_t used = parser.put(boost::asio::buffer(head.data(), head.size()), error);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (error == beast::http::error::bad_version && std::ranges::count(line, ' ') == 2 &&
      line.find(" HTTP/") != std::string_view::npos) {
    return HeadError{505, "this server speaks HTTP/1.1"};
  }
  if (error || !parser.is_header_done() || used != head.size()) {
    return HeadError{400, "not a request line and header fields as RFC 9112 has them"};
  }
  return std::nullopt;
}

template <class Message>
Headers CopyHeaders(const Message& message) {
  Headers headers;
  for (const auto& field : message) {
    headers.Add(ToString(field.name_string()), ToString(field.value()));
  }
  return headers;
}

size_t Count(const Headers& headers, std::string_view name) {
  return static_cast<size_t>(std::ranges::count_if(
      headers.fields(), [&](const auto& field) { return EqualsIgnoringCase(field.first, name); }));
}

struct BodyFraming {
  Framing framing = Framing::kNone;
  uint64_t length = 0;
  bool given = false;  // by one of the two fields
};

// RFC 9112, 6.3, without its leniency.
std::expected<BodyFraming, HeadError> FindFraming(const Headers& headers, bool http_1_0) {
  BodyFraming found;
  const size_t lengths = Count(headers, "Content-Length");
  const size_t codings = Count(headers, "Transfer-Encoding");
  if (lengths + codings == 0) return found;
  found.given = true;
  if (lengths + codings > 1) {
    return Refuse(400, "more than one Content-Length or Transfer-Encoding");
  }
  if (codings == 1) {
    if (http_1_0) return Refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (!EqualsIgnoringCase(*headers.Find("Transfer-Encoding"), "chunked")) {
      return Refuse(400, "a Transfer-Encoding other than chunked");
    }
    found.framing = Framing::kChunked;
    return found;
  }
  const std::string_view text = *headers.Find("Content-Length");
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), found.length);
  if (!digits || error != std::errc() || end != text.data() + text.size() ||
      found.length > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Refuse(400, "a malformed Content-Length");
  }
  found.framing = Framing::kLength;
  return found;
}

bool KeepsAlive(const Headers& headers, bool http_1_0) {
  if (headers.ListContains("Connection", "close")) return false;
  return !http_1_0 || headers.ListContains("Connection", "keep-alive");
}

std::optional<HeadError> CheckHost(RequestHead& parsed, const Target& target) {
  Headers& headers = parsed.request.headers;
  const size_t hosts = Count(headers, "Host");
  if (hosts > 1) return HeadError{400, "more than one Host"};
  if (hosts == 0 && !parsed.http_1_0) return HeadError{400, "no Host"};
  if (hosts == 1 && !IsHost(*headers.Find("Host"))) return HeadError{400, "a malformed Host"};
  // RFC 9112, 3.2.2: the target's authority is the one that counts.
  if (!target.authority.empty()) headers.Set("Host", target.authority);
  return std::nullopt;
}

}  // namespace

std::optional<size_t> FindHeadEnd(std::string_view bytes, size_t& scanned) {
  const size_t end = bytes.find("\r\n\r\n", scanned);
  if (end != std::string_view::npos) return end + 4;
  scanned = bytes.size() > 3 ? bytes.size() - 3 : 0;
  return std::nullopt;
}

std::expected<RequestHead, HeadError> ParseRequestHead(std::string_view head,
                                                       size_t max_target_bytes) {
  const size_t method_end = head.find(' ');
  if (method_end != std::string_view::npos) {
    const size_t target_end = head.find(' ', method_end + 1);
    const size_t length =
        (target_end == std::string_view::npos ? head.size() : target_end) - method_end - 1;
    if (length > max_target_bytes) return Refuse(414, "the request target is too long");
  }
  beast::http::request_parser<beast::http::empty_body> parser;
  if (const auto error = Feed(parser, head)) return Unexpected(*error);
  const auto& message = parser.get();

  RequestHead parsed;
  parsed.http_1_0 = message.version() == 10;
  Request& request = parsed.request;
  request.method = ToString(message.method_string());
  request.target = ToString(message.target());
  request.headers = CopyHeaders(message);

  auto target = ParseTarget(request.method, request.target);
  if (!target) return Refuse(400, "the request target is not as RFC 9112 has it");
  if (const auto error = CheckHost(parsed, *target)) return Unexpected(*error);
  request.path = std::move(target->path);
  request.query = std::move(target->query);

  const auto framing = FindFraming(request.headers, parsed.http_1_0);
  if (!framing) return Unexpected(framing.error());
  parsed.framing = framing->framing;
  if (parsed.framing == Framing::kLength) {
    request.content_length = framing->length;
    if (framing->length == 0) parsed.framing = Framing::kNone;
  }
  request.has_body = parsed.framing != Framing::kNone;
  parsed.keep_alive = KeepsAlive(request.headers, parsed.http_1_0);
  if (const auto expect = request.headers.Find("Expect"); expect && !parsed.http_1_0) {
    if (!EqualsIgnoringCase(*expect, "100-continue"))
      return Refuse(417, "an Expect other than 100-continue");
    parsed.expects_continue = request.has_body;
  }
  return parsed;
}

std::expected<ResponseHead, HeadError> ParseResponseHead(std::string_view head,
                                                         std::string_view method) {
  beast::http::response_parser<beast::http::empty_body> parser;
  if (const auto error = Feed(parser, head)) return Unexpected(*error);
  const auto& message = parser.get();
  ResponseHead parsed;
  parsed.status = static_cast<int>(message.result_int());
  parsed.headers = CopyHeaders(message);
  if (parsed.status < 100 || parsed.status > 999) return Refuse(502, "a malformed status");
  const bool http_1_0 = message.version() == 10;
  parsed.keep_alive = KeepsAlive(parsed.headers, http_1_0);
  const auto framing = FindFraming(parsed.headers, http_1_0);
  if (!framing) return Unexpected(framing.error());
  if (framing->framing == Framing::kLength) parsed.content_length = framing->length;
  const bool never = method == "HEAD" || parsed.status < 200 || parsed.status == 204 ||
                     parsed.status == 304 || (method == "CONNECT" && parsed.status < 300);
  if (never) return parsed;
  parsed.framing = framing->given ? framing->framing : Framing::kUntilClose;
  if (parsed.framing == Framing::kUntilClose) parsed.keep_alive = false;
  if (parsed.framing == Framing::kLength && framing->length == 0) {
    parsed.framing = Framing::kNone;
  }
  return parsed;
}

}  // namespace cay::http
