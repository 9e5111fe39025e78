#include "sandbox/commands/command_patterns.h"

#include <re2/re2.h>

#include <algorithm>

namespace cay::sandbox {
namespace {

// Of each expression, compiled and with the states it makes as it goes.
constexpr int64_t kMaxMemory = 1 << 20;
constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

Failure Wrong(std::string_view pattern, const std::string& why) {
  return Failure(Error::Invalid("\"" + std::string(pattern.substr(0, 80)) + "\": " + why)
                     .WithRemedy(R"(a pattern is NAME=EXPRESSION, as in "miner=(?i)xmrig")"));
}

re2::RE2::Options Options() {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);  // bytes: commands need not be UTF-8
  options.set_dot_nl(true);
  options.set_log_errors(false);
  options.set_max_mem(kMaxMemory);
  return options;
}

}  // namespace

struct CommandPatterns::Pattern {
  std::string name;
  re2::RE2 expression;
};

CommandPatterns::CommandPatterns() = default;
CommandPatterns::CommandPatterns(CommandPatterns&&) noexcept = default;
CommandPatterns& CommandPatterns::operator=(CommandPatterns&&) noexcept = default;
CommandPatterns::~CommandPatterns() = default;

Result<CommandPatterns> CommandPatterns::Compile(const std::vector<std::string>& patterns) {
  if (patterns.size() > kMaxPatterns) {
    return Failure(
        Error::Invalid("more than the maximum of " + std::to_string(kMaxPatterns) + " patterns"));
  }
  CommandPatterns compiled;
  for (const std::string& pattern : patterns) {
    const size_t equals = pattern.find('=');
    if (equals == std::string::npos) return Wrong(pattern, "it has no name");
    std::string name = pattern.substr(0, equals);
    const std::string expression = pattern.substr(equals + 1);
    if (name.empty() || name.size() > kMaxNameBytes ||
        name.find_first_not_of(kNameCharacters) != std::string::npos) {
      return Wrong(pattern, "its name is not 1 to " + std::to_string(kMaxNameBytes) +
                                " letters, digits, '.', '_' and '-'");
    }
    if (std::ranges::any_of(compiled.patterns_,
                            [&](const auto& other) { return other->name == name; })) {
      return Wrong(pattern, "another pattern has its name");
    }
    if (expression.empty() || expression.size() > kMaxExpressionBytes) {
      return Wrong(pattern,
                   "its expression is not 1 to " + std::to_string(kMaxExpressionBytes) + " bytes");
    }
    // NOLINTNEXTLINE(modernize-make-unique): an aggregate whose member does not move
    std::unique_ptr<Pattern> made(new Pattern{std::move(name), re2::RE2(expression, Options())});
    if (!made->expression.ok()) return Wrong(pattern, made->expression.error());
    compiled.patterns_.push_back(std::move(made));
  }
  return compiled;
}

std::vector<std::string> CommandPatterns::Matching(const std::vector<std::string>& argv) const {
  std::vector<std::string> names;
  if (patterns_.empty()) return names;
  std::string command;
  for (const std::string& argument : argv) command += (command.empty() ? "" : " ") + argument;
  for (const auto& pattern : patterns_) {
    if (re2::RE2::PartialMatch(command, pattern->expression)) names.push_back(pattern->name);
  }
  return names;
}

}  // namespace cay::sandbox
