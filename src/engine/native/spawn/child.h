// Child: from clone3 to the guest. Runs in the sandbox's new namespaces, in a copy of the
// launcher's memory, and ends as the guest, or in _exit.
//
// It and the launcher speak over a SEQPACKET pair, one short packet each:
//
//   launcher → child   kMapped                    the id maps are written
//   launcher → child   kMounts + descriptors      the root filesystem's mounts (root only)
//   child → launcher   kConfined (+ a mount)      cgroups are joined; about to be the guest. Of a
//                                                 single user the writable layer's
//   child → launcher   kFailed + the error        it could not; the child ends
//   (end of file)                                 the guest runs: it has closed the pair
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/spawn/guest_image.h"

namespace cay::engine::native {

// Everything the child needs, by reference: it has the launcher's memory.
struct ChildPlan {
  const CreateRequest& request;
  const GuestEntry& guest;
  const Fd&
      guest_socket;  // bound; the child listens on it and hands it to the guest as descriptor 3
  const std::vector<Fd>& cgroup_entrances;  // Cgroup::OpenEntrances
  const std::vector<CgroupView>& cgroups;   // Cgroup::Views, for single_user
  std::string staging_dir;
  bool single_user = false;
  bool limit_nproc = false;
  bool own_netns = false;  // made by clone3: lo is down
  bool die_with_parent = false;
};

std::string EncodePlaces(const std::vector<PlacedMount>& mounts);
[[noreturn]] void RunChild(const ChildPlan& plan, const Fd& socket);

}  // namespace cay::engine::native
