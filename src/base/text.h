// Text in pieces.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cay {

// What stands between the separators, empty pieces too: "a,,b" gives "a", "", "b". Views into
// `text`.
std::vector<std::string_view> Split(std::string_view text, char separator);

// Without spaces and tabs at its ends.
std::string_view Trim(std::string_view text);

// Of a secret: its bytes are overwritten, whatever a compiler thinks of that, and it is empty.
void Wipe(std::string& secret);

// With ASCII letters in lower case.
std::string Lower(std::string_view text);

// Whether both are the same, except for the case of ASCII letters.
bool EqualsIgnoringCase(std::string_view one, std::string_view other);

// The candidate that `typed` was probably meant to be, or empty: at most one edit in three letters.
std::string_view Nearest(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace cay
