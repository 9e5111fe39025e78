// What comes over the network, as far as our own code parses it: whatever the bytes, parsing ends
// in a value or an error, what was accepted is safe to use, and how the bytes were cut into pieces
// makes no difference.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/client/client.h"
#include "http/server/router.h"
#include "http/server/server.h"
#include "http/wire/chunked.h"
#include "http/wire/gzip.h"
#include "http/wire/head.h"
#include "http/wire/serialize.h"
#include "http/wire/target.h"
#include "http/wire/websocket_frame.h"

namespace {

using cay::http::Headers;

void Check(bool condition) {
  if (!condition) std::abort();
}

const cay::http::Router& TestRouter() {
  static const cay::http::Router router = [] {
    cay::http::Router made;
    const auto nothing = [](cay::http::Exchange&) {};
    made.Add("GET", "/api/sandboxes/{id}/files", nothing);
    made.Add("POST", "/api/sandboxes/all/files", nothing);
    made.Add("*", "/api/sandboxes/{id}/ports/{port}/{rest...}", nothing);
    return made;
  }();
  return router;
}

// Text that was accepted can be sent again: it ends no line.
void CheckPassedOn(const Headers& headers) {
  Check(cay::http::CheckHeaders(headers).has_value());
  static_cast<void>(cay::http::AcceptsGzip(headers));
  static_cast<void>(headers.ListContains("Connection", "close"));
}

void FuzzHeads(std::string_view bytes) {
  size_t scanned = 0;
  const auto end = cay::http::FindHeadEnd(bytes, scanned);
  // Byte by byte it is found at the same place.
  size_t slowly = 0;
  std::optional<size_t> found;
  for (size_t i = 0; i <= std::min<size_t>(bytes.size(), 2048) && !found; ++i) {
    found = cay::http::FindHeadEnd(bytes.substr(0, i), slowly);
  }
  if (end && *end <= 2048) Check(found == end);
  if (!end) return;
  const std::string_view head = bytes.substr(0, *end);
  if (const auto request = cay::http::ParseRequestHead(head, 8192)) {
    CheckPassedOn(request->request.headers);
    const std::string& target = request->request.target;
    Check(std::ranges::none_of(target, [](char c) { return c == ' ' || c == '\r' || c == '\n'; }));
    Check(request->http_1_0 || request->request.headers.Find("Host").has_value());
    static_cast<void>(TestRouter().Find(request->request.method, request->request.path));
  }
  if (const auto response = cay::http::ParseResponseHead(head, "GET")) {
    CheckPassedOn(response->headers);
  }
}

// Decoded at once, and from pieces of `step` bytes into room for `step` bytes.
void FuzzChunks(std::string_view bytes, size_t step) {
  const auto decode = [&](size_t piece) {
    cay::http::ChunkDecoder decoder;
    std::string decoded;
    std::string waiting;
    std::vector<char> room(piece);
    size_t at = 0;
    while (!decoder.done()) {
      const auto done = decoder.Decode(waiting, room);
      if (!done) return std::string("no body");
      Check(done->consumed <= waiting.size() && done->produced <= room.size());
      decoded.append(room.data(), done->produced);
      waiting.erase(0, done->consumed);
      if (done->consumed > 0 || done->produced > 0) continue;
      if (at == bytes.size()) return std::string("no body");  // cut short
      const std::string_view next = bytes.substr(at, piece);
      waiting += next;
      at += next.size();
    }
    return "body: " + decoded;
  };
  const std::string at_once = decode(bytes.size() + 1);
  const std::string in_pieces = decode(step);
  Check(at_once == in_pieces);
}

void FuzzFrames(std::string_view bytes, bool masked) {
  const auto frame = cay::http::ParseFrameHead(bytes, masked);
  if (!frame || !*frame) return;
  Check((*frame)->head_bytes <= bytes.size());
  Check(cay::http::MakeFrameHead(**frame) == bytes.substr(0, (*frame)->head_bytes));
}

void FuzzText(std::string_view text) {
  if (const auto address = cay::http::ListenAddress::Parse(text)) {
    const auto again = cay::http::ListenAddress::Parse(address->ToString());
    Check(again && again->ToString() == address->ToString());
    static_cast<void>(address->loopback());
  }
  if (const auto url = cay::http::Url::Parse(text)) {
    const auto again = cay::http::Url::Parse(url->ToString());
    Check(again && again->ToString() == url->ToString());
  }
  for (const std::string_view method : {"GET", "CONNECT", "OPTIONS"}) {
    const auto target = cay::http::ParseTarget(method, text);
    if (!target) continue;
    const auto match = TestRouter().Find(method, target->path);
    for (const auto& [name, value] : match.captures) {
      Check(value.find('\0') == std::string::npos);
    }
  }
  static_cast<void>(TestRouter().Find("GET", text));
  static_cast<void>(cay::http::IsWebSocketKey(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t step = 1 + data[0] / 8;
  switch (data[0] % 5) {
    case 0:
      FuzzHeads(bytes);
      break;
    case 1:
      FuzzChunks(bytes, step);
      break;
    case 2:
      FuzzFrames(bytes, true);
      break;
    case 3:
      FuzzFrames(bytes, false);
      break;
    default:
      FuzzText(bytes);
      break;
  }
  return 0;
}
