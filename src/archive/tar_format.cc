#include "archive/tar_format.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/units.h"

namespace cay::archive::tar {
namespace {

constexpr uint32_t kNanosPerSecond = 1'000'000'000;

Failure Malformed(std::string_view what) {
  return Failure(Error::Invalid("archive: " + std::string(what)));
}

Result<int64_t> ParseBase256(std::string_view field) {
  // Two's complement, big endian, with the first byte's high bit as the mark and not a digit.
  const bool negative = (static_cast<unsigned char>(field.front()) & 0x40U) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < field.size(); ++i) {
    auto byte = static_cast<unsigned char>(field[i]);
    if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80U : byte & 0x7fU);
    const uint64_t top = value >> 55U;
    if (top != (negative ? uint64_t{0x1ff} : 0)) return Malformed("a number does not fit 64 bits");
    value = (value << 8U) | byte;
  }
  return static_cast<int64_t>(value);
}

}  // namespace

std::string_view FieldBytes(const Block& block, Field field) {
  return std::string_view(block.data(), block.size()).substr(field.offset, field.width);
}

std::string FieldText(const Block& block, Field field) {
  const std::string_view bytes = FieldBytes(block, field);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

Result<int64_t> ParseNumber(std::string_view field) {
  if (!field.empty() && (static_cast<unsigned char>(field.front()) & 0x80U) != 0) {
    return ParseBase256(field);
  }
  const size_t first = field.find_first_not_of(' ');
  if (first == std::string_view::npos) return 0;
  field.remove_prefix(first);
  int64_t value = 0;
  for (const char c : field) {
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7') return Malformed("a number has a character that is no octal digit");
    if (value > (std::numeric_limits<int64_t>::max() >> 3)) {
      return Malformed("a number does not fit 64 bits");
    }
    value = value * 8 + (c - '0');
  }
  return value;
}

bool IsZero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == 0; });
}

namespace {

// The sum counts its own field as blanks. Some writers summed signed characters.
struct Sums {
  int64_t of_unsigned = 0;
  int64_t of_signed = 0;
};
Sums SumOf(const Block& block) {
  Sums sums;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.width;
    const char c = own ? ' ' : block[i];
    sums.of_unsigned += static_cast<unsigned char>(c);
    sums.of_signed += static_cast<signed char>(c);
  }
  return sums;
}

}  // namespace

bool ChecksumMatches(const Block& block) {
  const Result<int64_t> stored = ParseNumber(FieldBytes(block, kChecksum));
  if (!stored) return false;
  const Sums sums = SumOf(block);
  return *stored == sums.of_unsigned || *stored == sums.of_signed;
}

void SetChecksum(Block& block) {
  PutNumber(block, {kChecksum.offset, kChecksum.width - 1}, SumOf(block).of_unsigned);
  block[kChecksum.offset + kChecksum.width - 1] = ' ';
}

void PutNumber(Block& block, Field field, int64_t value) {
  const size_t digits = field.width - 1;
  if (value >= 0 && (digits * 3 >= 63 || value < (int64_t{1} << (digits * 3)))) {
    for (size_t i = 0; i < digits; ++i) {
      block[field.offset + digits - 1 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7));
    }
    block[field.offset + digits] = '\0';
    return;
  }
  for (size_t i = 0; i < field.width; ++i) {
    const size_t shift = 8 * i;
    const auto byte =
        static_cast<char>(shift < 64 ? (value >> shift) & 0xff : (value < 0 ? -1 : 0));
    block[field.offset + field.width - 1 - i] = byte;
  }
  block[field.offset] = static_cast<char>(block[field.offset] | '\x80');
}

bool PutText(Block& block, Field field, std::string_view text) {
  if (text.size() > field.width) return false;
  std::memcpy(block.data() + field.offset, text.data(), text.size());
  return true;
}

Result<void> ParseGnuSparse(std::string_view table, std::vector<Segment>& segments) {
  constexpr size_t kHalf = 12;
  for (; table.size() >= 2 * kHalf; table.remove_prefix(2 * kHalf)) {
    if (table.front() == '\0') break;
    const int64_t offset = TRY(ParseNumber(table.substr(0, kHalf)));
    const int64_t length = TRY(ParseNumber(table.substr(kHalf, kHalf)));
    if (offset < 0 || length < 0) return Malformed("a sparse map has a negative number");
    if (segments.size() >= kMaxSegments) return Malformed("a sparse map is too long");
    segments.push_back(
        {.offset = static_cast<uint64_t>(offset), .length = static_cast<uint64_t>(length)});
  }
  return {};
}

