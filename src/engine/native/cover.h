// Covers: what is mounted over a file or directory of a sandbox that code inside is not to reach. A file's cannot be
// opened (EACCES), a directory's is empty.
//
//   Covers covers(root);                       // the sandbox's root, with /dev attached
//   TRY(covers.Put(place, /*directory=*/false));
#pragma once

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// A detached mount of `path` below `from` ("" is `from` itself): read-only, without devices and setuid.
Result<Fd> ReadOnlyClone(const Fd& from, const char* path);

class Covers {
 public:
  // `root` outlives it.
  explicit Covers(const Fd& root) : root_(root) {}

  // `place` is a descriptor of what is covered, on a mount of the calling process's mount namespace. About 2.5 µs.
  Result<void> Put(const Fd& place, bool directory);

 private:
  const Fd& root_;
  // The first of each kind, of which the others are clones: they have its attributes.
  std::optional<Fd> file_;
  std::optional<Fd> directory_;
};

}  // namespace cay::engine::native
