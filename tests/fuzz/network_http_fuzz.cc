// Beginnings of requests in the clear: whatever the bytes, more of them never change an answer, and
// where the server's own parser of HTTP takes a head as well, it is for the same host.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http/wire/head.h"
#include "network/wire/http_head.h"

namespace {

using cay::network::Peek;
using cay::network::ReadRequestHead;
using cay::network::RequestHead;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckHost(std::string_view host) {
  Check(host.size() <= RequestHead::kMaxHost);
  Check(std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:").find(c) != std::string_view::npos;
  }));
}

void CheckAgainstTheServers(std::string_view head, std::string_view host) {
  const auto parsed = cay::http::ParseRequestHead(head, head.size());
  if (!parsed) return;
  const auto field = parsed->request.headers.Find("Host");
  if (!field) return Check(host.empty());
  const std::string theirs = cay::Lower(*field);
  const bool in_brackets = host.find(':') != std::string_view::npos;
  const std::string ours = in_brackets ? "[" + std::string(host) + "]" : std::string(host);
  Check(theirs == ours ||
        (theirs.starts_with(ours + ":") &&
         theirs.find_first_not_of("0123456789", ours.size() + 1) == std::string::npos));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestHead head;
  const Peek whole = ReadRequestHead(bytes, head);
  for (size_t at = 0; at < bytes.size(); at += 1 + at / 32) {
    RequestHead early;
    const Peek peek = ReadRequestHead(bytes.substr(0, at), early);
    Check(peek == Peek::kMore || (peek == whole && early.host == head.host));
  }
  Check(whole != Peek::kMore || bytes.size() < cay::network::kMaxPeek);
  if (whole != Peek::kFound) {
    Check(head.host.empty());
    return 0;
  }
  const size_t end = bytes.find("\r\n\r\n");
  Check(end != std::string_view::npos);
  CheckHost(head.host);
  CheckAgainstTheServers(bytes.substr(0, end + 4), head.host);
  return 0;
}
