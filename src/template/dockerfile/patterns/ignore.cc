#include "template/dockerfile/patterns/ignore.h"

#include <algorithm>

#include "base/text.h"

namespace cay::templates::dockerfile {
namespace {

constexpr std::string_view kSpaces = " \t\v\f\r\n";

std::string_view TrimSpaces(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

}  // namespace

Result<void> IgnorePatterns::Add(std::string_view pattern) {
  const bool takes_back = pattern.starts_with('!');
  if (takes_back) pattern.remove_prefix(1);
  if (pattern.empty()) {
    return Failure(Error::Invalid("\"!\" alone takes nothing back: a pattern has to follow it"));
  }
  if (patterns_.size() == kMaxIgnorePatterns) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "more than the maximum of " + std::to_string(kMaxIgnorePatterns) + " patterns"));
  }
  Glob glob = TRY(Glob::Parse(pattern, Glob::Kind::kTree));
  patterns_.push_back({.takes_back = takes_back, .glob = std::move(glob)});
  return {};
}

Result<IgnorePatterns> IgnorePatterns::ParseFile(std::string_view text) {
  if (text.size() > kMaxIgnoreFile) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "the file is over the maximum of " + std::to_string(kMaxIgnoreFile) + " bytes"));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  IgnorePatterns ignore;
  size_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    if (line.starts_with('#')) continue;
    line = TrimSpaces(line);
    if (line.empty()) continue;
    const bool takes_back = line.starts_with('!');
    if (takes_back) line = TrimSpaces(line.substr(1));
    std::string pattern = line.empty() ? "" : CleanPath(line);
    if (pattern.size() > 1 && pattern.starts_with('/')) pattern.erase(0, 1);
    if (auto added = ignore.Add((takes_back ? "!" : "") + pattern); !added) {
      return Failure(std::move(added).error().WithContext("line " + std::to_string(number)));
    }
  }
  return ignore;
}

Result<IgnorePatterns> IgnorePatterns::Of(const std::vector<std::string>& patterns) {
  IgnorePatterns ignore;
  for (const std::string& text : patterns) {
    const std::string_view pattern = TrimSpaces(text);
    if (!pattern.empty()) TRY(ignore.Add(CleanPath(pattern)));
  }
  return ignore;
}

bool IgnorePatterns::Ignores(std::string_view path) const {
  if (path.empty() || path == ".") return false;
  // By pattern, what matched so far of the directories that the path is in, the outermost first.
  std::vector<std::vector<bool>> matches;
  matches.reserve(patterns_.size());
  for (const Pattern& pattern : patterns_) matches.push_back(pattern.glob.MatchesOfEach(path));
  std::vector<char> matched(patterns_.size());
  bool ignored = false;
  const auto depth = static_cast<size_t>(std::ranges::count(path, '/')) + 1;
  for (size_t level = 0; level < depth; ++level) {
    ignored = false;
    for (size_t i = 0; i < patterns_.size(); ++i) {
      const bool takes_back = patterns_[i].takes_back;
      // One that could change nothing is not asked, and is so not remembered for what is inside.
      if (matched[i] == 0 && takes_back == ignored && matches[i][level]) matched[i] = 1;
      if (matched[i] != 0) ignored = !takes_back;
    }
  }
  return ignored;
}

bool IgnorePatterns::SkipsWhole(std::string_view directory) const {
  return Ignores(directory) && std::ranges::none_of(patterns_, [directory](const Pattern& one) {
           return one.takes_back && one.glob.MayMatchBelow(directory);
         });
}

}  // namespace cay::templates::dockerfile
