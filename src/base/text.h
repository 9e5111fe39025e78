// Text in pieces.
#pragma once

#include <string_view>
#include <vector>

namespace cay {

// What stands between the separators, empty pieces too: "a,,b" gives "a", "", "b". Views into `text`.
std::vector<std::string_view> Split(std::string_view text, char separator);

}  // namespace cay
