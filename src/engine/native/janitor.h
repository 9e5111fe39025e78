// Janitor: a worker of the launcher's (worker.h) that lets go of mounted filesystems. The last reference to
// an image's mount is what unmounts it, some 2 ms that nobody who destroys a sandbox should wait
// for.
//
// It holds nothing but the mounts it was sent and one socket, and ends when the launcher does. If
// it dies, the launcher does the work itself.
#pragma once

#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace cay::engine::native {

class Janitor {
 public:
  Janitor() = default;

  // Closes a mount, or a namespace, elsewhere.
  void LetGo(Fd mount);

  // Starts the process if it does not run; false when it does. For idle moments: the first LetGo
  // does it otherwise.
  Result<bool> Start();

 private:
  std::optional<Fd> socket_;
};

}  // namespace cay::engine::native
