#include "build/packages/rules/apt_package.h"

#include "build/packages/rules/words.h"

namespace cay::build {
namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMaxVersion = 128;

// Policy 5.6.1: lower case letters, digits, "+", "-" and "."; apt-get takes a "-" at the end for
// "remove it".
bool IsName(std::string_view text) {
  if (text.size() < 2 || text.size() > kMaxName || text.ends_with('-')) return false;
  const auto is_first = [](char byte) { return IsDigit(byte) || (byte >= 'a' && byte <= 'z'); };
  return is_first(text.front()) && std::ranges::all_of(text, [&](char byte) {
           return is_first(byte) || byte == '+' || byte == '-' || byte == '.';
         });
}

// Policy 5.6.12.
bool IsVersion(std::string_view text) {
  return !text.empty() && text.size() <= kMaxVersion && IsDigit(text.front()) &&
         IsMadeOf(text, ".+-~:");
}

}  // namespace

Result<std::string> ParseAptPackage(std::string_view text) {
  const size_t equals = text.find('=');
  if (!IsName(text.substr(0, equals))) {
    return Failure(NotAPackage(text,
                               "a name of Debian has lower case letters, digits, \"+\", \"-\" and "
                               "\".\", at least two, and begins with a letter or digit"));
  }
  if (equals != std::string_view::npos && !IsVersion(text.substr(equals + 1)))
    return Failure(NotAPackage(text, "what comes after \"=\" is no version of Debian"));
  return std::string(text);
}

}  // namespace cay::build
