// Environments: templates that people know by a name ("python-3.11", "basic"), each with a recipe:
// a Dockerfile whose first lines say what it is. The repository's are environments/*.Dockerfile;
// they are part of the program.
//
//   # environment: Python 3.11 with pip and pytest
//   # aliases: python python3.11
//   # network: debian pypi
//   # needs: basic
//   # test: python --version | grep -F 'Python 3.11.'
//   # optional: gcloud --version
//   FROM debian:bookworm
//
// The first line says in one sentence what the environment is. Then, each at most once but tests:
// `aliases`, other names; `network`, presets (network/policy) that its steps reach, nothing
// else unless somebody says so; `needs`, environments that its FROM names; `test`, a line for sh
// that succeeds in a sandbox of it; `optional`, such a line of what is not in every build: that its
// first word is no program there is no failure. The head ends at the first line that is no comment:
// a comment of another kind stands below an empty line.
//
// An alias that begins with "*" stands for every name that ends as it does and has no "/":
// "*-sandbox:latest". One of a single word means the same with ":latest".
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::templates {

inline constexpr size_t kMaxRecipe = size_t{64} * 1024;
inline constexpr size_t kMaxEnvironments = 256;        // of one directory
inline constexpr size_t kMaxEnvironmentSummary = 100;  // bytes
inline constexpr size_t kMaxEnvironmentWords = 32;     // of aliases, of presets, of needs
inline constexpr size_t kMaxEnvironmentTests = 32;
inline constexpr size_t kMaxEnvironmentTest = 1000;  // bytes of one
inline constexpr std::string_view kRecipeSuffix = ".Dockerfile";

struct EnvironmentTest {
  std::string command;    // a line for sh
  bool optional = false;  // that its program is not there is no failure
};

struct Environment {
  std::string name;  // a short name of a template (store/template_name.h), which it is built as
  std::string summary;
  std::vector<std::string> aliases{};
  std::vector<std::string> network{};  // presets; none: its steps have no network
  std::vector<std::string> needs{};    // names of environments
  std::vector<EnvironmentTest> tests{};
  std::string dockerfile;   // the whole recipe
  std::string directory{};  // where that lies; empty: in the program
};

// `text` may be an attacker's. kInvalidArgument names the line that is wrong.
Result<Environment> ParseEnvironment(std::string_view name, std::string_view text);

// Environments by name and alias. Immutable.
class Environments {
 public:
  Environments() = default;

  // kInvalidArgument when two have a name or an alias in common. `below`: those that are hidden by
  // others of the same name, and found after these by an alias.
  static Result<Environments> Of(std::vector<Environment> list,
                                 const Environments* below = nullptr);

  // By name, or else by alias. Null: none is called so.
  const Environment* Find(std::string_view name) const;
  // Those that hide others first, each of both by name.
  std::span<const Environment> all() const { return list_; }

 private:
  std::vector<Environment> list_;
};

// kNotFound, with the command that builds it; `name`: what it was called.
Error NotBuilt(std::string_view name, const Environment& environment);

// The program's own. That they can be read is a test.
const Environments& BuiltInEnvironments();

// Those of the recipes NAME.Dockerfile in a directory, above the program's own; other files are
// not looked at. kInvalidArgument names the recipe that is wrong; kNotFound where there is no such
// directory.
Result<Environments> ReadEnvironments(const std::string& directory);

}  // namespace cay::templates
