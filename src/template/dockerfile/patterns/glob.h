// Glob: patterns of paths, as Go's filepath.Match and moby's patternmatcher have them. Pure.
//
//   const Glob glob = TRY(Glob::Parse("src/*.[ch]", Glob::Kind::kComponents));
//   glob.Matches("src/main.c")   // true
//
//   *       any run of characters but '/'       ?       one character but '/'
//   [a-z]   one of them                         [^a-z]  one that is none of them: '/' too
//   \c      c itself
//   **      of kTree only. At the end: any run of characters. Before anything else ("**/" is the
//           same): nothing, or any run that ends with '/'; but "**name" at the beginning of a
//           pattern without other special characters: any run
//
// A character is one of UTF-8; a byte that is no part of it is one. Matching takes time
// proportional to the pattern times the path, whatever they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace cay::templates::dockerfile {

inline constexpr Bytes kMaxPattern = 4 * kKiB;

// As Go's filepath.Clean: no ".", no doubled slash, none at the end, ".." taken with what is before
// it. Of nothing it is ".".
std::string CleanPath(std::string_view path);

class Glob {
 public:
  enum class Kind {
    kComponents,  // sources of COPY and ADD: "**" is "*"
    kTree,        // .dockerignore, --exclude
  };

  // kInvalidArgument for brackets that are not closed or are empty, a range without an end, a `\`
  // at the end; kLimitTooHigh for more than kMaxPattern bytes.
  static Result<Glob> Parse(std::string_view pattern, Kind kind);

  // The whole path. No slash at the beginning or end of either is special.
  bool Matches(std::string_view path) const;

  // For each directory that the path is in ("a", "a/b" of "a/b/c"), and then for the path, whether
  // it matches: in one pass.
  std::vector<bool> MatchesOfEach(std::string_view path) const;

  // Whether a path below `directory` could match: what begins with "DIRECTORY/".
  bool MayMatchBelow(std::string_view directory) const;

  // Whether nothing in it is special; literal() is then the only path that it matches.
  bool IsLiteral() const { return is_literal_; }
  const std::string& literal() const { return literal_; }

 private:
  struct Token {
    enum class Kind : uint8_t {
      kCharacter,
      kAny,
      kSet,
      kStar,
      kRun,         // "**" at the end
      kMaybeRun,    // "**" elsewhere: nothing, or what the next takes
      kRunToSlash,  // any run that ends with '/'
    };
    Kind kind = Kind::kCharacter;
    char32_t character = 0;  // of kCharacter
    bool negated = false;    // of kSet
    std::vector<std::pair<char32_t, char32_t>> ranges{};

    bool Takes(char32_t found) const;
  };
  class Reader;
  // Which tokens what was read so far could be before; the last is the end.
  struct States {
    std::vector<char> at;
    bool any = true;  // one of them
  };

  Glob() = default;
  States Start() const;
  void Spread(States& states) const;
  void Step(States& states, char32_t found) const;

  std::vector<Token> tokens_{};
  bool is_literal_ = true;
  std::string literal_{};
};

}  // namespace cay::templates::dockerfile
