// Names of things that may belong to one owner of a server alone: "NAME", and "@OWNER/NAME".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cay {

// [a-z0-9][a-z0-9._-]{0,63}
bool IsShortName(std::string_view name);

// "@OWNER/NAME" of owner and short name.
struct OwnedName {
  std::string owner;
  std::string name;
};
std::string TextOf(const OwnedName& owned);
// Nothing for a name of another kind.
std::optional<OwnedName> ParseOwnedName(std::string_view name);

// Of the file or directory of what is called so; and back: nothing for a file that is none's.
std::string FileOfOwned(std::string_view name);
std::optional<std::string> NameOfOwnedFile(std::string_view file);

}  // namespace cay
