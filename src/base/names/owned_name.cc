#include "base/names/owned_name.h"

#include <algorithm>

namespace cay {
namespace {

constexpr size_t kMaxShort = 64;
constexpr size_t kMaxOwner = 64;
// Stands for '/': short names have none.
constexpr char kSlash = '+';

}  // namespace

bool IsShortName(std::string_view name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= kMaxShort && kFirst.contains(name.front()) &&
         name.find_first_not_of(kRest) == std::string_view::npos;
}

std::string TextOf(const OwnedName& owned) { return "@" + owned.owner + "/" + owned.name; }

std::optional<OwnedName> ParseOwnedName(std::string_view name) {
  // As CheckOwnerName has them (sandbox/rules/spec_rules.h).
  constexpr std::string_view kOwner =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-";
  const size_t slash = name.find('/');
  if (!name.starts_with('@') || slash == std::string_view::npos) return std::nullopt;
  const std::string_view owner = name.substr(1, slash - 1);
  const std::string_view rest = name.substr(slash + 1);
  if (owner.empty() || owner.size() > kMaxOwner || !IsShortName(rest) ||
      owner.find_first_not_of(kOwner) != std::string_view::npos) {
    return std::nullopt;
  }
  return OwnedName{.owner = std::string(owner), .name = std::string(rest)};
}

std::string FileOfOwned(std::string_view name) {
  std::string file(name);
  std::ranges::replace(file, '/', kSlash);
  return file;
}

std::optional<std::string> NameOfOwnedFile(std::string_view file) {
  std::string name(file);
  if (IsShortName(name)) return name;
  // An owner may have the sign that stands for the slash; the name after it has not.
  const size_t slash = name.rfind(kSlash);
  if (slash == std::string::npos) return std::nullopt;
  name[slash] = '/';
  if (!ParseOwnedName(name)) return std::nullopt;
  return name;
}

}  // namespace cay
