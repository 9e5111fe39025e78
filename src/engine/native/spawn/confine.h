// Confine: the last steps of the child before it becomes the guest. After them nothing can be
// gained back.
#pragma once

#include <vector>

#include "base/os/fd.h"
#include "base/privileges.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

struct ConfineOptions {
  Limits limits;
  Privileges privileges = Privileges::kNone;
  bool single_user = false;  // uid 1000 is all there is: no capability is of use
  bool limit_nproc =
      false;            // no pids cgroup: RLIMIT_NPROC, counted for each user namespace, stands in
  bool noexec = false;  // no executable memfds
};

// The hard limit of open files this process may give; an ordinary limit above it cannot be set
// without CAP_SYS_RESOURCE.
uint64_t HighestOpenFiles();

// The knobs of the calling process's user namespace, sys/user/max_*_namespaces of `proc`, a procfs
// mount, open for writing. To be opened before the sandbox's own /proc/sys becomes read-only.
Result<std::vector<Fd>> OpenNamespaceKnobs(const Fd& proc);

// No further namespaces below this user namespace. After the last mount was made: a detached one
// counts as a mount namespace.
Result<void> ForbidNamespaces(const std::vector<Fd>& knobs);

// Takes from the bounding set all that the guest does not need. The caller keeps the capabilities
// that it holds until Confine.
Result<void> DropBoundingSet(bool single_user, Privileges privileges);

// In order, after DropBoundingSet: resource limits; capabilities down to what the guest needs (none
// in single-user mode); no_new_privs; the seccomp filters. Run as uid 0 of the sandbox (uid 1000 in
// single-user mode), after everything else.
Result<void> Confine(const ConfineOptions& options);

}  // namespace cay::engine::native
