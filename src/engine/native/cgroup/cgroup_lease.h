// CgroupLease: who may make groups under the state directory's parent groups (CgroupParentName)
// holds one, so that the last one out can take the parents away.
//
//   auto lease = TRY(CgroupLease::Take(state_dir));    // before CgroupTree::Discover
//   ...
//   std::move(lease).GiveBack(tree);
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/cgroup/cgroup.h"

namespace cay::engine::native {

class CgroupLease {
 public:
  // Waits while another one takes the parents away, which is a few rmdir. The directory must be
  // there.
  static Result<CgroupLease> Take(const std::string& state_dir);

  // Removes the parents if nobody else has a lease, no group is left in them and they are not those
  // of the default state directory: making those anew would cost every `cay run`. The destructor
  // leaves them.
  void GiveBack(const CgroupTree& tree) &&;

 private:
  CgroupLease(Fd lock, bool keep) : lock_(std::move(lock)), keep_(keep) {}

  Fd lock_;
  bool keep_;
};

}  // namespace cay::engine::native
