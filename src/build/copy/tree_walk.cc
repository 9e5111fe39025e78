#include "build/copy/tree_walk.h"

#include <algorithm>

#include "archive/directory_ends.h"
#include "archive/safe_path.h"

namespace cay::build {
namespace {

constexpr size_t kMaxOpenDescriptors = 128;
constexpr size_t kMaxNameBytes = 256 << 20;  // that are still to be gone through

size_t CostOf(const std::string& name) { return name.size() + sizeof(std::string); }

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.empty()) return std::string(directory) + std::string(name);
  return std::string(directory) + "/" + std::string(name);
}

void TreeCursor::Keep(const Place& place) {
  descriptors_ += place.node.directories.size();
  open_.push_back(place);
  while (descriptors_ > kMaxOpenDescriptors && open_.size() > 1) {
    descriptors_ -= open_.front().node.directories.size();
    open_.erase(open_.begin());
  }
}

Result<Place> TreeCursor::Look(std::string_view path) {
  while (!open_.empty() && !archive::IsBelow(path, open_.back().path)) {
    if (path == open_.back().path) return open_.back();
    descriptors_ -= open_.back().node.directories.size();
    open_.pop_back();
  }
  Place at = open_.empty() ? tree_.Root() : open_.back();
  std::string_view rest = open_.empty() ? path : archive::Below(path, at.path);
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    at = TRY(tree_.Child(at, name, ignored_));
    if (at.kind == Place::Kind::kDirectory && !rest.empty()) Keep(at);
  }
  return at;
}

Result<void> TreeWalk::Enter(const std::string& below) {
  const Place place = TRY(cursor_.Look(JoinPath(top_, below)));
  Level level{.below = below};
  if (place.kind == Place::Kind::kDirectory) level.names = TRY(FileTree::Names(place));
  std::ranges::reverse(level.names);
  for (const std::string& name : level.names) name_bytes_ += CostOf(name);
  if (name_bytes_ > kMaxNameBytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "\"/" + archive::Printable(top_) + "\" holds too many files"));
  }
  levels_.push_back(std::move(level));
  return {};
}

Result<std::optional<TreeWalk::Step>> TreeWalk::Next() {
  if (enter_) {
    TRY(Enter(*enter_));
    enter_.reset();
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      levels_.pop_back();
      continue;
    }
    const std::string name = std::move(level.names.back());
    level.names.pop_back();
    name_bytes_ -= CostOf(name);
    Step step{.below = JoinPath(level.below, name)};
    step.place = TRY(cursor_.Look(JoinPath(top_, step.below)));
    if (!step.place.exists()) continue;
    if (step.place.kind == Place::Kind::kDirectory) enter_ = step.below;
    return std::optional(std::move(step));
  }
  return std::optional<Step>();
}

}  // namespace cay::build
