#include "volume/volume_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/names/owned_name.h"
#include "base/os/disk_room.h"
#include "base/os/sys.h"
#include "volume/disk/ext4_image.h"
#include "volume/disk/loop_device.h"

namespace cay::volume {
namespace {

constexpr Millis kLockPause{10};
// Replaying a journal, and what comes between that and the mount.
constexpr int kMountTries = 3;
// Made by mke2fs in every filesystem (EXT4_GOOD_OLD_FIRST_INO), for what e2fsck finds.
constexpr ino_t kLostAndFound = 11;

Result<bool> TryLock(const Fd& file, int kind) {
  while (::flock(file.get(), kind | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return Failure(Error::FromErrno("locking a volume"));
  }
  return true;
}

Result<bool> AwaitLock(const Fd& file, int kind, Millis patience) {
  while (true) {
    if (TRY(TryLock(file, kind))) return true;
    if (patience <= Millis(0)) return false;
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kLockPause).count()));
    patience -= kLockPause;
  }
}

Error NoVolume(std::string_view directory) {
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "there is no volume \"" + NameOfDirectory(directory) + "\"");
}

Result<Fd> OpenDirectory(const std::string& directory) {
  auto opened = sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!opened && opened.error().sys_errno() == ENOENT) return Failure(NoVolume(directory));
  return opened;
}

Result<void> CheckSound(const Ext4State& state, const std::string& directory) {
  if (state.is_ext4 && !state.has_errors) return {};
  return Failure(
      Error(ErrorCode::kIo, Fault::kMachine,
            "the filesystem of volume " + NameOfDirectory(directory) + " is damaged")
          .WithRemedy("repair it while nobody uses it: e2fsck -f " + directory + "/" + kImageName));
}

Result<Fd> Mount(const Fd& image, Use use) {
  const LoopDevice device = TRY(AttachLoop(image));
  const bool reads = use == Use::kRead;
  return MountExt4(device.path, reads ? unsigned{MOUNT_ATTR_RDONLY} : 0U, reads);
}

// By a mount that may write, which ends at once. Its device keeps the lock until it has.
Result<void> ReplayJournal(const Fd& directory, Millis patience) {
  const Fd image = TRY(LockImage(directory, Use::kWrite, patience));
  TRY(Mount(image, Use::kWrite));
  return {};
}

// An empty one is as good as none: what is mounted is the volume's alone.
Result<void> RemoveLostAndFound(const Fd& mount) {
  struct stat info{};
  if (::fstatat(mount.get(), "lost+found", &info, AT_SYMLINK_NOFOLLOW) < 0 ||
      info.st_ino != kLostAndFound) {
    return {};
  }
  if (::unlinkat(mount.get(), "lost+found", AT_REMOVEDIR) == 0 || errno == ENOTEMPTY) return {};
  return Failure(Error::FromErrno("removing lost+found"));
}

// All of it may be written.
Result<void> CheckRoom(const DiskRoom& room, Bytes size) {
  if (room.free >= size + kHostReserve) return {};
  const Bytes given = room.free > kHostReserve ? room.free - kHostReserve : 0;
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                       "a volume of " + FormatBytes(size) + " is more than the " +
                           HumanBytes(given) + " that the state directory's disk can give")
                     .WithRemedy("ask for a smaller one, or free some space"));
}

}  // namespace

bool IsSameVolume(std::string_view directory, std::string_view other) {
  return directory.substr(directory.rfind('/') + 1) == other.substr(other.rfind('/') + 1);
}

std::string NameOfDirectory(std::string_view directory) {
  const std::string_view file = directory.substr(directory.rfind('/') + 1);
  return NameOfOwnedFile(file).value_or(std::string(file));
}

Result<void> CheckVolumeSize(Bytes size) {
  if (size >= kMinVolume && size <= kMaxVolume && size % 4096 == 0) return {};
  return Failure(Error::Impossible("the size of a volume is a multiple of 4k from " +
                                   FormatBytes(kMinVolume) + " to " + FormatBytes(kMaxVolume)));
}

