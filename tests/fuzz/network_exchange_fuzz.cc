// Requests and answers through the relay's exchange, in pieces: whatever comes, its queues are
// bounded, what goes to the server reads again as requests to the one host, without ambiguity, and
// a value goes out in their headers only.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http/wire/head.h"
#include "network/intercept/http_exchange.h"

namespace {

using cay::network::Credentials;
using cay::network::HttpExchange;

constexpr std::string_view kValue = "THE-V4LUE";

void Check(bool condition) {
  if (!condition) std::abort();
}

const Credentials& Secrets() {
  static const Credentials credentials = [] {
    auto compiled = Credentials::Compile({{.name = "a",
                                           .hosts = {"a.example"},
                                           .placeholder = "cay-secret-" + std::string(32, 'a'),
                                           .value = std::string(kValue)},
                                          {.name = "b",
                                           .hosts = {"b.example"},
                                           .placeholder = "cay-secret-" + std::string(32, 'b'),
                                           .value = "B-V4LUE"}});
    Check(compiled.has_value());
    return *std::move(compiled);
  }();
  return credentials;
}

// All of it, read as the server would: heads with their bodies, one after the other.
void CheckRequests(std::string_view sent) {
  while (!sent.empty()) {
    size_t scanned = 0;
    const auto end = cay::http::FindHeadEnd(sent, scanned);
    Check(end.has_value());
    const auto head = cay::http::ParseRequestHead(sent.substr(0, *end), sent.size());
    Check(head.has_value());
    const std::string host = cay::Lower(*head->request.headers.Find("Host"));
    Check(host == "a.example" || host == "a.example:443");
    Check(head->request.target.find(kValue) == std::string::npos);
    sent.remove_prefix(*end);
    if (head->framing == cay::http::Framing::kLength) {
      const size_t length =
          static_cast<size_t>(std::min<uint64_t>(*head->request.content_length, sent.size()));
      sent.remove_prefix(length);
    } else if (head->framing == cay::http::Framing::kChunked) {
      cay::http::ChunkDecoder chunks;
      std::array<char, 4096> space;
      while (!chunks.done()) {
        const auto step = chunks.Decode(sent, space);
        Check(step.has_value());
        if (step->consumed == 0 && step->produced == 0) return;  // not whole yet
        sent.remove_prefix(step->consumed);
      }
    }
  }
}

}  // namespace

// The input: pieces, each a byte (its highest bit: of the server) of length, and so many bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  HttpExchange exchange(Secrets(), "a.example", 443);
  std::string sent;
  while (!rest.empty() && !exchange.over()) {
    const auto kind = static_cast<uint8_t>(rest.front());
    rest.remove_prefix(1);
    const std::string_view piece = rest.substr(0, kind & 0x7fU);
    rest.remove_prefix(piece.size());
    const bool of_the_server = (kind & 0x80U) != 0;
    if (of_the_server && exchange.WantsUpstream()) exchange.upstream_in += piece;
    if (!of_the_server && exchange.WantsClient()) exchange.client_in += piece;
    exchange.Pump();
    Check(exchange.client_out.size() <= 2 * HttpExchange::kMaxQueued);
    Check(exchange.upstream_out.size() <= 2 * HttpExchange::kMaxQueued);
    if (exchange.tunnel()) return 0;
    sent += exchange.upstream_out;
    exchange.upstream_out.clear();
    exchange.client_out.clear();
  }
  CheckRequests(sent);
  return 0;
}
