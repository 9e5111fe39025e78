// Command patterns: regular expressions of the administrator's by which commands are refused or
// flagged (commands.refuse, commands.flag). A convenience against accidents, and for finding things
// again; not a wall: the same command can be written in any number of ways, and what it starts
// inside is not looked at. The walls are the sandbox's.
//
//   const auto patterns = TRY(CommandPatterns::Compile({"fork-bomb=:\\(\\)\\s*\\{", "miner=(?i)xmrig"}));
//   patterns.Matching({"sh", "-c", "wget x/xmrig"})   // {"miner"}
//
// An expression is RE2's (https://github.com/google/re2/wiki/Syntax), over bytes, found anywhere:
// the time it takes is proportional to the command's length, whatever both say. Thread-safe once
// made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::sandbox {

class CommandPatterns {
 public:
  static constexpr size_t kMaxPatterns = 64;
  static constexpr size_t kMaxNameBytes = 64;
  static constexpr size_t kMaxExpressionBytes = 1024;

  // Each "NAME=EXPRESSION"; a name is [A-Za-z0-9._-]. kInvalidArgument says which is wrong, and
  // where.
  static Result<CommandPatterns> Compile(const std::vector<std::string>& patterns);
  CommandPatterns();  // none
  CommandPatterns(CommandPatterns&&) noexcept;
  CommandPatterns& operator=(CommandPatterns&&) noexcept;
  ~CommandPatterns();

  // The names of those that match, in their order. Of arguments, which are looked at with single
  // spaces between them.
  std::vector<std::string> Matching(const std::vector<std::string>& argv) const;

 private:
  struct Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

}  // namespace cay::sandbox
