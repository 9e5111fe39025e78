#include "json/json_writer.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/encoding.h"

namespace cay {
namespace {

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

// Each byte of a word at once: the highest bit of those that are not plain is set. A byte above
// such a one may be marked too (a subtraction borrows from it), so only the lowest mark says
// something.
uint64_t MarkSpecial(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101U;
  constexpr uint64_t kHigh = 0x80 * kOnes;
  const auto equal = [&](uint64_t byte) {
    const uint64_t zero_where_equal = word ^ (kOnes * byte);
    return (zero_where_equal - kOnes) & ~zero_where_equal;
  };
  const uint64_t control = (word - kOnes * 0x20) & ~word;
  return (control | equal('"') | equal('\\') | equal(0x7F) | word) & kHigh;
}

// A character of ASCII that is not plain; where it ends.
char* PutEscaped(char* to, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *to++ = '\\';
  switch (c) {
    case '"':
    case '\\':
      *to++ = c;
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      to = std::ranges::copy(std::string_view("u00"), to).out;
      *to++ = kHex[byte >> 4];
      *to++ = kHex[byte & 15];
      return to;
    }
  }
}

// What one byte can become: \u001f.
constexpr size_t kMaxGrowth = 6;
constexpr size_t kBlockBytes = 2048;

// Takes the character that `text` begins with, which may be none.
char* PutOne(char* to, std::string_view& text) {
  const char c = text.front();
  if (static_cast<unsigned char>(c) < 0x80) {
    text.remove_prefix(1);
    if (!IsPlain(c)) return PutEscaped(to, c);
    *to++ = c;
    return to;
  }
  const size_t length = Utf8SequenceLength(text);
  const std::string_view put = length == 0 ? std::string_view("\uFFFD") : text.substr(0, length);
  text.remove_prefix(std::max<size_t>(1, length));
  return std::ranges::copy(put, to).out;
}

// Takes a block of `text`, and what of a character is left at its end. There is room for kMaxGrowth
// times the block and one character more.
char* PutBlock(char* to, std::string_view& text) {
  const char* const end = text.data() + std::min(text.size(), kBlockBytes);
  while (text.data() < end) {
    if constexpr (std::endian::native == std::endian::little) {
      uint64_t word = 0;
      if (text.size() >= sizeof word) {
        // Copied before it is looked at: what is not plain is written over.
        std::memcpy(&word, text.data(), sizeof word);
        std::memcpy(to, &word, sizeof word);
        const uint64_t marks = MarkSpecial(word);
        const size_t plain =
            marks == 0 ? sizeof word : static_cast<size_t>(std::countr_zero(marks)) / 8;
        to += plain;
        text.remove_prefix(plain);
        if (marks == 0) continue;
      }
    }
    to = PutOne(to, text);
  }
  return to;
}

// A multiple of three: pieces of base64 can be put behind one another.
constexpr size_t kBase64Piece = 3 * kBlockBytes;

}  // namespace

void JsonWriter::AppendEscaped(std::string_view text) {
  while (!text.empty()) {
    const size_t before = text_.size();
    const size_t room = (std::min(text.size(), kBlockBytes) + sizeof(uint64_t)) * kMaxGrowth;
    text_.resize_and_overwrite(before + room, [&](char* memory, size_t) {
      return static_cast<size_t>(PutBlock(memory + before, text) - memory);
    });
    GiveToSink();
  }
}

void JsonWriter::AppendString(std::string_view text) {
  text_ += '"';
  AppendEscaped(text);
  text_ += '"';
}

JsonWriter& JsonWriter::Joined(std::initializer_list<std::string_view> pieces) {
  Separate();
  text_ += '"';
  for (const std::string_view piece : pieces) AppendEscaped(piece);
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Base64(std::string_view bytes) {
  Separate();
  text_ += '"';
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kBase64Piece);
    text_ += EncodeBase64(piece);
    bytes.remove_prefix(piece.size());
    GiveToSink();
  }
  text_ += '"';
  return *this;
}

void JsonWriter::Separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  text_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  text_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  Separate();
  AppendString(name);
  text_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Value(std::string_view text) {
  Separate();
  AppendString(text);
  return *this;
}

JsonWriter& JsonWriter::Value(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return Raw({text, static_cast<size_t>(end - text)});
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  text_ += json;
  GiveToSink();
  return *this;
}

}  // namespace cay
