// What a space is in a Dockerfile. Inside this room only.
#pragma once

#include <string_view>

namespace cay::templates::dockerfile {

inline constexpr std::string_view kSpaces = " \t\v\f\r\n";

inline bool IsSpace(char c) { return kSpaces.contains(c); }

inline std::string_view TrimLeft(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

inline std::string_view TrimSpaces(std::string_view text) {
  text = TrimLeft(text);
  return text.substr(0, text.find_last_not_of(kSpaces) + 1);
}

}  // namespace cay::templates::dockerfile
