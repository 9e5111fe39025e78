#include "http/wire/chunked.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

constexpr std::ptrdiff_t kMaxSizeDigits = 16;

Error NotInChunks() {
  return {ErrorCode::kProtocol, Fault::kCaller, "the body is not in chunks as RFC 9112 has them"};
}

// A line ends with CR LF, within `room` bytes, and has no other control characters than tabs.
// Without its end; nothing when there is not yet the whole of it.
Result<std::optional<std::string_view>> FindLine(std::string_view bytes, size_t room) {
  const size_t end = bytes.substr(0, room).find('\n');
  if (end == std::string_view::npos && bytes.size() < room) return std::nullopt;
  if (end == std::string_view::npos || end == 0 || bytes[end - 1] != '\r' ||
      !IsFieldText(bytes.substr(0, end - 1))) {
    return Failure(NotInChunks());
  }
  return bytes.substr(0, end - 1);
}

// Extensions are read over, whatever they say: nobody asks for one (7.1.1).
Result<uint64_t> ParseSize(std::string_view line) {
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  const std::string_view rest = line.substr(static_cast<size_t>(end - line.data()));
  const bool is_size = error == std::errc() && end - line.data() <= kMaxSizeDigits;
  if (is_size && (rest.empty() || Trim(rest).starts_with(';'))) return size;
  return Failure(NotInChunks());
}

// Those that say where a message ends are none for a trailer (RFC 9110, 6.5.1).
Result<void> CheckTrailer(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(':'));
  if (name.size() < line.size() && IsFieldName(name) &&
      !EqualsIgnoringCase(name, "Content-Length") &&
      !EqualsIgnoringCase(name, "Transfer-Encoding")) {
    return {};
  }
  return Failure(NotInChunks());
}

}  // namespace

Result<ChunkDecoder::Step> ChunkDecoder::Decode(std::string_view input, std::span<char> space) {
  Step step;
  while (!done() && step.consumed < input.size() && step.produced < space.size()) {
    const std::string_view rest = input.substr(step.consumed);
    if (next_ == Next::kData) {
      const auto size = static_cast<size_t>(
          std::min<uint64_t>({rest.size(), space.size() - step.produced, left_}));
      rest.copy(space.data() + step.produced, size);
      step.consumed += size;
      step.produced += size;
      left_ -= size;
      if (left_ == 0) Expect(Next::kDataEnd, kChunkEnd.size());
      continue;
    }
    const std::optional<std::string_view> line = TRY(FindLine(rest, room_));
    if (!line) break;
    TRY(TakeLine(*line));
    step.consumed += line->size() + kChunkEnd.size();
  }
  return step;
}

Result<void> ChunkDecoder::TakeLine(std::string_view line) {
  if (next_ == Next::kDataEnd) {
    Expect(Next::kSize, kMaxOverhead);
  } else if (next_ == Next::kSize) {
    left_ = TRY(ParseSize(line));
    Expect(left_ == 0 ? Next::kTrailer : Next::kData, kMaxOverhead);
  } else if (line.empty()) {
    next_ = Next::kNothing;
  } else {
    TRY(CheckTrailer(line));
    room_ -= line.size() + kChunkEnd.size();
  }
  return {};
}

std::string ChunkHead(size_t bytes) {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), bytes, 16);
  return std::string(digits.data(), end) + "\r\n";
}

}  // namespace cay::http
