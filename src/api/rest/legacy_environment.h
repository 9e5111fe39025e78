// Environments, as earlier systems named them ("nodejs-18", "python-3.11"), and the templates that they are here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::api::rest {

// "python-3.11" is {"python", "3.11"}; nothing for what has no version behind its last '-'.
struct LanguageVersion {
  std::string language;
  std::string version;
};
std::optional<LanguageVersion> ParseEnvironment(std::string_view name);

// Whether 20.1.2 is a "20", a "20.1" …, piece by piece.
bool VersionMatches(std::string_view actual, std::string_view wanted);

// The version of a program of the machine; nothing when there is none.
using VersionOf = std::function<Result<std::optional<std::string>>(const std::string& program)>;

// The template: of that very name if there is one; otherwise `host`, when the machine has that interpreter in that
// version. kNotFound with the line that would install it. An empty name is the default ("").
Result<std::string> TemplateOfEnvironment(const std::string& name,
                                          const std::vector<std::string>& templates,
                                          const VersionOf& version_of);

}  // namespace cay::api::rest
