#include "engine/native/rootfs/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/rootfs/own_names.h"
#include "engine/native/rootfs/uppers_ahead.h"
#include "engine/native/rootfs/usual_places.h"
#include "volume/disk/ext4_image.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {
namespace {

constexpr const char* kNextScratchName = "scratch.next";
// The root filesystem, and in the template `host` /usr.
constexpr std::array<const char*, 2> kOverlaysAhead = {"0", "1"};
constexpr int kDetachTries = 500;
constexpr useconds_t kDetachPauseUs = 10'000;

// The number is for how it is made.
std::string BaseImagePath(const std::string& images_dir, const Limits& limits) {
  return images_dir + "/empty-ext4-5-" + std::to_string(limits.disk) + "-" +
         std::to_string(EffectiveInodes(limits)) + ".img";
}

// A directory tree that mke2fs puts into the image: N/upper and N/work, and what the first has.
Result<void> MakeSkeleton(const std::string& path) {
  for (unsigned i = 0; i < kMaxOverlays; ++i) {
    const std::string overlay = path + "/" + std::to_string(i);
    TRY(MakeDirectories(overlay + "/upper", 0755));
    TRY(MakeDirectories(overlay + "/work", 0755));
  }
  return MakeUppersAhead(TRY(sys::OpenAt(AT_FDCWD, (path + "/0").c_str(), O_RDONLY | O_DIRECTORY)));
}

Result<void> BuildBaseImage(const std::string& directory, const std::string& image,
                            const Limits& limits) {
  TRY(MakeSkeleton(directory + "/root"));
  {
    const Fd file = TRY(sys::OpenAt(AT_FDCWD, image.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    if (::ftruncate(file.get(), static_cast<off_t>(limits.disk)) < 0) {
      return Failure(Error::FromErrno("sizing " + image));
    }
  }
  // A few inodes are ext4's own and the skeleton's, not the sandbox's.
  const uint64_t inodes = EffectiveInodes(limits) + 16 + 3 * uint64_t{kMaxOverlays} +
                          kUsualPlaces.size() + kOwnNamesInodes + kUppersAheadInodes;
  return volume::RunMke2fs(
      {"-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O",
       "^has_journal,^resize_inode,^sparse_super,sparse_super2,extent,metadata_csum", "-E",
       "lazy_itable_init=1,nodiscard,root_owner=0:0,num_backup_sb=0", "-N", std::to_string(inodes),
       "-d", directory + "/root", image},
      directory + "/log");
}

// Builds aside and renames: of several processes that find the image missing, each makes a whole
// one.
Result<Fd> OpenBaseImage(const std::string& images_dir, const Limits& limits) {
  const std::string path = BaseImagePath(images_dir, limits);
  if (auto ready = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY)) return ready;
  TRY(MakeDirectories(images_dir, 0700));
  std::string aside = images_dir + "/making-XXXXXX";
  if (::mkdtemp(aside.data()) == nullptr) return Failure(Error::FromErrno("making " + aside));
  Result<void> built = BuildBaseImage(aside, aside + "/image", limits);
  if (built && ::rename((aside + "/image").c_str(), path.c_str()) < 0) {
    built = Failure(Error::FromErrno("renaming " + aside));
  }
  TRY(RemoveTreeAt(AT_FDCWD, aside));
  TRY(std::move(built));
  return sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
}

// Copies what is not a hole: some 100 KiB of metadata, whatever the size.
Result<void> CopySparse(const Fd& from, const Fd& to) {
  const off_t size = ::lseek(from.get(), 0, SEEK_END);
  if (size < 0 || ::ftruncate(to.get(), size) < 0)
    return Failure(Error::FromErrno("copying an image"));
  off_t at = 0;
  while (at < size) {
    off_t data = ::lseek(from.get(), at, SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) break;
      return Failure(Error::FromErrno("copying an image"));
    }
    const off_t hole = ::lseek(from.get(), data, SEEK_HOLE);
    if (hole < 0) return Failure(Error::FromErrno("copying an image"));
    off_t target = data;
    while (data < hole) {
      const ssize_t copied = ::copy_file_range(from.get(), &data, to.get(), &target,
                                               static_cast<size_t>(hole - data), 0);
      if (copied <= 0)
        return Failure(Error::FromErrno("copying an image", copied < 0 ? errno : EIO));
    }
    at = hole;
  }
  return {};
}

Result<void> FillImage(const std::string& images_dir, const Fd& image, const Limits& limits) {
  if (limits.disk < kMinScratchDisk || limits.disk % 4096 != 0) {
    return Failure(Error::Invalid("the disk limit must be a multiple of 4k and at least " +
                                  FormatBytes(kMinScratchDisk)));
  }
  TRY(CheckScratchRoom(image, limits.disk));
  return CopySparse(TRY(OpenBaseImage(images_dir, limits)), image);
}

Result<Fd> MountImage(const Fd& image) {
  const volume::LoopDevice device = TRY(volume::AttachLoop(image));
  return volume::MountExt4(device.path, 0);
}

// What the making of an overlay looks up and changes, so that its blocks are in memory by then:
// each would be a trip to the disk, which direct I/O does not shorten.
Result<void> ReadAhead(const Fd& mount, const std::string& overlay) {
  const std::string probe = overlay + "/work/ahead";
  TRY(sys::MkdirAt(mount.get(), probe.c_str(), 0700));
  if (::unlinkat(mount.get(), probe.c_str(), AT_REMOVEDIR) < 0) {
    return Failure(Error::FromErrno("removing " + probe));
  }
  const std::string name = overlay + "/upper/none";
  if (::faccessat(mount.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) {
    return Failure(Error::FromErrno("looking for " + name));
  }
  return {};
}

}  // namespace

Result<void> CheckScratchRoom(const Fd& dir, Bytes disk) {
  return CheckRoomFor(TRY(DiskRoomOf(dir)), disk);
}

uint64_t EffectiveInodes(const Limits& limits) {
  return limits.inodes != 0 ? limits.inodes : std::max<uint64_t>(limits.disk / (16 * kKiB), 128);
}

std::string WhyNoDiskScratch() { return volume::WhyNoImages(); }

Result<void> MakeScratchImage(const std::string& images_dir, const Fd& sandbox_dir,
                              const Limits& limits) {
  const Fd image = TRY(sys::OpenAt(sandbox_dir.get(), kScratchImageName,
                                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (auto filled = FillImage(images_dir, image, limits); !filled) {
    ::unlinkat(sandbox_dir.get(), kScratchImageName, 0);
    return filled;
  }
  return {};
}

Result<Fd> MountScratchImage(const Fd& sandbox_dir) {
  return MountImage(TRY(sys::OpenAt(sandbox_dir.get(), kScratchImageName, O_RDWR | O_NOFOLLOW)));
}

namespace {

Result<std::optional<std::string>> DeviceOf(const Fd& sandbox_dir, std::optional<dev_t> device) {
  struct stat image{};
  if (::fstatat(sandbox_dir.get(), kScratchImageName, &image, AT_SYMLINK_NOFOLLOW) < 0)
    return Failure(Error::FromErrno("looking at the writable layer"));
  return volume::FindLoopDevice(image, device);
}

}  // namespace

Result<Fd> MountScratchToRead(const Fd& sandbox_dir, std::optional<dev_t> device) {
  for (int tries = 0; tries < kDetachTries; ++tries) {
    const std::optional<std::string> path = TRY(DeviceOf(sandbox_dir, device));
    if (!path) {
      TRY(CheckScratchWhole(sandbox_dir));
      return MountScratchImage(sandbox_dir);
    }
    auto mount = volume::MountExt4(*path, MOUNT_ATTR_RDONLY);
    // It may have let go of the image meanwhile, and have another one's by now. Mounted, it keeps
    // what it has.
    if (mount && TRY(DeviceOf(sandbox_dir, device)) == path) return mount;
    ::usleep(kDetachPauseUs);
  }
  return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                       "the sandbox's writable layer cannot be mounted to be read"));
}

Result<UnnamedScratch> MakeUnnamedScratch(const std::string& images_dir, const Limits& limits) {
  TRY(MakeDirectories(images_dir, 0700));
  const Fd home = TRY(sys::OpenAt(AT_FDCWD, images_dir.c_str(), O_PATH | O_DIRECTORY));
  return MakeUnnamedScratchIn(home, images_dir, limits);
}

Result<UnnamedScratch> MakeUnnamedScratchIn(const Fd& home, const std::string& images_dir,
                                            const Limits& limits) {
  Fd image = TRY(sys::OpenAt(home.get(), ".", O_RDWR | O_TMPFILE, 0600));
  TRY(FillImage(images_dir, image, limits));
  Fd mount = TRY(MountImage(image));
  for (const char* overlay : kOverlaysAhead) TRY(ReadAhead(mount, overlay));
  return UnnamedScratch{std::move(image), std::move(mount)};
}

namespace {

Result<void> Name(const Fd& image, const Fd& sandbox_dir, const char* name) {
  const std::string path = "/proc/self/fd/" + std::to_string(image.get());
  if (::linkat(AT_FDCWD, path.c_str(), sandbox_dir.get(), name, AT_SYMLINK_FOLLOW) < 0)
    return Failure(Error::FromErrno("naming a writable layer"));
  return {};
}

}  // namespace

Result<bool> CanBeNamedIn(const Fd& sandbox_dir, const Fd& image) {
  return TRY(MountIdOf(sandbox_dir.get(), "")) == TRY(MountIdOf(image.get(), ""));
}

Result<void> NameScratchImage(const Fd& image, const Fd& sandbox_dir, const Limits& limits) {
  TRY(CheckScratchRoom(sandbox_dir, limits.disk));
  return Name(image, sandbox_dir, kScratchImageName);
}

Result<void> ReplaceScratchImage(const Fd& image, const Fd& sandbox_dir) {
  const int dir = sandbox_dir.get();
  // Of a launcher that died between the two.
  if (::unlinkat(dir, kNextScratchName, 0) < 0 && errno != ENOENT)
    return Failure(Error::FromErrno("removing a writable layer"));
  TRY(Name(image, sandbox_dir, kNextScratchName));
  if (::renameat(dir, kNextScratchName, dir, kScratchImageName) < 0)
    return Failure(Error::FromErrno("replacing the writable layer"));
  return {};
}

Result<void> AwaitDetached(const Fd& sandbox_dir, std::optional<dev_t> device) {
  for (int tries = 0; tries < kDetachTries; ++tries) {
    if (!TRY(DeviceOf(sandbox_dir, device))) return {};
    ::usleep(kDetachPauseUs);
  }
  return Failure(
      Error(ErrorCode::kTimeout, Fault::kMachine, "the sandbox's writable layer is still in use")
          .WithRemedy("look for processes that hold it: losetup --list"));
}

Result<void> CheckScratchWhole(const Fd& sandbox_dir) {
  auto image = sys::OpenAt(sandbox_dir.get(), kScratchImageName, O_RDONLY | O_NOFOLLOW);
  if (!image) {
    return Failure(std::move(image)
                       .error()
                       .WithContext("the sandbox's disk")
                       .WithRemedy("destroy it, and create another"));
  }
  // A filesystem without a journal is not clean while it is mounted.
  const volume::Ext4State state = TRY(volume::ReadExt4State(*image));
  if (state.is_ext4 && state.clean) return {};
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       "the sandbox's disk is not whole: it was not unmounted before it was left")
                     .WithRemedy("destroy it, and create another"));
}