Result<std::vector<Segment>> ParseSparseList(std::string_view list) {
  std::vector<Segment> segments;
  const auto take = [&]() -> Result<uint64_t> {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view number = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    return ParseDecimal(number);
  };
  while (!list.empty()) {
    if (segments.size() >= kMaxSegments) return Malformed("a sparse map is too long");
    const uint64_t offset = TRY(take());
    const uint64_t length = TRY(take());
    segments.push_back({.offset = offset, .length = length});
  }
  return segments;
}

Result<std::vector<PaxRecord>> ParsePax(std::string_view records) {
  std::vector<PaxRecord> out;
  while (!records.empty()) {
    // Some writers pad with NULs.
    if (records.front() == '\0') break;
    const size_t space = records.find(' ');
    if (space == std::string_view::npos) return Malformed("an extended header has no length");
    const uint64_t length = TRY(ParseDecimal(records.substr(0, space)));
    if (length <= space + 2 || length > records.size() || records[length - 1] != '\n') {
      return Malformed("an extended header's length is wrong");
    }
    const std::string_view body = records.substr(space + 1, length - space - 2);
    const size_t equals = body.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Malformed("an extended header has no key");
    }
    out.push_back({.key = std::string(body.substr(0, equals)),
                   .value = std::string(body.substr(equals + 1))});
    records.remove_prefix(length);
  }
  return out;
}

void AppendPax(std::string& records, std::string_view key, std::string_view value) {
  // The length counts its own digits.
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  records += std::to_string(length);
  records += ' ';
  records += key;
  records += '=';
  records += value;
  records += '\n';
}

Result<Timestamp> ParsePaxTime(std::string_view text) {
  const size_t point = std::min(text.find('.'), text.size());
  Timestamp time;
  const char* const end = text.data() + point;
  const auto [stop, problem] = std::from_chars(text.data(), end, time.seconds);
  if (problem != std::errc() || stop != end) return Malformed("a time is not a number");
  const std::string_view fraction = point < text.size() ? text.substr(point + 1) : "";
  uint32_t scale = kNanosPerSecond;
  for (const char c : fraction) {
    if (c < '0' || c > '9') return Malformed("a time is not a number");
    scale /= 10;
    time.nanoseconds += static_cast<uint32_t>(c - '0') * scale;
  }
  if (text.starts_with('-') && time.nanoseconds > 0) {
    if (time.seconds == std::numeric_limits<int64_t>::min())
      return Malformed("a time is too early");
    --time.seconds;
    time.nanoseconds = kNanosPerSecond - time.nanoseconds;
  }
  return time;
}

std::string FormatPaxTime(const Timestamp& time) {
  int64_t seconds = time.seconds;
  uint32_t nanoseconds = time.nanoseconds;
  std::string sign;
  if (seconds < 0 && nanoseconds > 0) {
    ++seconds;
    nanoseconds = kNanosPerSecond - nanoseconds;
    if (seconds == 0) sign = "-";
  }
  std::string out = sign + std::to_string(seconds);
  if (nanoseconds == 0) return out;
  std::string digits = std::to_string(kNanosPerSecond + nanoseconds).substr(1);
  digits.erase(digits.find_last_not_of('0') + 1);
  return out + "." + digits;
}

Result<uint64_t> ParseDecimal(std::string_view text) {
  Result<uint64_t> value = ParseUnsigned(text, INT64_MAX);
  if (!value) return Malformed("a number in an extended header is wrong");
  return value;
}

Result<void> CheckSegments(const std::vector<Segment>& segments, uint64_t size, uint64_t stored) {
  uint64_t end = 0;
  uint64_t sum = 0;
  for (const Segment& segment : segments) {
    if (segment.offset < end || segment.offset > size || segment.length > size - segment.offset) {
      return Malformed("a sparse map does not fit its file");
    }
    end = segment.offset + segment.length;
    sum += segment.length;  // cannot overflow: runs do not overlap and end by `size`
  }
  if (sum != stored) return Malformed("a sparse map does not match its data");
  return {};
}

}  // namespace cay::archive::tar
