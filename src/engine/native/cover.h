// Covers: what is mounted over a file or directory of a sandbox that code inside is not to reach. A file's cannot be
// opened (EACCES), a directory's is empty.
//
//   Covers covers(root);                       // the sandbox's root, with /dev attached
//   TRY(covers.Put(proc, "locks", /*directory=*/false));
#pragma once

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// A detached mount of `path` below `from` ("" is `from` itself; a symlink is not followed): read-only, and nothing there is a
// device, setuid or executable.
Result<Fd> ReadOnlyClone(const Fd& from, const char* path);

class Covers {
 public:
  // `root` outlives it.
  explicit Covers(const Fd& root) : root_(root) {}

  // On `path` below `from`, or with "" on `from` itself, on a mount of the calling process's mount namespace. A symlink in the
  // last place is not followed, and cannot be covered. About 3 µs.
  Result<void> Put(const Fd& from, const char* path, bool directory);

 private:
  const Fd& root_;
  // The first of each kind, of which the others are clones: they have its attributes.
  std::optional<Fd> file_;
  std::optional<Fd> directory_;
};

}  // namespace cay::engine::native
