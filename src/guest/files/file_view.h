// FileView: the sandbox's files by absolute path, with the rights that the calling thread has at
// the moment (FileCredentials). Paths are resolved by openat2 with RESOLVE_IN_ROOT |
// RESOLVE_NO_MAGICLINKS: symlinks work, "/proc/PID/fd/N" and its like do not. Nothing here blocks
// on a FIFO, a device or a socket, or even opens one.
//
//   FileView view(root, proc, temporaries);          // directories "/" and "/proc"
//   protocol::FileInfo info = TRY(view.Stat("/etc/hosts", Follow::kYes));
//
// Errors are the caller's and name the path: kNotFound, kPermissionDenied, kAlreadyExists,
// kInvalidArgument ("/x is a FIFO, not a regular file"), kResourceExhausted when the disk is full.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/files/temporaries.h"
#include "protocol/file_messages.h"

namespace cay::guest {

enum class Follow { kNo, kYes };

// "a FIFO", "a directory" …
std::string_view KindName(mode_t mode);
protocol::FileKind KindOf(mode_t mode);

// The error of a system call on a path, in the caller's terms.
Error FileError(const std::string& path, int sys_errno);

class FileView {
 public:
  // All outlive it. `proc` is a proc filesystem's root: files are opened anew through its self/fd.
  // `temporaries`: what is not shown of these files, since it is Cay's.
  FileView(const Fd& root, const Fd& proc, Temporaries& temporaries)
      : root_(root), proc_(proc), temporaries_(temporaries) {}

  // kInvalidArgument for a path that is not absolute, has a NUL, or is over PATH_MAX.
  static Result<void> CheckPath(const std::string& path);

  // An O_PATH descriptor: whatever the file is, opening it so does nothing to it.
  Result<Fd> OpenPath(const std::string& path, Follow follow) const;

  // A regular file, O_RDONLY, whole or not; refuses everything else by its name, and files of
  // /proc: the guest would see its own.
  struct OpenedFile {
    Fd fd;
    struct stat info;
  };
  Result<OpenedFile> OpenForReading(const std::string& path) const;

  // A directory, to be listed (O_RDONLY).
  Result<Fd> OpenDirectory(const std::string& path) const;

  // The directory that holds the last component, which itself is not looked at. kInvalidArgument
  // when there is none to speak of: "/", "a/.", "a/..".
  struct Place {
    Fd directory;
    std::string name;
  };
  Result<Place> OpenPlace(const std::string& path, bool make_parents) const;
  // The same of the file that a write to `path` is a write to: a symlink at the end is followed, as
  // by the kernel (fs.protected_symlinks, 40 links), also to what is not there yet. Refuses /proc.
  Result<Place> OpenPlaceToWrite(const std::string& path, bool make_parents) const;

  Result<protocol::FileInfo> Stat(const std::string& path, Follow follow) const;
  Result<void> MakeDirectory(const std::string& path, mode_t mode, bool parents) const;
  Result<void> Move(const std::string& from, const std::string& to, bool replace) const;
  // Removes a file that is no directory, or an empty directory.
  Result<void> Remove(const std::string& path) const;
  // setuid and setgid are refused; the sticky bit is for directories.
  Result<void> ChangeMode(const std::string& path, mode_t mode) const;

  Temporaries& temporaries() const { return temporaries_; }

  // Opens what an O_PATH descriptor leads to with `flags`. Only for what was seen to be a file or a
  // directory.
  Result<Fd> Reopen(const Fd& path_fd, int flags, const std::string& path) const;

 private:
  Result<void> ChangeModeOf(const Fd& path_fd, mode_t mode, const std::string& path) const;

  const Fd& root_;
  const Fd& proc_;
  Temporaries& temporaries_;
};

// What a listing or kFileInfo says of `name` in `directory` (of `directory` itself when it is "").
Result<protocol::FileInfo> Describe(const Fd& directory, const std::string& name,
                                    const std::string& path);

}  // namespace cay::guest