Result<std::vector<Fd>> OpenUppers(const Fd& scratch, size_t overlays) {
  std::vector<Fd> uppers;
  for (size_t i = 0; i < overlays; ++i) {
    const std::string path = std::to_string(i) + "/upper";
    uppers.push_back(
        TRY(sys::OpenAt(scratch.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)));
  }
  return uppers;
}

Result<Fd> OpenUpperOfRoot(const Fd& scratch) {
  return std::move(TRY(OpenUppers(scratch, 1)).front());
}

Result<Fd> MakeScratchTmpfs(const Limits& limits, unsigned overlays, uid_t owner) {
  const Fd context = TRY(sys::FsOpen("tmpfs"));
  TRY(sys::FsConfigString(context, "size", std::to_string(limits.disk).c_str()));
  const uint64_t inodes =
      EffectiveInodes(limits) + 1 + 3 * uint64_t{overlays} + kUsualPlaces.size() + kOwnNamesInodes;
  TRY(sys::FsConfigString(context, "nr_inodes", std::to_string(inodes).c_str()));
  TRY(sys::FsConfigString(context, "mode", "0755"));
  TRY(sys::FsConfigCreate(context));
  Fd mount = TRY(sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  for (unsigned i = 0; i < overlays; ++i) {
    const std::string overlay = std::to_string(i);
    TRY(sys::MkdirAt(mount.get(), overlay.c_str(), 0755));
    for (const char* part : {"/upper", "/work"}) {
      TRY(sys::MkdirAt(mount.get(), (overlay + part).c_str(), 0755));
      TRY(sys::ChownAt(mount.get(), (overlay + part).c_str(), owner, owner));
    }
  }
  return mount;
}

}  // namespace cay::engine::native
