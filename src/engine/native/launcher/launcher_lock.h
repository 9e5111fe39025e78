// LauncherLock: only the launchers of one server at a time take over a state directory's persistent
// sandboxes. A server's launchers hold it; a server that was killed leaves some behind that end by
// themselves, unless they hang.
//
//   LauncherLock lock = TRY(LauncherLock::Take(state_dir, share));
//   // nobody else has the sandboxes of the share from here on
//
// Record locks of fcntl(2) on STATE/launcher.lock: children do not inherit them, and the kernel
// says which process has one, so that the process that is killed for it is the one that holds it,
// and not one that got a written-down number later.
//
// The only launcher of a server locks the whole file, as those of 0.1.0 did. Each of N launchers
// has one byte for itself, at a place that belongs to N, and shares the rest of the file outside
// that place with the others: launchers of another N have other sandboxes, so none of them may be
// left.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/launcher/share.h"

namespace cay::engine::native {

class LauncherLock {
 public:
  // Waits some seconds for others to end, then kills them. kUnavailable when one does not die. Only
  // for a caller that knows that no living server has the state directory (store/store_lock.h).
  static Result<LauncherLock> Take(const std::string& state_dir, Share share = {});

 private:
  explicit LauncherLock(Fd file) : file_(std::move(file)) {}
  Fd file_;  // no other descriptor of the file may be closed in this process: the lock would go
};

}  // namespace cay::engine::native
