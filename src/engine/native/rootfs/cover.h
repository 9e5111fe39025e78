// Covers: what is mounted over a file or directory of a sandbox that code inside is not to reach.
// The cover of a file cannot be opened (EACCES), that of a directory is empty, and one is a file
// with another text than the file below it.
//
//   const Covers covers = TRY(Covers::Make("#subsys_name…"));
//   TRY(covers.Put(proc, "locks", Cover::kFile));
#pragma once

#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// A detached mount of `path` below `from` ("" is `from` itself; a symlink is not followed):
// read-only, and nothing there is a device, setuid or executable.
Result<Fd> ReadOnlyClone(const Fd& from, const char* path);

enum class Cover { kFile, kDirectory, kText };

class Covers {
 public:
  // Makes a small filesystem that the covers are clones of, attached nowhere. `text` is what a
  // cover of that kind says.
  static Result<Covers> Make(std::string_view text);

  // Attaches it on the directory `place`: Linux before 6.15 clones nothing that is detached.
  Result<void> Attach(const Fd& place) const;

  // On `path` below `from`, or with "" on `from` itself. `from` is on a mount of the calling
  // process's mount namespace or, since Linux 6.15, on a detached one of its own. EINVAL before,
  // and where the covers are not attached. A symlink in the last place is not followed, and cannot
  // be covered. About 3 µs.
  Result<void> Put(const Fd& from, const char* path, Cover kind) const;

 private:
  explicit Covers(Fd home) : home_(std::move(home)) {}

  Fd home_;
};

}  // namespace cay::engine::native
