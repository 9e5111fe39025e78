#include "network/cache/cache_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::network {
namespace {

std::string PathOf(const std::string& state_dir) { return state_dir + "/" + kCacheDirectory; }

Result<Fd> Open(const std::string& path) {
  return sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

}  // namespace

Result<Fd> MakeCacheDirectory(const std::string& state_dir, uid_t relay_uid) {
  const std::string path = PathOf(state_dir);
  TRY(MakeDirectories(state_dir, 0700));
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST)
    return Failure(Error::FromErrno("making directory " + path));
  Fd directory = TRY(Open(path));
  struct stat info{};
  if (::fstat(directory.get(), &info) < 0) return Failure(Error::FromErrno("looking at " + path));
  if (::geteuid() == 0 && info.st_uid != relay_uid &&
      ::fchown(directory.get(), relay_uid, relay_uid) < 0)
    return Failure(Error::FromErrno("giving " + path + " to the network relay"));
  return directory;
}

Result<Fd> OpenCacheDirectory(const std::string& state_dir) {
  auto directory = Open(PathOf(state_dir));
  if (directory || directory.error().sys_errno() != ENOENT) return directory;
  return Failure(
      Error(ErrorCode::kNotFound, Fault::kCaller, "there is no package cache")
          .WithRemedy("a run with --cache 1g makes one, or a server with network.cache"));
}

}  // namespace cay::network
