#include "template/layers/merged_view.h"

#include <fcntl.h>
#include <limits.h>

#include <algorithm>
#include <array>

#include "archive/safe_path.h"
#include "archive/tar_entry.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxHiddenBytes = 64 << 20;
constexpr int kMaxSymlinks = 40;

Found::Kind KindOf(const struct stat& info) {
  if (S_ISREG(info.st_mode)) return Found::Kind::kFile;
  return S_ISLNK(info.st_mode) ? Found::Kind::kSymlink : Found::Kind::kOther;
}

Result<std::string> TargetOf(const Fd& symlink) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(symlink.get(), "", target.data(), target.size());
  if (length < 0) return Failure(Error::FromErrno("reading a symlink"));
  return std::string(target.data(), static_cast<size_t>(length));
}

// The components, the first at the end.
void Push(std::vector<std::string>& todo, std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (!component.empty() && component != ".") components.emplace_back(component);
  }
  todo.insert(todo.end(), components.rbegin(), components.rend());
}

Failure GoesThrough(std::string_view path, std::string_view what, int why) {
  return Failure(Error::Impossible("layer: \"" + archive::Printable(path) + "\" is " +
                                       std::string(what) + ", and the archive would go through it",
                                   why));
}

}  // namespace

std::string Join(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return std::string(directory) + "/" + std::string(name);
}

Result<void> Hidden::Add(std::set<std::string, std::less<>>& set, std::string path) {
  const size_t cost = path.size() + 2 * sizeof(std::string);
  if (!set.insert(std::move(path)).second) return {};
  bytes_ += cost;
  if (bytes_ <= kMaxHiddenBytes) return {};
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller, "layer: it removes too many names"));
}

MergedView::MergedView(const Fd& root, LowerChain& chain, const Hidden& hidden)
    : root_(root), chain_(chain), hidden_(hidden) {}

Result<Position> MergedView::Root() const {
  Fd upper = TRY(sys::OpenAt(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  Position at;
  at.upper = std::make_shared<const Fd>(std::move(upper));
  at.lower = chain_.root();
  at.emptied = hidden_.emptied().contains("");
  return at;
}

Result<Found> MergedView::Look(const Position& at, const std::string& name) {
  Found found;
  Position& directory = found.directory;
  directory.path = Join(at.path, name);
  if (directory.path.size() > archive::kMaxEntryPathBytes) {
    return Failure(Error::Invalid("layer: a name is too long once its symlinks are resolved"));
  }
  if (at.upper) {
    TRY(chain_.CountLookup());
    Node node = TRY(OpenNode(*at.upper, name, found.info));
    if (node && IsWhiteout(found.info)) return found;
    if (node && !S_ISDIR(found.info.st_mode)) {
      found.kind = KindOf(found.info);
      found.node = std::move(node);
      found.in_upper = true;
      return found;
    }
    directory.upper = std::move(node);
  }
  if (!at.emptied && !at.lower.empty() && !hidden_.removed().contains(directory.path)) {
    LowerNode below = TRY(chain_.Child(at.lower, name));
    if (below.other && !directory.upper) {
      found.kind = KindOf(below.info);
      found.node = std::move(below.other);
      found.info = below.info;
      return found;
    }
    directory.lower = std::move(below.directories);
    directory.info = below.info;
  }
  directory.emptied = hidden_.emptied().contains(directory.path);
  if (directory.exists()) found.kind = Found::Kind::kDirectory;
  return found;
}

Result<std::optional<Position>> MergedView::Walk(std::string_view path) {
  std::vector<std::string> todo;
  Push(todo, path);
  Position at = TRY(Root());
  for (; !todo.empty(); todo.pop_back()) {
    Found found = TRY(Look(at, todo.back()));
    if (found.node) return std::optional<Position>();
    at = std::move(found.directory);
  }
  return std::optional<Position>(std::move(at));
}

Result<Position> MergedView::Above(const Position& at) {
  std::optional<Position> above = TRY(Walk(archive::SplitLast(at.path).parent));
  if (above) return *std::move(above);
  return GoesThrough(at.path, "below what is no directory", ENOTDIR);
}

Result<Position> MergedView::Resolve(Position at, std::string_view path) {
  std::vector<std::string> todo;
  Push(todo, path);
  int symlinks = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      at = TRY(Above(at));
      continue;
    }
    Found found = TRY(Look(at, name));
    switch (found.kind) {
      case Found::Kind::kNothing:
      case Found::Kind::kDirectory:
        at = std::move(found.directory);
        break;
      case Found::Kind::kSymlink: {
        if (++symlinks > kMaxSymlinks) return GoesThrough(path, "behind too many symlinks", ELOOP);
        const std::string target = TRY(TargetOf(*found.node));
        if (target.starts_with('/')) at = TRY(Root());
        Push(todo, target);
        break;
      }
      case Found::Kind::kFile:
      case Found::Kind::kOther:
        return GoesThrough(found.directory.path, "no directory", ENOTDIR);
    }
  }
  return at;
}

}  // namespace cay::templates
