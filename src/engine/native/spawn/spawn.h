// Spawn: the launcher's side of a start: clone3 with every namespace, id maps, cgroups, the root
// filesystem; until the guest runs. See child.h for the other side.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/spawn/guest_image.h"
#include "engine/native/spawn/netns.h"
#include "engine/native/spawn/stages.h"

namespace cay::engine::native {

// Microseconds from one call to the next.
class Stopwatch {
 public:
  Stopwatch();
  uint32_t Lap();

 private:
  int64_t last_ns_;
};

struct SpawnPlan {
  const CreateRequest& request;
  const GuestEntry& guest;
  const Fd& sandbox_dir;  // guest.sock is bound in it
  const std::string& staging_dir;
  Cgroup* cgroup = nullptr;    // null: none to be had
  NetnsPool* netns = nullptr;  // null: made by clone3 (an ordinary user)
  const Fd* into = nullptr;    // the namespace that it gets; null: one of the pool's
  // The writable layer, asked for when the child is under way; see RootfsBuilder::Build. Not asked
  // for where the child makes its own (an ordinary user).
  std::function<Result<Fd*>()> scratch = nullptr;
  // What is done while the child confines itself, which is some milliseconds; null: nothing. Its
  // failure is Spawn's.
  std::function<Result<void>(const Fd& pidfd)> meanwhile = nullptr;
  uid_t root_uid = 0;  // the host id of root inside; of uid 1000 inside for an ordinary user
  bool single_user = false;
  bool limit_nproc = false;
  bool attach_layers = false;  // see RootfsOptions
  bool idmap_scratch = false;
  std::string inside_programs{};  // see RootfsOptions
};

// The guest's process; it is a child of the caller, who must reap it. And its mount namespace: as
// long as somebody holds that, the guest's death need not wait until it is taken apart.
struct Spawned {
  Fd pidfd;
  Fd mount_namespace;
  std::vector<Fd> layers;     // RootfsBuilder::TakeLayers
  std::optional<Fd> scratch;  // of a single user: the writable layer, which the child mounted
};

// On error no process of it remains. `stage_us` gets the stages kLayers to kExec.
Result<Spawned> Spawn(const SpawnPlan& plan, StageLaps& stage_us);

// Waits until the child behind the pidfd is dead, and reaps it. Its waitid(2) status.
struct Reaped {
  int code = 0;  // CLD_EXITED, CLD_KILLED …
  int status = 0;
};
Result<Reaped> Reap(const Fd& pidfd);

// The error for a child that ended without reporting one; without a status it has not ended.
// `oom_killed`: its group's memory was used up. Pure.
Error WhyNoGuest(const std::optional<Reaped>& end, bool oom_killed, Bytes memory);

}  // namespace cay::engine::native
