// What the grammars of packages share: classes of bytes, and how a stranger's word is shown.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace cay::build {

inline bool IsDigit(char byte) { return byte >= '0' && byte <= '9'; }
inline bool IsLetter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
inline bool IsLetterOrDigit(char byte) { return IsLetter(byte) || IsDigit(byte); }

// Whether all of it is letters, digits and these others.
inline bool IsMadeOf(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](char byte) {
    return IsLetterOrDigit(byte) || others.find(byte) != std::string_view::npos;
  });
}

// In quotes, of a bounded length; what is no printable ASCII is "?".
std::string Shown(std::string_view word);

// kInvalidArgument: "the package "-e": WHY".
Error NotAPackage(std::string_view word, std::string_view why);

}  // namespace cay::build
