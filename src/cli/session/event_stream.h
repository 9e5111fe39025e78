// EventStreamParser: the bytes of a text/event-stream, in pieces of any size, into events (WHATWG
// HTML, 9.2.6). Pure; bounded whatever the bytes are.
//
//   EventStreamParser parser;
//   TRY(parser.Feed(bytes));
//   while (std::optional<ServerEvent> event = parser.Next()) …
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::cli {

struct ServerEvent {
  std::string type = "message";
  std::string data;
  std::string id;  // the last that was sent in the stream, with this event or before it
  bool operator==(const ServerEvent&) const = default;
};

class EventStreamParser {
 public:
  // Of one event: its data and the line that is being read. What Feed was given at once may be held
  // besides.
  static constexpr size_t kMaxEventBytes = 4 << 20;

  // kProtocol when an event is longer than the bound; then the parser is of no more use.
  Result<void> Feed(std::string_view bytes);

  std::optional<ServerEvent> Next();

 private:
  Result<void> TakeLine(std::string_view line);
  void Dispatch();

  std::string line_;  // begun, without its end
  bool after_carriage_return_ = false;
  bool at_start_ = true;  // where a byte order mark may stand
  bool has_data_ = false;
  std::string type_;
  std::string data_;
  std::string id_;
  std::deque<ServerEvent> ready_;
};

}  // namespace cay::cli
