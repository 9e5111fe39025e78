// Variables in the words of instructions, as Docker's shell lexer replaces them (BuildKit,
// frontend/dockerfile/shell/lex.go). Pure.
//
//   const Variables variables = Variables::Of(config.process.env);
//   std::string word = TRY(ExpandWord("${NAME:-nobody}@home", variables));
//
// Whoever goes through a stage has StageVariables::Step (stages.h) do it.
//
//   $V  ${V}                     its value; nothing where it is not set
//   ${V:-w}  ${V-w}              w where it is not set (":": or empty)
//   ${V:+w}  ${V+w}              w where it is set (and not empty)
//   ${V:?w}  ${V?w}              an error with w where it is not set (or empty)
//   ${V#p}  ${V##p}              without the shortest, longest beginning that p matches
//   ${V%p}  ${V%%p}              without such an end
//   ${V/p/r}  ${V//p/r}          the first, each match of p replaced by r
//
// In patterns `*` is any run of characters but line ends, `?` one, `\` takes either as it is; there
// are no brackets. Names are of ASCII letters, digits and `_`, or one of "@*#?-$!", which are never
// set. "'…'" is taken as it is; in "\"…\"" variables are replaced; the escape character takes away
// what the next one means.
//
// Expanded are: ADD, COPY, ENV, EXPOSE, FROM, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, ARG's
// defaults, the --mount of RUN. Not: the commands of RUN, CMD, ENTRYPOINT and HEALTHCHECK, SHELL,
// ONBUILD, MAINTAINER, and --from. An instruction's words all see the variables as they were
// before it; but each of an ARG those before it.
//
// Bounded: depth, size and work. kLimitTooHigh says which.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/dockerfile/instruction.h"

namespace cay::templates::dockerfile {

inline constexpr size_t kMaxExpansionDepth = 32;            // of ${V:-${W:-…}}
inline constexpr Bytes kMaxExpandedWord = kMiB;             // of one word
inline constexpr Bytes kMaxExpandedInstruction = 4 * kMiB;  // of all words of an instruction
inline constexpr size_t kMaxExpansionWork = 64 << 20;       // characters looked at, for one word
inline constexpr Bytes kMaxVariables = 4 * kMiB;            // of all names and values of a stage

// What variables are set to. Copies are values.
class Variables {
 public:
  // Of "NAME=value"; "NAME" alone is set to nothing, as in Docker. The last of a name counts.
  static Variables Of(const std::vector<std::string>& environment);

  void Set(std::string name, std::string value);
  // Of all names and values.
  Bytes size() const { return size_; }
  // Null where it is not set.
  const std::string* Find(std::string_view name) const;
  // "NAME=value", in the order of names.
  std::vector<std::string> Environment() const;

 private:
  std::map<std::string, std::string, std::less<>> values_{};
  Bytes size_ = 0;
};

struct ExpansionOptions {
  char escape = '\\';
  // Quotes are not looked at, and stay: the content of heredocs.
  bool quotes_are_text = false;
};

// One word. `unset`, if not null, gets the names that were asked for and were not set.
Result<std::string> ExpandWord(std::string_view word, const Variables& variables,
                               const ExpansionOptions& options = {},
                               std::set<std::string>* unset = nullptr);

// The words that a text is after its variables were replaced: an unquoted variable with spaces
// gives several, an empty one none.
Result<std::vector<std::string>> ExpandWords(std::string_view text, const Variables& variables,
                                             const ExpansionOptions& options = {},
                                             std::set<std::string>* unset = nullptr);

struct Expanded {
  Instruction instruction;  // no quotes, escapes, variables are left in what is expanded
  // Names that were asked for and were not set, except by "${V:-w}" and its like.
  std::set<std::string> unset{};
};

// Errors begin as those of dockerfile.h. What had to wait for the variables is checked: the keys of
// mounts, ports, signals, permissions, names.
Result<Expanded> ExpandInstruction(const Instruction& instruction, const Variables& variables,
                                   char escape = '\\');

}  // namespace cay::templates::dockerfile