// With a journal, unlike the filesystems of sandboxes: it outlives a crash of the machine. The
// kernel writes no more to one in which it has found an error.
Result<void> MakeImage(const std::string& path, Bytes size) {
  TRY(CheckVolumeSize(size));
  const std::string image = path + "/" + kImageName;
  const Fd file = TRY(sys::OpenAt(AT_FDCWD, image.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  TRY(CheckRoom(TRY(DiskRoomOf(file)), size));
  if (::ftruncate(file.get(), static_cast<off_t>(size)) < 0)
    return Failure(Error::FromErrno("sizing " + image));
  const std::string log = path + "/mke2fs.log";
  const std::string extended = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0";
  std::vector<std::string> arguments = {"-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256"};
  arguments.insert(arguments.end(), {"-m", "0", "-i", "16384", "-e", "remount-ro", "-O",
                                     "^resize_inode,extent,metadata_csum", "-E", extended});
  // What mke2fs chooses by itself is at least 4 MiB, and a good part of a small one.
  if (size < 256 * kMiB) arguments.insert(arguments.end(), {"-J", "size=4"});
  arguments.push_back(image);
  TRY(RunMke2fs(arguments, log));
  ::unlink(log.c_str());
  if (::fsync(file.get()) < 0) return Failure(Error::FromErrno("writing " + image));
  return {};
}

Bytes ImageUse(const Fd& directory) {
  struct stat info{};
  if (::fstatat(directory.get(), kImageName, &info, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return static_cast<Bytes>(info.st_blocks) * 512;
}

Result<Fd> LockVolume(const std::string& directory, Millis patience) {
  Fd opened = TRY(OpenDirectory(directory));
  if (!TRY(AwaitLock(opened, LOCK_EX, patience))) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "volume " + NameOfDirectory(directory) + " is busy")
                       .WithRemedy("try again in a moment"));
  }
  // Whoever had it may have removed it, and another may have its name by now.
  struct stat mine{};
  struct stat named{};
  if (::fstat(opened.get(), &mine) < 0) return Failure(Error::FromErrno("looking at a volume"));
  if (::lstat(directory.c_str(), &named) < 0 || mine.st_ino != named.st_ino ||
      mine.st_dev != named.st_dev) {
    return Failure(NoVolume(directory));
  }
  return opened;
}

Result<Fd> LockImage(const Fd& directory, Use use, Millis patience) {
  const bool writes = use == Use::kWrite;
  Fd image =
      TRY(sys::OpenAt(directory.get(), kImageName, (writes ? O_RDWR : O_RDONLY) | O_NOFOLLOW));
  if (TRY(AwaitLock(image, writes ? LOCK_EX : LOCK_SH, patience))) return image;
  return Failure(
      Error(ErrorCode::kIllegalState, Fault::kCaller,
            writes ? "the volume is in use" : "the volume is in use, and written to")
          .WithRemedy("wait until that has ended: losetup --list shows what is mounted"));
}

Result<Fd> MountVolume(const std::string& directory, Use use, Millis patience) {
  const Fd opened = TRY(OpenDirectory(directory));
  for (int tries = 0; tries < kMountTries; ++tries) {
    {
      const Fd image = TRY(LockImage(opened, use, patience));
      const Ext4State state = TRY(ReadExt4State(image));
      TRY(CheckSound(state, directory));
      if (use == Use::kWrite || !state.needs_journal) {
        Fd mount = TRY(Mount(image, use));
        if (use == Use::kWrite) TRY(RemoveLostAndFound(mount));
        return mount;
      }
    }
    TRY(ReplayJournal(opened, patience));
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "volume " + NameOfDirectory(directory) + " is written to again and again")
                     .WithRemedy("try again in a moment"));
}

Result<void> GiveTop(const Fd& mount, uid_t owner) {
  struct stat info{};
  if (::fstat(mount.get(), &info) < 0) return Failure(Error::FromErrno("looking at a volume"));
  if (info.st_uid == owner && info.st_gid == owner) return {};
  if (::fchownat(mount.get(), "", owner, owner, AT_EMPTY_PATH) < 0)
    return Failure(Error::FromErrno("giving a volume to its user"));
  return {};
}

}  // namespace cay::volume
