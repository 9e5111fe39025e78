#include "engine/native/cgroup/cgroup_lease.h"

#include <fcntl.h>

#include <utility>

#include "base/os/paths.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// An open file description lock (fcntl(2)): gone with the last copy of the descriptor.
bool Lock(const Fd& file, short type, int command) {
  struct flock whole{};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  int done = -1;
  do {
    done = ::fcntl(file.get(), command, &whole);
  } while (done < 0 && errno == EINTR);
  return done == 0;
}

}  // namespace

Result<CgroupLease> CgroupLease::Take(const std::string& state_dir) {
  const std::string path = state_dir + "/cgroups.lock";
  Fd lock = TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!Lock(lock, F_RDLCK, F_OFD_SETLKW)) return Failure(Error::FromErrno("locking " + path));
  return CgroupLease(std::move(lock), state_dir == kDefaultStateDir);
}

void CgroupLease::GiveBack(const CgroupTree& tree) && {
  const Fd lock = std::move(lock_);
  if (!keep_ && Lock(lock, F_WRLCK, F_OFD_SETLK)) tree.RemoveParents();
}

}  // namespace cay::engine::native
