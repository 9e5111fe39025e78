#include "template/layers/upper_directories.h"

#include <fcntl.h>

#include "archive/safe_path.h"
#include "base/os/sys.h"
#include "template/layers/copy_up.h"

namespace cay::templates {
namespace {

constexpr mode_t kDirectoryBits = 01777;

}  // namespace

Result<Fd> OpenForChange(const Fd& parent, const std::string& name) {
  return sys::OpenAt(parent.get(), name.c_str(),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

Result<void> UpperDirectories::Begin() {
  const Position root = TRY(view_.Root());
  if (root.lower.empty() || ownership_ != archive::Ownership::kArchive) return {};
  Position below = root;
  if (::fstat(root.lower.front()->get(), &below.info) < 0) {
    return Failure(Error::FromErrno("looking at the root of a layer below"));
  }
  return TakeFromBelow(below, TRY(OpenForChange(*root.upper, ".")));
}

Result<void> UpperDirectories::TakeFromBelow(const Position& at, const Fd& made) {
  // What is in a layer already has nothing to lose.
  (void)TRY(CopyDirectory(*at.lower.front(), at.info, made, {.ownership = ownership_}));
  const archive::Timestamp mtime{.seconds = at.info.st_mtim.tv_sec,
                                 .nanoseconds = static_cast<uint32_t>(at.info.st_mtim.tv_nsec)};
  return ends_.Set(at.path, {.mode = at.info.st_mode & kDirectoryBits, .mtime = mtime});
}

Result<void> UpperDirectories::MakeOne(const Position& parent, const std::string& name,
                                       Position& at) {
  TRY(sys::MkdirAt(parent.upper->get(), name.c_str(), 0700));
  Fd made = TRY(OpenForChange(*parent.upper, name));
  if (at.lower.empty()) {
    TRY(ends_.Set(at.path, {.mode = 0755, .mtime = std::nullopt}));
  } else {
    TRY(TakeFromBelow(at, made));
  }
  at.upper = std::make_shared<const Fd>(std::move(made));
  return {};
}

Result<Position> UpperDirectories::Make(Position at) {
  if (at.upper) return at;
  Position parent = TRY(view_.Root());
  std::string_view rest = at.path;
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    Found found = TRY(view_.Look(parent, name));
    if (found.node) {
      return Failure(Error::Invalid("layer: \"" + archive::Printable(found.directory.path) +
                                    "\" is no directory, and has to be one"));
    }
    if (!found.directory.upper) TRY(MakeOne(parent, name, found.directory));
    parent = std::move(found.directory);
  }
  return parent;
}

}  // namespace cay::templates
