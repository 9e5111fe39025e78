// ShellPattern: what "${V#p}", "${V%p}" and "${V/p/r}" match (BuildKit, shell/lex.go). Pure.
//
//   `*` any run of characters but line ends, `?` one of them, `\*`, `\?`, `\\` the character
//   itself; `\}` and `\/` are "}" and "/". Brackets are characters as others.
//
// `work` counts the characters that were looked at, and is an error when it is used up
// (kLimitTooHigh): time is bounded whatever pattern and value are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::templates::dockerfile {

class ShellPattern {
 public:
  // kInvalidArgument for a `\` before anything else.
  static Result<ShellPattern> Parse(std::string_view pattern);

  // `value` without what the pattern matches at its beginning, or end; as it is where it matches
  // nothing.
  Result<std::string> WithoutPrefix(std::string_view value, bool longest, size_t& work) const;
  Result<std::string> WithoutSuffix(std::string_view value, bool longest, size_t& work) const;

  // The first match, or each, replaced; the longest at its place. The replacement is text.
  // `max_bytes`: of what comes out.
  Result<std::string> Replace(std::string_view value, std::string_view replacement, bool all,
                              size_t max_bytes, size_t& work) const;

 private:
  struct Token {
    enum class Kind : uint8_t { kCharacter, kAny, kStar };
    Kind kind = Kind::kCharacter;
    char32_t character = 0;
  };
  using Tokens = std::vector<Token>;
  using Places = std::vector<size_t>;  // in `value`, ascending

  static Result<Places> Advance(const Tokens& tokens, std::u32string_view value, Places places,
                                size_t& work);
  static Result<size_t> MatchedAtBeginning(const Tokens& tokens, std::u32string_view value,
                                           bool longest, size_t& work);

  Tokens tokens_{};
};

}  // namespace cay::templates::dockerfile
