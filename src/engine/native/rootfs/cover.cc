#include "engine/native/rootfs/cover.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/os/sys.h"
#include "engine/native/rootfs/rootfs.h"

namespace cay::engine::native {
namespace {

constexpr Bytes kHomeSize = 64 * kKiB;

const char* NameOf(Cover kind) {
  switch (kind) {
    case Cover::kFile:
      return "file";
    case Cover::kDirectory:
      return "directory";
    case Cover::kText:
      break;
  }
  return "text";
}

Result<void> MakeReadOnly(const Fd& mount) {
  mount_attr attributes{};
  attributes.attr_set =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return sys::MountSetattr(mount, attributes, false);
}

}  // namespace

Result<Fd> ReadOnlyClone(const Fd& from, const char* path) {
  Fd clone =
      TRY(sys::OpenTree(from.get(), path, OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  TRY(MakeReadOnly(clone));
  return clone;
}

Result<Covers> Covers::Make(std::string_view text) {
  Fd home = TRY(MakeTmpfs(kHomeSize, "0755", /*noexec=*/true));
  // A device, which does not open where there are none. This number is nobody's, and everybody may
  // make it (overlayfs's whiteout).
  TRY(sys::MknodAt(home.get(), NameOf(Cover::kFile), S_IFCHR, ::makedev(0, 0)));
  TRY(sys::MkdirAt(home.get(), NameOf(Cover::kDirectory), 0555));
  {
    const Fd file = TRY(sys::OpenAt(home.get(), NameOf(Cover::kText),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0444));
    TRY(sys::Write(file, text, "a cover's text"));
  }
  TRY(MakeReadOnly(home));
  return Covers(std::move(home));
}

Result<void> Covers::Attach(const Fd& place) const { return sys::MoveMount(home_, place, ""); }

Result<void> Covers::Put(const Fd& from, const char* path, Cover kind) const {
  // A clone has the attributes of what it is cloned from.
  return sys::MoveMount(
      TRY(sys::OpenTree(home_.get(), NameOf(kind), OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW)), from,
      path);
}

}  // namespace cay::engine::native
