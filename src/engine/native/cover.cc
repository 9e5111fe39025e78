#include "engine/native/cover.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "base/sys.h"

namespace cay::engine::native {

Result<Fd> ReadOnlyClone(const Fd& from, const char* path) {
  Fd clone =
      TRY(sys::OpenTree(from.get(), path, OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  mount_attr attributes{};
  attributes.attr_set =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  TRY(sys::MountSetattr(clone, attributes, false));
  return clone;
}

Result<void> Covers::Put(const Fd& from, const char* path, bool directory) {
  std::optional<Fd>& first = directory ? directory_ : file_;
  if (first) {
    return sys::MoveMount(TRY(sys::OpenTree(first->get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH)),
                          from, path);
  }
  // /dev/mqueue is empty in every sandbox, and /dev/null is a device, which does not open where there are none.
  first = TRY(ReadOnlyClone(root_, directory ? "dev/mqueue" : "dev/null"));
  return sys::MoveMount(*first, from, path);
}

}  // namespace cay::engine::native
