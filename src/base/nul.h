// A NUL in a text: no path, argument or variable of a process can have one.
#pragma once

#include <string_view>

namespace cay {

inline bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace cay
