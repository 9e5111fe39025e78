// LauncherLock: of the launchers that take over a state directory's persistent sandboxes, those of
// one server at a time. A server's launchers hold it; a server that was killed leaves some behind
// that end by themselves, unless they hang.
//
//   LauncherLock lock = TRY(LauncherLock::Take(state_dir, share));
//   // nobody else has the sandboxes of the share from here on
//
// Record locks of fcntl(2) on STATE/launcher.lock: they are not inherited by children, and the
// kernel says whose they are, so that who is killed for one is who has it, and not who has a number
// that was written down.
//
// The only launcher of a server locks the whole file, as those of 0.1.0 did. Of N each has one byte
// for itself, in a place that is that of N, and shares the rest of the file outside that place with
// the others: launchers of another number have other sandboxes, and so nobody may be left of them.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/launcher/share.h"

namespace cay::engine::native {

class LauncherLock {
 public:
  // Waits some seconds for others to end, then kills them. kUnavailable when one does not die. Only
  // for who knows that no living server has the state directory (store/store_lock.h).
  static Result<LauncherLock> Take(const std::string& state_dir, Share share = {});

 private:
  explicit LauncherLock(Fd file) : file_(std::move(file)) {}
  Fd file_;  // to be closed by nobody else in this process: the lock would go
};

}  // namespace cay::engine::native
