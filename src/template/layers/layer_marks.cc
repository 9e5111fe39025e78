#include "template/layers/layer_marks.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/directory_walk.h"
#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

using archive::SplitLast;

Error NoMarksHere(std::string_view what, int why) {
  Error error(ErrorCode::kNotSupported, Fault::kMachine,
              "layer: this filesystem does not take " + std::string(what) + " (" + ErrnoText(why) +
                  "), which is how a layer removes something");
  error.set_sys_errno(why);
  return std::move(error).WithRemedy(
      "keep templates on a filesystem that does, such as ext4 or XFS, and not on an overlay");
}

// What the layer itself has of that name.
Result<std::optional<struct stat>> InUpper(const Position& parent, const std::string& name) {
  if (!parent.upper) return std::optional<struct stat>();
  struct stat info{};
  if (::fstatat(parent.upper->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    return std::optional(info);
  }
  if (errno == ENOENT) return std::optional<struct stat>();
  return Failure(Error::FromErrno("looking at " + archive::Printable(name)));
}

}  // namespace

Result<MarkCounts> LayerMarks::Write(Hidden& hidden, uint64_t max_names) {
  if (hidden.emptied().contains("")) TRY(RemoveAllOfRoot(hidden, max_names));
  // In their order, so that a directory comes before what is in it.
  for (const std::string& path : hidden.removed()) TRY(MarkRemoved(path));
  for (const std::string& path : hidden.emptied()) {
    if (!path.empty() && !hidden.removed().contains(path)) TRY(MarkEmptied(path));
  }
  return counts_;
}

Result<void> LayerMarks::RemoveAllOfRoot(Hidden& hidden, uint64_t max_names) {
  for (const Node& layer : chain_.root()) {
    for (std::string& name : TRY(archive::ReadNames(*layer, max_names))) {
      TRY(hidden.Remove(std::move(name)));
    }
  }
  return {};
}

// Where the parent is hidden itself, or is no directory any more, there is nothing below to remove.
Result<void> LayerMarks::MarkRemoved(const std::string& path) {
  const auto [parent_path, name_view] = SplitLast(path);
  const std::string name(name_view);
  std::optional<Position> parent = TRY(view_.Walk(parent_path));
  if (!parent || (parent->emptied && !parent_path.empty())) return {};
  const LowerNode below = TRY(chain_.Child(parent->lower, name));
  if (!below.exists()) return {};
  const std::optional<struct stat> own = TRY(InUpper(*parent, name));
  if (!own) return MakeWhiteout(TRY(directories_.Make(*std::move(parent))), name);
  if (!S_ISDIR(own->st_mode) || below.directories.empty()) return {};
  return MakeOpaque(*parent->upper, name);
}

Result<void> LayerMarks::MarkEmptied(const std::string& path) {
  const auto [parent_path, name_view] = SplitLast(path);
  const std::string name(name_view);
  const std::optional<Position> at = TRY(view_.Walk(path));
  // Nothing below that would merge (a directory that replaced something, say) needs no mark.
  if (!at || at->lower.empty()) return {};
  TRY(directories_.Make(*at));
  const std::optional<Position> parent = TRY(view_.Walk(parent_path));
  return MakeOpaque(*parent->upper, name);
}

Result<void> LayerMarks::MakeWhiteout(const Position& parent, const std::string& name) {
  const Result<void> made =
      sys::MknodAt(parent.upper->get(), name.c_str(), S_IFCHR, ::makedev(0, 0));
  if (!made) {
    const int why = made.error().sys_errno();
    if (why == EPERM || why == EOPNOTSUPP) return Failure(NoMarksHere("whiteouts", why));
    return made;
  }
  ++counts_.whiteouts;
  return {};
}

Result<void> LayerMarks::MakeOpaque(const Fd& parent, const std::string& name) {
  const Fd directory = TRY(OpenForChange(parent, name));
  if (::fsetxattr(directory.get(), OpaqueName(xattrs_), "y", 1, 0) < 0) {
    if (errno == EOPNOTSUPP || errno == EPERM) {
      return Failure(NoMarksHere("overlay attributes", errno));
    }
    return Failure(Error::FromErrno("making " + archive::Printable(name) + " opaque"));
  }
  ++counts_.opaque_directories;
  return {};
}

}  // namespace cay::templates
