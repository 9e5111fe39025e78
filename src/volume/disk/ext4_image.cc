#include "volume/disk/ext4_image.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/os/file.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "base/units.h"

namespace cay::volume {
namespace {

// A disk of any use writes the metadata of an empty filesystem in a moment. Less than a launcher
// may take for a request (NativeEngineOptions::patience), so that it is this that is told.
constexpr std::chrono::seconds kMke2fsPatience{30};
constexpr std::array<const char*, 3> kMke2fsPaths = {"/usr/sbin/mke2fs", "/sbin/mke2fs",
                                                     "/usr/local/sbin/mke2fs"};

const char* FindMke2fs() {
  const auto* const found = std::ranges::find_if(
      kMke2fsPaths, [](const char* path) { return ::access(path, X_OK) == 0; });
  return found == kMke2fsPaths.end() ? nullptr : *found;
}

}  // namespace

std::string WhyNoImages() {
  if (::geteuid() != 0) return "an ordinary user cannot mount filesystem images";
  if (::access("/dev/loop-control", R_OK | W_OK) != 0)
    return "there are no loop devices (modprobe loop)";
  if (FindMke2fs() == nullptr) return "mke2fs is not installed (apt-get install e2fsprogs)";
  return {};
}

Result<void> RunMke2fs(const std::vector<std::string>& arguments, const std::string& log_path) {
  const char* const mke2fs = FindMke2fs();
  if (mke2fs == nullptr) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine, "mke2fs is not installed")
                       .WithRemedy("apt-get install e2fsprogs"));
  }
  std::vector<char*> argv = {const_cast<char*>(mke2fs)};
  argv.reserve(arguments.size() + 2);
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

Result<Fd> MountExt4(const std::string& device, unsigned attributes, bool read_only) {
  const Fd context = TRY(sys::FsOpen("ext4"));
  TRY(sys::FsConfigString(context, "source", device.c_str()));
  TRY(sys::FsConfigFlag(context, "noinit_itable"));
  if (read_only) TRY(sys::FsConfigFlag(context, "ro"));
  TRY(sys::FsConfigCreate(context));
  return sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | attributes);
}

// struct ext4_super_block (fs/ext4/ext4.h), at byte 1024 of the image, little-endian.
Result<Ext4State> ReadExt4State(const Fd& image) {
  constexpr off_t kSuperBlockAt = 1024;
  constexpr size_t kMagicAt = 0x38;     // s_magic
  constexpr size_t kStateAt = 0x3a;     // s_state
  constexpr size_t kIncompatAt = 0x60;  // s_feature_incompat
  constexpr unsigned kMagic = 0xef53;
  constexpr unsigned kClean = 1;      // EXT4_VALID_FS
  constexpr unsigned kErrors = 2;     // EXT4_ERROR_FS
  constexpr unsigned kToRecover = 4;  // EXT4_FEATURE_INCOMPAT_RECOVER
  std::array<unsigned char, 0x64> block{};
  const ssize_t got = ::pread(image.get(), block.data(), block.size(), kSuperBlockAt);
  if (got < 0) return Failure(Error::FromErrno("reading a filesystem's superblock"));
  Ext4State state;
  const bool whole = got == static_cast<ssize_t>(block.size());
  state.is_ext4 = whole && (block[kMagicAt] | block[kMagicAt + 1] << 8U) == kMagic;
  if (!state.is_ext4) return state;
  state.clean = (block[kStateAt] & kClean) != 0;
  state.has_errors = (block[kStateAt] & kErrors) != 0;
  state.needs_journal = (block[kIncompatAt] & kToRecover) != 0;
  return state;
}

}  // namespace cay::volume
