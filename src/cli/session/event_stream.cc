#include "cli/session/event_stream.h"

#include <algorithm>
#include <utility>

namespace cay::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

Error TooLong() {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the server sent an event of more than " +
              std::to_string(EventStreamParser::kMaxEventBytes) + " bytes"};
}

}  // namespace

Result<void> EventStreamParser::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    // A line ends with CR LF, LF or CR; of a CR LF that was cut in two the LF comes here.
    if (std::exchange(after_carriage_return_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const auto* end = std::ranges::find_if(bytes, [](char c) { return c == '\n' || c == '\r'; });
    const auto length = static_cast<size_t>(end - bytes.begin());
    if (line_.size() + data_.size() + length > kMaxEventBytes) return Failure(TooLong());
    if (end == bytes.end()) {
      line_.append(bytes);
      return {};
    }
    after_carriage_return_ = *end == '\r';
    if (line_.empty()) {
      TRY(TakeLine(bytes.substr(0, length)));
    } else {
      line_.append(bytes.substr(0, length));
      TRY(TakeLine(line_));
      line_.clear();
    }
    bytes.remove_prefix(length + 1);
  }
  return {};
}

Result<void> EventStreamParser::TakeLine(std::string_view line) {
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  if (line.empty()) {
    Dispatch();
    return {};
  }
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) data_.push_back('\n');
    has_data_ = true;
    data_.append(value);
    // The line's own length was counted; the newline between lines was not.
    if (data_.size() > kMaxEventBytes) return Failure(TooLong());
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id" && !value.contains('\0')) {
    id_ = value;
  }
  // Comments (an empty name), "retry" and what is not known are ignored, as the standard says.
  return {};
}

void EventStreamParser::Dispatch() {
  if (has_data_) {
    ServerEvent event;
    if (!type_.empty()) event.type = std::move(type_);
    event.data = std::move(data_);
    event.id = id_;
    ready_.push_back(std::move(event));
  }
  has_data_ = false;
  type_.clear();
  data_.clear();
}

std::optional<ServerEvent> EventStreamParser::Next() {
  if (ready_.empty()) return std::nullopt;
  ServerEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

}  // namespace cay::cli
