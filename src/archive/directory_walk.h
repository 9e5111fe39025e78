// DirectoryWalk: goes up and down in a directory tree that is not trusted, by descriptors. No depth
// exhausts descriptors or the stack: only the innermost directories stay open, and one that was
// closed is opened again from the top, by its path, without following symlinks. Whatever runs
// beside it and renames things, every directory it opens is beneath the top at that moment.
//
//   DirectoryWalk walk(TRY(OpenTop()));
//   for (const std::string& name : TRY(ReadNames(walk.current(), max))) ...
//   TRY(walk.Enter(name));       // ELOOP or ENOTDIR: not a directory; EXDEV: something is mounted
//   TRY(walk.Leave());
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

enum class Mounts { kStayOut, kEnter };

class DirectoryWalk {
 public:
  DirectoryWalk(Fd top, Mounts mounts) : top_(std::move(top)), mounts_(mounts) {}

  const Fd& current() const { return frames_.empty() ? top_ : *frames_.back().fd; }
  size_t depth() const { return frames_.size(); }  // 0 at the top
  // Relative to the top; "" there.
  std::string Path() const { return PathTo(frames_.size()); }

  Result<void> Enter(std::string name);
  // Back to the parent. When it is no longer where it was, this fails, and current() must not be
  // used until a further Leave succeeded.
  Result<void> Leave();

 private:
  struct Frame {
    std::string name;
    std::optional<Fd> fd;
  };

  uint64_t Resolve() const;
  std::string PathTo(size_t depth) const;
  Result<Fd> OpenChild(const Fd& directory, const std::string& name) const;

  Fd top_;
  Mounts mounts_;
  std::vector<Frame> frames_;
};

// Without "." and "..", in the order of the filesystem. kLimitTooHigh for more than `max`.
Result<std::vector<std::string>> ReadNames(const Fd& directory, uint64_t max);

}  // namespace cay::archive
