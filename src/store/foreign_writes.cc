#include "store/foreign_writes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <ctime>

#include "base/os/sys.h"

namespace cay::store {
namespace {

constexpr int64_t kNanoseconds = 1'000'000'000;

std::string FileOf(const std::string& state_dir) { return state_dir + "/cay.db-touched"; }

}  // namespace

Result<void> LeaveForeignMark(const std::string& state_dir) {
  const Fd file = TRY(sys::OpenAt(AT_FDCWD, FileOf(state_dir).c_str(),
                                  O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  // Not UTIME_NOW, which is the kernel's last tick: two changes within one would have the same
  // mark.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, now};
  if (::futimens(file.get(), times) < 0) {
    return Failure(Error::FromErrno("telling the server of a change"));
  }
  return {};
}

int64_t ReadForeignMark(const std::string& state_dir) {
  struct stat info{};
  if (::stat(FileOf(state_dir).c_str(), &info) < 0) return 0;
  return static_cast<int64_t>(info.st_mtim.tv_sec) * kNanoseconds + info.st_mtim.tv_nsec;
}

}  // namespace cay::store
