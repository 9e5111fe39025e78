#include "protocol/cbor.h"
#include "base/encoding.h"

namespace cay::protocol {
namespace {

// Major types, RFC 8949 section 3.1.
constexpr unsigned kUnsigned = 0;
constexpr unsigned kNegative = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kText = 3;
constexpr unsigned kArray = 4;
constexpr unsigned kMap = 5;
constexpr unsigned kSimple = 7;
constexpr char kFalse = static_cast<char>(kSimple << 5 | 20);
constexpr char kTrue = static_cast<char>(kSimple << 5 | 21);

Failure Malformed(const char* what) {
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kMachine, std::string("malformed message: ") + what));
}

}  // namespace

void CborWriter::Head(unsigned major, uint64_t value) {
  const auto tag = [&](unsigned info) { out_.push_back(static_cast<char>(major << 5 | info)); };
  int bytes = 0;
  if (value < 24) {
    tag(static_cast<unsigned>(value));
  } else if (value <= 0xff) {
    tag(24);
    bytes = 1;
  } else if (value <= 0xffff) {
    tag(25);
    bytes = 2;
  } else if (value <= 0xffffffff) {
    tag(26);
    bytes = 4;
  } else {
    tag(27);
    bytes = 8;
  }
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out_.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

CborWriter& CborWriter::Unsigned(uint64_t value) {
  Head(kUnsigned, value);
  return *this;
}

CborWriter& CborWriter::Signed(int64_t value) {
  if (value >= 0) {
    Head(kUnsigned, static_cast<uint64_t>(value));
  } else {
    Head(kNegative, ~static_cast<uint64_t>(value));  // -1 - value
  }
  return *this;
}

CborWriter& CborWriter::Bytes(std::string_view value) {
  Head(kBytes, value.size());
  out_.append(value);
  return *this;
}

CborWriter& CborWriter::Text(std::string_view value) {
  Head(kText, value.size());
  out_.append(value);
  return *this;
}

CborWriter& CborWriter::Bool(bool value) {
  out_.push_back(value ? kTrue : kFalse);
  return *this;
}

CborWriter& CborWriter::Array(size_t count) {
  Head(kArray, count);
  return *this;
}

CborWriter& CborWriter::Map(size_t pairs) {
  Head(kMap, pairs);
  return *this;
}

CborWriter& CborWriter::Encoded(std::string_view items) {
  out_.append(items);
  return *this;
}

Result<uint64_t> CborReader::Head(unsigned major) {
  if (rest_.empty()) return Malformed("it ends too soon");
  const auto initial = static_cast<unsigned char>(rest_.front());
  if (static_cast<unsigned>(initial >> 5) != major) return Malformed("an item of another type");
  const unsigned info = initial & 0x1f;
  if (info < 24) {
    rest_.remove_prefix(1);
    return info;
  }
  if (info > 27) return Malformed("an indefinite or reserved length");
  const size_t bytes = size_t{1} << (info - 24);
  if (rest_.size() < 1 + bytes) return Malformed("it ends too soon");
  uint64_t value = 0;
  for (size_t i = 1; i <= bytes; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
  const uint64_t smallest = info == 24 ? 24 : uint64_t{1} << (bytes * 4);
  if (value < smallest) return Malformed("an integer that is not in its shortest form");
  rest_.remove_prefix(1 + bytes);
  return value;
}

Result<std::string_view> CborReader::Take(uint64_t bytes, size_t max_bytes) {
  if (bytes > max_bytes) return Malformed("a string over its limit");
  if (bytes > rest_.size()) return Malformed("it ends too soon");
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

Result<uint64_t> CborReader::Unsigned(uint64_t max) {
  const uint64_t value = TRY(Head(kUnsigned));
  if (value > max) return Malformed("a number over its limit");
  return value;
}

Result<int64_t> CborReader::Signed() {
  if (rest_.empty()) return Malformed("it ends too soon");
  const bool negative = static_cast<unsigned char>(rest_.front()) >> 5 == kNegative;
  const uint64_t value = TRY(Head(negative ? kNegative : kUnsigned));
  if (value > INT64_MAX) return Malformed("a number over its limit");
  return negative ? -1 - static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

Result<std::string_view> CborReader::Bytes(size_t max_bytes) {
  return Take(TRY(Head(kBytes)), max_bytes);
}

Result<std::string_view> CborReader::Text(size_t max_bytes) {
  const std::string_view text = TRY(Take(TRY(Head(kText)), max_bytes));
  if (!IsUtf8(text)) return Malformed("text that is not UTF-8");
  return text;
}

Result<bool> CborReader::Bool() {
  if (rest_.empty()) return Malformed("it ends too soon");
  const char item = rest_.front();
  if (item != kTrue && item != kFalse) return Malformed("an item of another type");
  rest_.remove_prefix(1);
  return item == kTrue;
}

Result<size_t> CborReader::Array(size_t max_count) {
  const uint64_t count = TRY(Head(kArray));
  if (count > max_count) return Malformed("an array over its limit");
  if (count > rest_.size()) return Malformed("it ends too soon");
  return count;
}

Result<size_t> CborReader::Map(size_t max_pairs) {
  const uint64_t pairs = TRY(Head(kMap));
  if (pairs > max_pairs) return Malformed("a map over its limit");
  if (pairs > rest_.size() / 2) return Malformed("it ends too soon");
  return pairs;
}

// Counts what is still to come instead of recursing. An item takes at least a byte, so that the
// count is bounded by what was sent.
Result<void> CborReader::Skip() {
  for (uint64_t items = 1; items > 0; --items) {
    if (rest_.empty()) return Malformed("it ends too soon");
    const unsigned major = static_cast<unsigned char>(rest_.front()) >> 5;
    switch (major) {
      case kUnsigned:
      case kNegative:
        TRY(Head(major));
        break;
      case kBytes:
        TRY(Bytes(rest_.size()));
        break;
      case kText:
        TRY(Text(rest_.size()));
        break;
      case kArray:
        items += TRY(Array(rest_.size()));
        break;
      case kMap:
        items += 2 * TRY(Map(rest_.size()));
        break;
      default:
        TRY(Bool());
    }
    if (items > rest_.size() + 1) return Malformed("it ends too soon");
  }
  return {};
}

Result<void> CborReader::End() const {
  if (!rest_.empty()) return Malformed("something follows it");
  return {};
}

}  // namespace cay::protocol
