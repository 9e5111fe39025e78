// SideCommand: a command that no host started: a process inside did, by `sudo` (guest/sudo). The
// table starts and reaps it as its own, and has no output of it.
//
//   TRY(processes.Launch(command));   // then OnSpawned once, and OnReaped once if it was started
#pragma once

#include "guest/spawn/spawn_job.h"

namespace cay::guest {

class SideCommand {
 public:
  virtual ~SideCommand() = default;
  virtual SpawnJob& job() = 0;
  // job().failed says whether it runs.
  virtual void OnSpawned() = 0;
  // From here on its pid may be another's. After OnSpawned.
  virtual void OnReaped(int wait_status) = 0;
};

}  // namespace cay::guest
