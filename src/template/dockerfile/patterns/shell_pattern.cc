#include "template/dockerfile/patterns/shell_pattern.h"

#include <algorithm>
#include <numeric>

#include "archive/safe_path.h"
#include "template/dockerfile/patterns/characters.h"

namespace cay::templates::dockerfile {
namespace {

Result<void> Use(size_t& work, size_t amount) {
  if (amount > work) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "a pattern of a variable takes too long to match"));
  }
  work -= amount;
  return {};
}

Error TooLong(size_t max_bytes) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller,
          "a replacement gives more than the maximum of " + std::to_string(max_bytes) + " bytes"};
}

}  // namespace

Result<ShellPattern> ShellPattern::Parse(std::string_view pattern) {
  ShellPattern parsed;
  for (std::string_view rest = pattern; !rest.empty();) {
    const char32_t next = TakeCharacter(rest);
    if (next == '*') {
      parsed.tokens_.push_back({.kind = Token::Kind::kStar});
    } else if (next == '?') {
      parsed.tokens_.push_back({.kind = Token::Kind::kAny});
    } else if (next != '\\') {
      parsed.tokens_.push_back({.character = next});
    } else if (rest.empty() || !std::string_view("*?\\}/").contains(rest.front())) {
      return Failure(Error::Invalid(
          "the pattern \"" + archive::Printable(pattern) +
          "\" has a backslash before another character than \"*\", \"?\", \"\\\", \"}\", \"/\""));
    } else {
      parsed.tokens_.push_back({.character = TakeCharacter(rest)});
    }
  }
  return parsed;
}

// Where the tokens can end, from `places` on.
Result<ShellPattern::Places> ShellPattern::Advance(const Tokens& tokens, std::u32string_view value,
                                                   Places places, size_t& work) {
  for (const Token& token : tokens) {
    Places next;
    for (const size_t place : places) {
      if (token.kind != Token::Kind::kStar) {
        const bool takes = place < value.size() &&
                           (token.kind == Token::Kind::kAny ? value[place] != '\n'
                                                            : value[place] == token.character);
        if (takes) next.push_back(place + 1);
        continue;
      }
      // What an earlier place led to leads on from there.
      if (!next.empty() && next.back() >= place) continue;
      next.push_back(place);
      for (size_t i = place; i < value.size() && value[i] != '\n'; ++i) next.push_back(i + 1);
    }
    TRY(Use(work, places.size() + next.size()));
    places = std::move(next);
    if (places.empty()) break;
  }
  return places;
}

Result<size_t> ShellPattern::MatchedAtBeginning(const Tokens& tokens, std::u32string_view value,
                                                bool longest, size_t& work) {
  const Places ends = TRY(Advance(tokens, value, {0}, work));
  if (ends.empty()) return 0;
  return longest ? ends.back() : ends.front();
}

Result<std::string> ShellPattern::WithoutPrefix(std::string_view value, bool longest,
                                                size_t& work) const {
  TRY(Use(work, value.size()));
  const std::u32string characters = CharactersOf(value);
  const size_t matched = TRY(MatchedAtBeginning(tokens_, characters, longest, work));
  return TextOf(std::u32string_view(characters).substr(matched));
}

Result<std::string> ShellPattern::WithoutSuffix(std::string_view value, bool longest,
                                                size_t& work) const {
  TRY(Use(work, value.size()));
  std::u32string characters = CharactersOf(value);
  std::ranges::reverse(characters);
  const Tokens mirrored(tokens_.rbegin(), tokens_.rend());
  const size_t matched = TRY(MatchedAtBeginning(mirrored, characters, longest, work));
  characters.erase(0, matched);
  std::ranges::reverse(characters);
  return TextOf(characters);
}

Result<std::string> ShellPattern::Replace(std::string_view value, std::string_view replacement,
                                          bool all, size_t max_bytes, size_t& work) const {
  TRY(Use(work, 3 * value.size() + 1));
  std::u32string characters = CharactersOf(value);
  // Where a match begins is where the mirrored pattern ends in the mirrored value.
  std::u32string mirrored_value(characters.rbegin(), characters.rend());
  const Tokens mirrored(tokens_.rbegin(), tokens_.rend());
  Places everywhere(characters.size() + 1);
  std::iota(everywhere.begin(), everywhere.end(), size_t{0});
  Places begins = TRY(Advance(mirrored, mirrored_value, std::move(everywhere), work));
  for (size_t& begin : begins) begin = characters.size() - begin;
  std::ranges::reverse(begins);

  std::string replaced;
  size_t done = 0;      // characters of the value that are in `replaced`
  size_t searched = 0;  // where the next match may begin
  for (const size_t begin : begins) {
    if (begin < searched) continue;
    const Places ends = TRY(Advance(tokens_, characters, {begin}, work));
    const size_t end = ends.back();
    replaced += TextOf(std::u32string_view(characters).substr(done, begin - done));
    // Nothing matched right behind a match is a part of that one.
    if (end > done || begin == 0) replaced += replacement;
    if (replaced.size() > max_bytes) return Failure(TooLong(max_bytes));
    TRY(Use(work, end - done + replacement.size()));
    done = end;
    searched = std::max(end, begin + 1);
    if (!all) break;
  }
  replaced += TextOf(std::u32string_view(characters).substr(done));
  if (replaced.size() > max_bytes) return Failure(TooLong(max_bytes));
  return replaced;
}

}  // namespace cay::templates::dockerfile
