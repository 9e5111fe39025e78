#include "build/copy/file_tree.h"

#include <fcntl.h>
#include <limits.h>

#include <algorithm>
#include <array>

#include "archive/directory_walk.h"
#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::build {
namespace {

using archive::Printable;
using templates::LowerChain;
using templates::LowerNode;

Place::Kind KindOf(const LowerNode& node) {
  if (!node.directories.empty()) return Place::Kind::kDirectory;
  if (!node.other) return Place::Kind::kNothing;
  if (S_ISREG(node.info.st_mode)) return Place::Kind::kFile;
  return S_ISLNK(node.info.st_mode) ? Place::Kind::kSymlink : Place::Kind::kOther;
}

std::string Join(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return std::string(directory) + "/" + std::string(name);
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

Failure Bad(std::string_view path, std::string_view what, int why) {
  return Failure(Error::Impossible("\"/" + Printable(path) + "\" " + std::string(what), why));
}

Error CannotRead(const Place& place) {
  const int why = errno;
  Error error = Error::FromErrno("reading \"/" + Printable(place.path) + "\"", why);
  if (why != EACCES && why != EPERM) return error;
  Error denied(ErrorCode::kPermissionDenied, Fault::kCaller, error.message());
  denied.set_sys_errno(why);
  return denied;
}

// What is opened is what the descriptor stands for: its name plays no part any more.
Result<Fd> Reopen(const Fd& node, const Place& place, int flags) {
  Result<Fd> opened = sys::OpenAt(AT_FDCWD, templates::PathOf(node).c_str(),
                                  O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
  if (opened) return opened;
  errno = opened.error().sys_errno();
  return Failure(CannotRead(place));
}

}  // namespace

Result<FileTree> FileTree::OfContext(const Fd& directory,
                                     templates::dockerfile::IgnorePatterns ignore) {
  LowerChain chain = TRY(LowerChain::Open(std::span(&directory, 1),  // one: nothing merges
                                          templates::OverlayXattrs::kTrusted));
  return FileTree(std::move(chain), std::move(ignore), false);
}

Result<FileTree> FileTree::OfLayers(std::span<const Fd> layers, templates::OverlayXattrs form) {
  LowerChain chain = TRY(LowerChain::Open(layers, form));
  return FileTree(std::move(chain), {}, true);
}

Place FileTree::Root() const {
  Place root;
  root.kind = Place::Kind::kDirectory;
  root.node.directories = chain_.root();
  if (!chain_.root().empty()) ::fstat(chain_.root().front()->get(), &root.node.info);
  return root;
}

Result<Place> FileTree::Child(const Place& directory, const std::string& name, Ignored ignored) {
  Place place;
  place.path = Join(directory.path, name);
  if (place.path.size() > kMaxTreePath) {
    return Bad(place.path, "is a path of more than " + std::to_string(kMaxTreePath) + " bytes",
               ENAMETOOLONG);
  }
  chain_.AllowEntry();
  if (directory.kind != Place::Kind::kDirectory) return place;
  const bool hidden = ignored == Ignored::kHidden && Ignores(place.path);
  if (hidden && ignore_.SkipsWhole(place.path)) return place;
  LowerNode node = TRY(chain_.Child(directory.node.directories, name));
  const Place::Kind kind = KindOf(node);
  if (hidden && kind != Place::Kind::kDirectory) return place;
  place.node = std::move(node);
  place.kind = kind;
  return place;
}

Result<Place> FileTree::Walk(std::string_view path, Ignored ignored) {
  std::vector<std::string> todo;
  Push(todo, path);
  Place at = Root();
  for (; !todo.empty(); todo.pop_back()) at = TRY(Child(at, todo.back(), ignored));
  return at;
}

Result<Place> FileTree::Resolve(std::string_view path, LastLink last, Ignored ignored) {
  std::vector<std::string> todo;
  Push(todo, path);
  Place at = Root();
  int symlinks = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    if (at.kind == Place::Kind::kFile || at.kind == Place::Kind::kOther) {
      return Bad(at.path, "is no directory", ENOTDIR);
    }
    if (name == "..") {
      at = TRY(Walk(archive::SplitLast(at.path).parent, ignored));
      continue;
    }
    Place child = TRY(Child(at, name, ignored));
    if (child.kind != Place::Kind::kSymlink || (todo.empty() && last == LastLink::kKeep)) {
      at = std::move(child);
      continue;
    }
    if (++symlinks > kMaxTreeSymlinks) return Bad(path, "leads through too many symlinks", ELOOP);
    const std::string target = TRY(LinkTarget(child));
    if (target.starts_with('/')) at = Root();
    Push(todo, target);
  }
  return at;
}

Result<std::vector<std::string>> FileTree::Names(const Place& directory) {
  std::vector<std::string> names;
  for (const templates::Node& node : directory.node.directories) {
    const Fd opened = TRY(Reopen(*node, directory, O_DIRECTORY));
    std::vector<std::string> more = TRY(archive::ReadNames(opened, kMaxDirectoryNames));
    if (names.empty()) {
      names = std::move(more);
    } else {
      names.insert(names.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    }
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    if (names.size() > kMaxDirectoryNames) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "\"/" + Printable(directory.path) + "\" holds more than " +
                               std::to_string(kMaxDirectoryNames) + " files"));
    }
  }
  return names;
}

Result<Fd> FileTree::OpenFile(const Place& file) { return Reopen(*file.node.other, file, 0); }

Result<Fd> FileTree::OpenDirectory(const Place& directory) {
  return Reopen(*directory.node.directories.front(), directory, O_DIRECTORY);
}

Result<std::string> FileTree::LinkTarget(const Place& symlink) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(symlink.node.other->get(), "", target.data(), target.size());
  if (length < 0) return Failure(CannotRead(symlink));
  return std::string(target.data(), static_cast<size_t>(length));
}

}  // namespace cay::build
