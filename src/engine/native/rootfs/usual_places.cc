#include "engine/native/rootfs/usual_places.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <ranges>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// False: the filesystem has no such attribute.
Result<bool> MakeOne(const Fd& upper, const UsualPlace& place, uid_t owner, const char* opaque) {
  TRY(sys::MkdirAt(upper.get(), place.path, 0700));
  const Fd made = TRY(OpenAndGive(upper, place.path, place.mode, owner));
  if (!place.opaque || ::fsetxattr(made.get(), opaque, "y", 1, 0) == 0) return true;
  if (errno == EOPNOTSUPP || errno == EPERM) return false;
  return Failure(Error::FromErrno("making /" + std::string(place.path) + " opaque"));
}

Result<void> RemoveUsualPlaces(const Fd& upper) {
  for (const UsualPlace& place : kUsualPlaces | std::views::reverse) {
    if (::unlinkat(upper.get(), place.path, AT_REMOVEDIR) < 0 && errno != ENOENT) {
      return Failure(Error::FromErrno("removing /" + std::string(place.path)));
    }
  }
  return {};
}

Result<bool> MakeAll(const Fd& upper, const char* opaque, auto owner_of) {
  for (const UsualPlace& place : kUsualPlaces) {
    if (TRY(MakeOne(upper, place, owner_of(place), opaque))) continue;
    TRY(RemoveUsualPlaces(upper));
    return false;
  }
  return true;
}

}  // namespace

Result<bool> MakeUsualPlaces(const Fd& upper, uid_t first, const char* opaque) {
  return MakeAll(upper, opaque, [first](const UsualPlace& place) { return first + place.owner; });
}

Result<bool> MakeUsualPlacesOfOne(const Fd& upper, uid_t owner, const char* opaque) {
  return MakeAll(upper, opaque, [owner](const UsualPlace& /*place*/) { return owner; });
}

Result<Fd> OpenAndGive(const Fd& upper, const char* path, mode_t mode, uid_t owner) {
  Fd directory = TRY(sys::OpenAt(upper.get(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::fchown(directory.get(), owner, owner) == 0 && ::fchmod(directory.get(), mode) == 0) {
    return directory;
  }
  return Failure(Error::FromErrno("making /" + std::string(path)));
}

}  // namespace cay::engine::native
