#include "template/dockerfile/patterns/glob.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"
#include "template/dockerfile/patterns/characters.h"

namespace cay::templates::dockerfile {

std::string CleanPath(std::string_view path) {
  const bool is_absolute = path.starts_with('/');
  std::vector<std::string_view> kept;
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const bool is_parent = part == "..";
    if (is_parent && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
    } else if (!is_parent || !is_absolute) {
      kept.push_back(part);
    }
  }
  std::string clean = is_absolute ? "/" : "";
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i != 0) clean += '/';
    clean += kept[i];
  }
  return clean.empty() ? "." : clean;
}

class Glob::Reader {
 public:
  Reader(std::string_view pattern, Kind kind) : pattern_(pattern), rest_(pattern), kind_(kind) {}

  Result<std::vector<Token>> Read() {
    while (!rest_.empty()) {
      const bool is_first = tokens_.empty();
      const char32_t next = TakeCharacter(rest_);
      if (next == '*') {
        ReadStar(is_first);
      } else if (next == '?') {
        tokens_.push_back({.kind = Token::Kind::kAny});
      } else if (next == '[') {
        TRY(ReadSet());
      } else if (next == '\\') {
        if (rest_.empty()) return Failure(Bad("ends with a backslash"));
        tokens_.push_back({.character = TakeCharacter(rest_)});
      } else {
        tokens_.push_back({.character = next});
      }
    }
    return std::move(tokens_);
  }

 private:
  void ReadStar(bool is_first) {
    if (kind_ == Kind::kComponents || !rest_.starts_with('*')) {
      tokens_.push_back({.kind = Token::Kind::kStar});
      return;
    }
    rest_.remove_prefix(1);
    const bool has_slash = rest_.starts_with('/');
    if (has_slash) rest_.remove_prefix(1);
    const bool is_suffix =
        is_first && !has_slash && rest_.find_first_of("*?[]\\") == std::string_view::npos;
    if (rest_.empty() || is_suffix) {
      tokens_.push_back({.kind = Token::Kind::kRun});
    } else {
      tokens_.push_back({.kind = Token::Kind::kMaybeRun});
      tokens_.push_back({.kind = Token::Kind::kRunToSlash});
    }
  }

  // Behind "[".
  Result<void> ReadSet() {
    Token set{.kind = Token::Kind::kSet};
    if (rest_.starts_with('^')) {
      set.negated = true;
      rest_.remove_prefix(1);
    }
    while (!rest_.starts_with(']') || set.ranges.empty()) {
      const char32_t first = TRY(ReadEnd());
      char32_t last = first;
      if (rest_.starts_with('-')) {
        rest_.remove_prefix(1);
        last = TRY(ReadEnd());
      }
      set.ranges.emplace_back(first, last);
    }
    rest_.remove_prefix(1);
    tokens_.push_back(std::move(set));
    return {};
  }

  // One end of a range.
  Result<char32_t> ReadEnd() {
    if (rest_.starts_with(']'))
      return Failure(Bad("has empty brackets, or a range without an end"));
    if (rest_.starts_with('-')) return Failure(Bad("has a range without a beginning"));
    if (rest_.starts_with('\\')) rest_.remove_prefix(1);
    if (rest_.empty()) return Failure(Bad("has brackets that are not closed"));
    return TakeCharacter(rest_);
  }

  Error Bad(std::string_view why) const {
    return Error::Invalid("the pattern \"" + archive::Printable(pattern_) + "\" " +
                          std::string(why));
  }

  std::string_view pattern_;
  std::string_view rest_;
  Kind kind_;
  std::vector<Token> tokens_{};
};

bool Glob::Token::Takes(char32_t found) const {
  switch (kind) {
    case Kind::kCharacter:
      return found == character;
    case Kind::kAny:
    case Kind::kStar:
      return found != '/';
    case Kind::kSet:
      return negated != std::ranges::any_of(ranges, [found](const auto& range) {
               return range.first <= found && found <= range.second;
             });
    case Kind::kRun:
    case Kind::kRunToSlash:
      return true;
    case Kind::kMaybeRun:
      return false;
  }
  return false;
}

Result<Glob> Glob::Parse(std::string_view pattern, Kind kind) {
  if (pattern.size() > kMaxPattern) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "a pattern is over the maximum of " + std::to_string(kMaxPattern) +
                             " bytes: \"" + archive::Printable(pattern) + "\""));
  }
  Glob glob;
  glob.tokens_ = TRY(Reader(pattern, kind).Read());
  for (const Token& token : glob.tokens_) {
    if (token.kind != Token::Kind::kCharacter) glob.is_literal_ = false;
    if (glob.is_literal_) AppendCharacter(glob.literal_, token.character);
  }
  if (!glob.is_literal_) glob.literal_.clear();
  return glob;
}

Glob::States Glob::Start() const {
  States states{.at = std::vector<char>(tokens_.size() + 1)};
  states.at[0] = 1;
  Spread(states);
  return states;
}

// To what stands behind tokens that may be nothing.
void Glob::Spread(States& states) const {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (states.at[i] == 0) continue;
    const Token::Kind kind = tokens_[i].kind;
    if (kind == Token::Kind::kStar || kind == Token::Kind::kRun) states.at[i + 1] = 1;
    if (kind == Token::Kind::kMaybeRun) states.at[i + 1] = states.at[i + 2] = 1;
  }
}

void Glob::Step(States& states, char32_t found) const {
  std::vector<char> next(states.at.size());
  states.any = false;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (states.at[i] == 0 || !tokens_[i].Takes(found)) continue;
    const Token::Kind kind = tokens_[i].kind;
    const bool stays =
        kind == Token::Kind::kStar || kind == Token::Kind::kRun || kind == Token::Kind::kRunToSlash;
    if (stays) next[i] = 1;
    if (!stays || (kind == Token::Kind::kRunToSlash && found == '/')) next[i + 1] = 1;
    states.any = true;
  }
  states.at = std::move(next);
  Spread(states);
}

bool Glob::Matches(std::string_view path) const {
  if (is_literal_) return path == literal_;
  States states = Start();
  while (!path.empty() && states.any) Step(states, TakeCharacter(path));
  return states.any && states.at.back() != 0;
}

std::vector<bool> Glob::MatchesOfEach(std::string_view path) const {
  std::vector<bool> matches;
  States states = Start();
  for (std::string_view rest = path; !rest.empty();) {
    if (rest.front() == '/') matches.push_back(states.any && states.at.back() != 0);
    const char32_t next = TakeCharacter(rest);
    if (states.any) Step(states, next);
  }
  matches.push_back(states.any && states.at.back() != 0);
  return matches;
}

bool Glob::MayMatchBelow(std::string_view directory) const {
  States states = Start();
  while (!directory.empty() && states.any) Step(states, TakeCharacter(directory));
  if (states.any) Step(states, '/');
  // Something has to follow: all but the end can take it.
  return states.any &&
         std::any_of(states.at.begin(), states.at.end() - 1, [](char state) { return state != 0; });
}

}  // namespace cay::templates::dockerfile
