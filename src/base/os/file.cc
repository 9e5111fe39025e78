#include "base/os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace cay {
namespace {

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, DirCloser>;

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Gives the owner all permissions over a directory: an ordinary user's tree may hold directories
// that forbid to list, enter or change them. By descriptor, because fchmodat(2) follows symlinks.
bool Unlock(int dir, const char* name) {
  const int raw = ::openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (raw < 0) return false;
  const Fd fd = Fd::Adopt(raw);
  return ::chmod(("/proc/self/fd/" + std::to_string(raw)).c_str(), 0700) == 0;
}

int OpenDirectoryUnlocked(int dir, const char* name) {
  const int raw = ::openat(dir, name, kDirFlags);
  if (raw >= 0 || errno != EACCES || !Unlock(dir, name)) return raw;
  return ::openat(dir, name, kDirFlags);
}

// unlinkat(2) of what is not a directory; once more after unlocking the directory it is in.
int UnlinkUnlocked(int dir, const char* name) {
  if (::unlinkat(dir, name, 0) == 0) return 0;
  if (errno != EACCES || ::fchmod(dir, 0700) < 0) return -1;
  return ::unlinkat(dir, name, 0);
}

// Moves a directory under a new name; moving it rewrites its "..", which needs write permission.
int MoveUnlocked(int from, const char* name, int to, const char* new_name) {
  if (::renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EACCES || !Unlock(from, name)) return -1;
  return ::renameat2(from, name, to, new_name, RENAME_NOREPLACE);
}

}  // namespace

Result<std::string> ReadFileAt(int dir, const std::string& path, size_t max_bytes) {
  const int raw = ::openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (raw < 0) return Failure(Error::FromErrno("reading " + path));
  const Fd fd = Fd::Adopt(raw);
  std::string out;
  size_t used = 0;
  while (true) {
    out.resize(used + 4096);
    const ssize_t got = ::read(fd.get(), out.data() + used, 4096);
    if (got < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("reading " + path));
    }
    used += static_cast<size_t>(got);
    if (used > max_bytes) {
      return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                           path + " is longer than " + std::to_string(max_bytes) + " bytes"));
    }
    if (got == 0) break;
  }
  out.resize(used);
  return out;
}

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  return ReadFileAt(AT_FDCWD, path, max_bytes);
}

Result<void> WriteKnobAt(int dir, const std::string& path, std::string_view value) {
  const int raw = ::openat(dir, path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (raw < 0) return Failure(Error::FromErrno("opening " + path));
  const Fd fd = Fd::Adopt(raw);
  const ssize_t written = ::write(fd.get(), value.data(), value.size());
  if (written != static_cast<ssize_t>(value.size())) {
    return Failure(Error::FromErrno("writing \"" + std::string(value) + "\" to " + path,
                                    written < 0 ? errno : EIO));
  }
  return {};
}

Result<void> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("writing"));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<void> WriteFileAtomic(const std::string& path, std::string_view content, mode_t mode,
                             bool durable) {
  // Threads may write the same file, and a killed process of this number may have left its own.
  static std::atomic<uint64_t> next = 0;
  constexpr int kMostTries = 100;
  std::string temporary;
  int raw = -1;
  for (int i = 0; i < kMostTries && raw < 0 && (i == 0 || errno == EEXIST); ++i) {
    temporary = path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(next++);
    raw = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  }
  if (raw < 0) return Failure(Error::FromErrno("creating " + temporary));
  const Fd fd = Fd::Adopt(raw);
  Result<void> result = WriteAll(fd.get(), content);
  if (result && durable && ::fsync(fd.get()) < 0) {
    result = Failure(Error::FromErrno("fsync of " + temporary));
  }
  if (result && ::rename(temporary.c_str(), path.c_str()) < 0) {
    result = Failure(Error::FromErrno("renaming " + temporary));
  }
  if (!result) ::unlink(temporary.c_str());
  return result;
}

Result<uint64_t> MountIdOf(int dir, const char* path) {
  struct statx info{};
  if (::statx(dir, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info) < 0) {
    return Failure(Error::FromErrno("looking at the mount of \"" + std::string(path) + "\""));
  }
  return info.stx_mnt_id;
}

Result<void> MakeDirectories(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (::mkdir(prefix.c_str(), mode) < 0 && errno != EEXIST) {
      return Failure(Error::FromErrno("making directory " + prefix));
    }
    if (end == std::string::npos) break;
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) < 0) return Failure(Error::FromErrno("looking at " + path));
  if (!S_ISDIR(info.st_mode)) return Failure(Error::FromErrno("making directory " + path, ENOTDIR));
  return {};
}

Result<void> RemoveTreeAt(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return Failure(Error::FromErrno("removing " + name));

  // A stack of open directories would run out of descriptors in a deep tree. So: empty a directory
  // of files; move each subdirectory found to the top directory, under a counted name, and go on
  // there.
  const int top_raw = OpenDirectoryUnlocked(dir, name.c_str());
  if (top_raw < 0) {
    return errno == ENOENT ? Result<void>{} : Failure(Error::FromErrno("removing " + name));
  }
  const Fd top = Fd::Adopt(top_raw);
  struct stat top_info{};
  if (::fstat(top.get(), &top_info) < 0) return Failure(Error::FromErrno("removing " + name));

  uint64_t counter = 0;
  std::vector<std::string> pending = {"."};
  while (!pending.empty()) {
    const std::string current = std::move(pending.back());
    pending.pop_back();
    const int raw = OpenDirectoryUnlocked(top.get(), current.c_str());
    if (raw < 0) return Failure(Error::FromErrno("removing " + name));
    Dir listing(::fdopendir(raw));
    if (!listing) return Failure(Error::FromErrno("removing " + name));
    const bool is_top = current == ".";
    std::vector<std::string> children;
    while (const dirent* entry = ::readdir(listing.get())) {
      const std::string_view child = entry->d_name;
      if (child == "." || child == "..") continue;
      if (UnlinkUnlocked(raw, entry->d_name) == 0 || errno == ENOENT) continue;
      if (errno != EISDIR && errno != EPERM) return Failure(Error::FromErrno("removing " + name));
      struct stat info{};
      if (::fstatat(raw, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          info.st_dev != top_info.st_dev) {
        return Failure(
            Error::FromErrno("removing " + name + ": something is mounted inside", EBUSY));
      }
      children.emplace_back(child);
    }
    for (const std::string& child : children) {
      if (is_top) {
        pending.push_back(child);
        continue;
      }
      std::string moved;
      int moved_result = -1;
      do {  // the tree's own names may collide with ours: whoever made it is not a friend
        moved = ".cay-rm-" + std::to_string(counter++);
        moved_result = MoveUnlocked(raw, child.c_str(), top.get(), moved.c_str());
      } while (moved_result < 0 && errno == EEXIST);
      if (moved_result < 0) return Failure(Error::FromErrno("removing " + name));
      pending.push_back(std::move(moved));
    }
    if (!is_top && ::unlinkat(top.get(), current.c_str(), AT_REMOVEDIR) < 0) {
      return Failure(Error::FromErrno("removing " + name));
    }
  }
  if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("removing " + name));
  }
  return {};
}

}  // namespace cay
