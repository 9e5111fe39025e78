// Environments, as earlier systems named them ("nodejs-18", "python3.11", "node20"), and the
// templates that they are here. Spellings of one language and version are one environment: case,
// the separator and the language's other names do not matter ("Python-3.11", "python:3.11",
// "py311"; "node20", "nodejs-20").
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/environment/environment.h"

namespace cay::api::rest {

// "python-3.11", "python3.11" and "python:v3.11" are {"python", "3.11"}; nothing for what has no
// version at its end.
struct LanguageVersion {
  std::string language;
  std::string version;
};
std::optional<LanguageVersion> ParseEnvironment(std::string_view name);

// The program that runs an environment of a language, however it is spelled: "python3", "node" …;
// empty for what is none.
std::string ProgramOfEnvironment(std::string_view name);

// Whether `actual` begins with the parts of `wanted`: 20.1.2 matches "20", "20.1" …
bool VersionMatches(std::string_view actual, std::string_view wanted);

// The version of a program of the machine; nothing when there is none.
using VersionOf = std::function<Result<std::optional<std::string>>(const std::string& program)>;

// The template: of exactly that name if there is one; otherwise one whose name is another spelling
// of it; otherwise the environment that is called so, if it is built; otherwise `host`, when the
// machine has that interpreter in that version (or in any version, where none is named). kNotFound
// with the line that would build or import it. An empty name is the default ("").
Result<std::string> TemplateOfEnvironment(
    const std::string& name, const std::vector<std::string>& templates, const VersionOf& version_of,
    const templates::Environments& environments = templates::BuiltInEnvironments());

}  // namespace cay::api::rest
