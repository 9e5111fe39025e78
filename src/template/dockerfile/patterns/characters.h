// Text as characters of UTF-8, for patterns: a byte that is no part of UTF-8 is a character of its
// own, and comes back as that byte.
#pragma once

#include <string>
#include <string_view>

namespace cay::templates::dockerfile {

// The first, taken from the beginning of `text`, which is not empty.
char32_t TakeCharacter(std::string_view& text);

void AppendCharacter(std::string& text, char32_t character);

std::u32string CharactersOf(std::string_view text);
std::string TextOf(std::u32string_view characters);

}  // namespace cay::templates::dockerfile
