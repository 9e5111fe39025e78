#include "engine/native/rootfs/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "engine/native/rootfs/loop_device.h"
#include "engine/native/rootfs/own_names.h"
#include "engine/native/rootfs/usual_places.h"

namespace cay::engine::native {
namespace {

// A disk of any use writes the metadata of an empty filesystem in a moment. Less than a launcher
// may take for a request (NativeEngineOptions::patience), so that it is this that is told.
constexpr std::chrono::seconds kMke2fsPatience{30};
constexpr const char* kNextScratchName = "scratch.next";
// The root filesystem, and in the template `host` /usr.
constexpr std::array<const char*, 2> kOverlaysAhead = {"0", "1"};
constexpr int kDetachTries = 500;
constexpr useconds_t kDetachPauseUs = 10'000;
constexpr std::array<const char*, 3> kMke2fsPaths = {"/usr/sbin/mke2fs", "/sbin/mke2fs",
                                                     "/usr/local/sbin/mke2fs"};

const char* FindMke2fs() {
  const auto* const found = std::ranges::find_if(
      kMke2fsPaths, [](const char* path) { return ::access(path, X_OK) == 0; });
  return found == kMke2fsPaths.end() ? nullptr : *found;
}

// The 3 is for how it is made.
std::string BaseImagePath(const std::string& images_dir, const Limits& limits) {
  return images_dir + "/empty-ext4-4-" + std::to_string(limits.disk) + "-" +
         std::to_string(EffectiveInodes(limits)) + ".img";
}

Result<void> RunMke2fs(const std::vector<std::string>& arguments, const std::string& log_path) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const Fd log = TRY(sys::OpenAt(AT_FDCWD, log_path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
  const pid_t child = ::vfork();  // NOLINT(bugprone-unsafe-functions): it executes at once
  if (child < 0) return Failure(Error::FromErrno("starting mke2fs"));
  if (child == 0) {
    ::dup2(log.get(), STDOUT_FILENO);
    ::dup2(log.get(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  const Result<int> ended = AwaitChild(child, kMke2fsPatience);
  if (!ended) {
    KillAndReap(child);
    return Failure(ended.error());
  }
  const int status = *ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  auto said = ReadFile(log_path, 64 * kKiB);
  return Failure(
      Error(ErrorCode::kIo, Fault::kMachine,
            "mke2fs cannot make the empty filesystem: " + (said ? *said : "no message")));
}

// A directory tree that mke2fs puts into the image: N/upper and N/work, and in the first the
// places.
Result<void> MakeSkeleton(const std::string& path) {
  for (unsigned i = 0; i < kMaxOverlays; ++i) {
    const std::string overlay = path + "/" + std::to_string(i);
    TRY(MakeDirectories(overlay + "/upper", 0755));
    TRY(MakeDirectories(overlay + "/work", 0755));
  }
  const Fd upper = TRY(sys::OpenAt(AT_FDCWD, (path + "/0/upper").c_str(), O_RDONLY | O_DIRECTORY));
  if (!TRY(MakeUsualPlaces(upper, 0, kOpaqueOfRoot))) {
    LogWarning(path + " is on a filesystem without " + kOpaqueOfRoot +
               ": what directories that are listed hold is not bounded");
  }
  return {};
}

Result<void> BuildBaseImage(const std::string& directory, const std::string& image,
                            const Limits& limits) {
  const char* mke2fs = FindMke2fs();
  if (mke2fs == nullptr) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine, "mke2fs is not installed")
                       .WithRemedy("apt-get install e2fsprogs"));
  }
  TRY(MakeSkeleton(directory + "/root"));
  {
    const Fd file = TRY(sys::OpenAt(AT_FDCWD, image.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    if (::ftruncate(file.get(), static_cast<off_t>(limits.disk)) < 0) {
      return Failure(Error::FromErrno("sizing " + image));
    }
  }
  // A few inodes are ext4's own and the skeleton's, not the sandbox's.
  const uint64_t inodes = EffectiveInodes(limits) + 16 + 3 * uint64_t{kMaxOverlays} +
                          kUsualPlaces.size() + kOwnNamesInodes;
  return RunMke2fs({mke2fs,
                    "-q",
                    "-F",
                    "-t",
                    "ext4",
                    "-b",
                    "4096",
                    "-I",
                    "256",
                    "-m",
                    "0",
                    "-O",
                    "^has_journal,^resize_inode,^sparse_super,sparse_super2,extent,metadata_csum",
                    "-E",
                    "lazy_itable_init=1,nodiscard,root_owner=0:0,num_backup_sb=0",
                    "-N",
                    std::to_string(inodes),
                    "-d",
                    directory + "/root",
                    image},
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

// A device that is mounted gives one more mount of the same filesystem.
Result<Fd> MountDevice(const std::string& path, unsigned attributes) {
  const Fd context = TRY(sys::FsOpen("ext4"));
  TRY(sys::FsConfigString(context, "source", path.c_str()));
  TRY(sys::FsConfigFlag(context, "noinit_itable"));
  TRY(sys::FsConfigCreate(context));
  return sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | attributes);
}

Result<Fd> MountImage(const Fd& image) {
  const LoopDevice device = TRY(AttachLoop(image));
  return MountDevice(device.path, 0);
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

std::string WhyNoDiskScratch() {
  if (::geteuid() != 0) return "an ordinary user cannot mount filesystem images";
  if (::access("/dev/loop-control", R_OK | W_OK) != 0)
    return "there are no loop devices (modprobe loop)";
  if (FindMke2fs() == nullptr) return "mke2fs is not installed (apt-get install e2fsprogs)";
  return {};
}

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
  return FindLoopDevice(image, device);
}

}  // namespace

Result<Fd> MountScratchToRead(const Fd& sandbox_dir, std::optional<dev_t> device) {
  for (int tries = 0; tries < kDetachTries; ++tries) {
    const std::optional<std::string> path = TRY(DeviceOf(sandbox_dir, device));
    if (!path) {
      TRY(CheckScratchWhole(sandbox_dir));
      return MountScratchImage(sandbox_dir);
    }
    auto mount = MountDevice(*path, MOUNT_ATTR_RDONLY);
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
  // s_magic and s_state of struct ext4_super_block, at byte 1024 of the image. A filesystem without
  // a journal is not clean while it is mounted.
  constexpr off_t kMagicAt = 1024 + 0x38;
  constexpr unsigned kMagic = 0xef53;
  constexpr unsigned kClean = 1;
  std::array<unsigned char, 4> fields{};
  if (::pread(image->get(), fields.data(), fields.size(), kMagicAt) ==
          static_cast<ssize_t>(fields.size()) &&
      (fields[0] | fields[1] << 8U) == kMagic && (fields[2] & kClean) != 0) {
    return {};
  }
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
