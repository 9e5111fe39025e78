#include "build/copy/source_match.h"

#include <optional>

#include "archive/safe_path.h"
#include "build/copy/tree_walk.h"
#include "template/dockerfile/patterns/glob.h"

namespace cay::build {
namespace {

using templates::dockerfile::Glob;

constexpr size_t kMaxMatchBytes = 256 << 20;

bool HasWildcard(std::string_view component) {
  for (size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\') {
      ++i;
    } else if (std::string_view("*?[").contains(component[i])) {
      return true;
    }
  }
  return false;
}

struct SplitPattern {
  std::string directory{};  // without wildcards; "": the root
  std::string pattern{};    // from the first component with one on; "": there is none
};
SplitPattern Split(std::string_view path) {
  size_t begin = 0;
  while (begin < path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (HasWildcard(path.substr(begin, end - begin))) {
      return {.directory = std::string(path.substr(0, begin == 0 ? 0 : begin - 1)),
              .pattern = std::string(path.substr(begin))};
    }
    begin = end + 1;
  }
  return {.directory = std::string(path)};
}

// Without what takes away the meaning of special characters.
Result<std::string> Literal(const std::string& path) {
  const Glob glob = TRY(Glob::Parse(path, Glob::Kind::kComponents));
  return glob.IsLiteral() ? glob.literal() : path;
}

Result<std::vector<std::string>> Find(FileTree& tree, const std::string& directory,
                                      const Glob& glob, Ignored ignored) {
  std::vector<std::string> found;
  const Place top = TRY(tree.Resolve(directory, LastLink::kFollow, ignored));
  if (!top.exists()) return Failure(TRY(NotThere(tree, directory)));
  if (top.kind != Place::Kind::kDirectory) return found;
  TreeWalk walk(tree, top.path, ignored);
  size_t bytes = 0;
  while (std::optional<TreeWalk::Step> step = TRY(walk.Next())) {
    if (!glob.Matches(step->below)) {
      if (!glob.MayMatchBelow(step->below)) walk.Skip();
      continue;
    }
    walk.Skip();
    bytes += step->place.path.size() + sizeof(std::string);
    if (bytes > kMaxMatchBytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "a pattern of a source matches too many files"));
    }
    found.push_back(std::move(step->place.path));
  }
  return found;
}

}  // namespace

std::string SourcePath(std::string_view written) {
  const std::string clean = templates::dockerfile::CleanPath("/" + std::string(written));
  return clean.substr(std::min<size_t>(1, clean.size()));
}

Result<SourceMatches> MatchSource(FileTree& tree, const std::string& pattern) {
  const SplitPattern split = Split(SourcePath(pattern));
  SourceMatches matches;
  const std::string directory = TRY(Literal(split.directory));
  if (split.pattern.empty()) {
    matches.paths.push_back(directory);
    return matches;
  }
  matches.by_pattern = true;
  const Glob glob = TRY(Glob::Parse(split.pattern, Glob::Kind::kComponents));
  matches.paths = TRY(Find(tree, directory, glob, Ignored::kHidden));
  if (matches.paths.empty()) {
    matches.only_ignored = !TRY(Find(tree, directory, glob, Ignored::kShown)).empty();
  }
  return matches;
}

Result<Error> NotThere(FileTree& tree, std::string_view path) {
  const Place shown = TRY(tree.Resolve(path, LastLink::kFollow, Ignored::kShown));
  const std::string name = "\"" + archive::Printable(path) + "\"";
  if (shown.exists()) {
    return Error(ErrorCode::kNotFound, Fault::kCaller,
                 "the source " + name + " is ignored by .dockerignore")
        .WithRemedy("take it back there with a line that begins with \"!\"");
  }
  return Error(ErrorCode::kNotFound, Fault::kCaller, "the source " + name + " is not there");
}

Result<SourceMatch> FollowSource(FileTree& tree, const std::string& path, bool by_pattern) {
  SourceMatch match{.name = std::string(archive::SplitLast(path).name), .by_pattern = by_pattern};
  match.place = TRY(tree.Resolve(path));
  if (!match.place.exists()) return Failure(TRY(NotThere(tree, path)));
  return match;
}

}  // namespace cay::build
