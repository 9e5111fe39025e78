// A server's event stream: whatever its bytes, and however they are cut, parsing ends in the same
// events, or in the same refusal.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "cli/session/event_stream.h"

namespace {

std::vector<cay::cli::ServerEvent> Parse(std::string_view bytes, size_t piece, bool& refused) {
  cay::cli::EventStreamParser parser;
  std::vector<cay::cli::ServerEvent> events;
  refused = false;
  while (!bytes.empty() && !refused) {
    refused = !parser.Feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (auto event = parser.Next()) events.push_back(*std::move(event));
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool refused = false;
  bool refused_in_pieces = false;
  const auto whole = Parse(bytes, bytes.size() + 1, refused);
  const auto in_pieces = Parse(bytes, piece, refused_in_pieces);
  if (refused != refused_in_pieces || whole != in_pieces) std::abort();
  return 0;
}
