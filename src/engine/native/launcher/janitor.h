// Janitor: a worker of the launcher's (worker.h) that closes the last descriptors of what a sandbox
// had. With its mount an image is unmounted, with its file the disk's blocks are freed:
// milliseconds that neither a destroy nor the next create should wait for.
//
// It holds only what it was sent, and one socket. If it dies, or does not keep up, the launcher
// does the work itself.
#pragma once

#include <optional>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

class Janitor {
 public:
  Janitor() = default;

  // Has some loop devices removed that are not needed (loop_device.h), each of which takes
  // milliseconds.
  void RemoveSpareLoops();
  // Closes them elsewhere.
  void LetGo(std::vector<Fd> descriptors);

 private:
  // Starts the process if it does not run.
  Result<void> Start();

  std::optional<Fd> socket_;
};

}  // namespace cay::engine::native
