#include "build/packages/rules/words.h"

namespace cay::build {

std::string Shown(std::string_view word) {
  constexpr size_t kMost = 80;
  std::string shown = "\"";
  for (const char byte : word.substr(0, kMost)) shown += byte >= ' ' && byte <= '~' ? byte : '?';
  return shown + (word.size() > kMost ? "…\"" : "\"");
}

Error NotAPackage(std::string_view word, std::string_view why) {
  return Error::Invalid("the package " + Shown(word) + ": " + std::string(why));
}

}  // namespace cay::build
