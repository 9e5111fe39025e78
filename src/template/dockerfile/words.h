// The parts of an instruction's line, as BuildKit splits them (dockerfile/parser/line_parsers.go,
// split_command.go). Inside this room only. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::templates::dockerfile {

Error OverLimit(std::string message);

// "RUN --network=none make all" in its parts.
struct LineParts {
  std::string_view keyword{};        // as it was written
  std::vector<std::string> flags{};  // "--network=none", without quotes and escapes
  std::string_view rest{};           // without spaces at its ends
};
Result<LineParts> SplitLine(std::string_view line);

// At spaces; quotes mean nothing. kLimitTooHigh for more than kMaxWords.
Result<std::vector<std::string>> SplitAtSpaces(std::string_view text);

// At spaces that are not quoted or escaped. Quotes and escapes stay.
Result<std::vector<std::string>> SplitQuoted(std::string_view text, char escape);

// The texts of a JSON array, for the JSON forms. Nothing where it is no JSON array;
// kInvalidArgument for one of something else than texts, or with a NUL byte.
Result<std::optional<std::vector<std::string>>> JsonWords(std::string_view text);

enum class FlagKind { kText, kTexts, kBool };
struct FlagRule {
  std::string_view name;
  FlagKind kind;
};

// The flags of an instruction. kInvalidArgument for one that is not known (with what was perhaps
// meant), twice (but kTexts), without a value (but kBool).
class Flags {
 public:
  static Result<Flags> Of(const std::vector<std::string>& flags, std::span<const FlagRule> rules);

  std::string Text(std::string_view name) const;  // empty: not given
  std::vector<std::string> Texts(std::string_view name) const;
  std::optional<bool> Bool(std::string_view name) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_{};
};

// `, did you mean "X"?`, or nothing.
std::string DidYouMean(std::string_view typed, std::span<const std::string_view> known);

// As Go's time.ParseDuration: "1m30s", "1.5h", "100ms", "-5s", "0".
Result<std::chrono::nanoseconds> ParseGoDuration(std::string_view text);

// As Go's strconv.ParseBool: "1", "t", "T", "true", "TRUE", "True", and so for false.
Result<bool> ParseGoBool(std::string_view text);

}  // namespace cay::templates::dockerfile
