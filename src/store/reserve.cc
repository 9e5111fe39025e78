#include "store/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "base/os/sys.h"

namespace cay::store {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Bytes kFreeBefore = 4 * Reserve::kSize;
constexpr Millis kLookEvery(1000);
constexpr Millis kLookAgain(60'000);

bool IsHeld(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 &&
         static_cast<Bytes>(info.st_blocks) * 512 >= Reserve::kSize;
}

}  // namespace

void Reserve::Refill() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLookEvery;
  if (IsHeld(path_)) return;
  const auto file =
      sys::OpenAt(AT_FDCWD, path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (!file) return;
  const auto room = DiskRoomOf(*file);
  const bool fits = room && room->free >= kFreeBefore;
  if (fits && ::fallocate(file->get(), 0, 0, static_cast<off_t>(kSize)) == 0) return;
  ::unlink(path_.c_str());
  // A filesystem without fallocate(2), most often.
  if (fits) next_look_ = now + kLookAgain;
}

bool Reserve::GiveUp() {
  if (::unlink(path_.c_str()) < 0) return false;
  LogWarning("the disk of the state directory is full: its reserve is given up");
  // Not at once again: who it was given up for is to have it.
  next_look_ = Clock::now() + kLookEvery;
  return true;
}

}  // namespace cay::store
