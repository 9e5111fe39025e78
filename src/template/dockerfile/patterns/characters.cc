#include "template/dockerfile/patterns/characters.h"

#include "base/encoding.h"

namespace cay::templates::dockerfile {
namespace {

constexpr char32_t kFirstByte = 0x110000;  // above Unicode: bytes that are no part of UTF-8

}  // namespace

char32_t TakeCharacter(std::string_view& text) {
  const auto byte = [&text](size_t at) { return static_cast<unsigned char>(text[at]); };
  const size_t length = Utf8SequenceLength(text);
  char32_t character = byte(0);
  if (length == 0) {
    character += kFirstByte;
  } else if (length > 1) {
    character &= 0x7FU >> length;
    for (size_t i = 1; i < length; ++i) character = (character << 6) | (byte(i) & 0x3FU);
  }
  text.remove_prefix(length == 0 ? 1 : length);
  return character;
}

void AppendCharacter(std::string& text, char32_t character) {
  const auto tail = [character](unsigned shift) {
    return static_cast<char>(0x80 | ((character >> shift) & 0x3F));
  };
  if (character >= kFirstByte) {
    text += static_cast<char>(character - kFirstByte);
  } else if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += {static_cast<char>(0xC0 | (character >> 6)), tail(0)};
  } else if (character < 0x10000) {
    text += {static_cast<char>(0xE0 | (character >> 12)), tail(6), tail(0)};
  } else {
    text += {static_cast<char>(0xF0 | (character >> 18)), tail(12), tail(6), tail(0)};
  }
}

std::u32string CharactersOf(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  while (!text.empty()) characters += TakeCharacter(text);
  return characters;
}

std::string TextOf(std::u32string_view characters) {
  std::string text;
  text.reserve(characters.size());
  for (const char32_t character : characters) AppendCharacter(text, character);
  return text;
}

}  // namespace cay::templates::dockerfile
