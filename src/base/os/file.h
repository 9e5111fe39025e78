// Whole small files, read and written by the host for itself (state, /proc, cgroup knobs). Never
// for a path that sandboxed code may have shaped: those go through the guest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay {

// Refuses (kIo) a file of more than max_bytes. `dir` is AT_FDCWD or a directory.
Result<std::string> ReadFileAt(int dir, const std::string& path, size_t max_bytes = 1 << 20);
Result<std::string> ReadFile(const std::string& path, size_t max_bytes = 1 << 20);

// One write(2) of the whole value to an existing file: what sysctl and cgroup knobs want.
Result<void> WriteKnobAt(int dir, const std::string& path, std::string_view value);

// Atomic replace: temporary file in the same directory, fsync when `durable`, rename.
Result<void> WriteFileAtomic(const std::string& path, std::string_view content, mode_t mode,
                             bool durable = false);

// All of it, or an error.
Result<void> WriteAll(int fd, std::string_view bytes);

// The id of the mount (statx(2), STATX_MNT_ID) that `path` below `dir` is on, or with "" `dir`
// itself; a symlink in the last place is not followed. Two names of one filesystem may be on
// different mounts.
Result<uint64_t> MountIdOf(int dir, const char* path);

// mkdir -p; existing directories are left as they are.
Result<void> MakeDirectories(const std::string& path, mode_t mode);

// rm -r that never follows a symlink and never crosses a mount, by file descriptors, without
// recursion on the stack (a tree may be thousands of directories deep). No error when it is not
// there.
Result<void> RemoveTreeAt(int dir, const std::string& name);

}  // namespace cay
