// LauncherLock: of the launchers that take over a state directory's persistent sandboxes, one at a time. A server's launcher
// holds it; a server that was killed leaves one behind that ends by itself, unless it hangs.
//
//   LauncherLock lock = TRY(LauncherLock::Take(state_dir));    // nobody else has the sandboxes from here on
//
// A record lock of fcntl(2) on STATE/launcher.lock: it is not inherited by children, and the kernel says whose it is, so that
// who is killed for it is who has it, and not who has a number that was written down.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

class LauncherLock {
 public:
  // Waits some seconds for another one to end, then kills it. kUnavailable when it does not die. Only for who knows that no
  // living server has the state directory (store/store_lock.h).
  static Result<LauncherLock> Take(const std::string& state_dir);

 private:
  explicit LauncherLock(Fd file) : file_(std::move(file)) {}
  Fd file_;  // to be closed by nobody else in this process: the lock would go
};

}  // namespace cay::engine::native
