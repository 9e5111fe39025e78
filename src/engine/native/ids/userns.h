// User namespaces and their id maps (user_namespaces(7)).
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// The ordinary user inside every sandbox: uid and gid.
inline constexpr uid_t kUserId = 1000;

// One line of uid_map or gid_map: `count` ids from `inside` are those from `outside`. For a
// namespace that serves as the map of an idmapped mount, `inside` is what is on disk and `outside`
// what the kernel sees.
struct IdMapping {
  uid_t inside;
  uid_t outside;
  uid_t count;
};

// Writes /proc/PID/{uid_map,gid_map}. With `deny_setgroups` (an ordinary user must) setgroups
// first.
Result<void> WriteIdMaps(pid_t pid, const std::vector<IdMapping>& uids,
                         const std::vector<IdMapping>& gids, bool deny_setgroups);

// A user namespace that nobody is in: a map for mount_setattr(2). Needs root.
Result<Fd> MakeUserns(const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids);

// The user namespace of a process that is ours and has not been reaped.
Result<Fd> OpenUserns(pid_t pid);

}  // namespace cay::engine::native
