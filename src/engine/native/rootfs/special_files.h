// Sockets and FIFOs of the host in a mounted directory: a process that opens one speaks to a
// process of the host, with the rights of the directory's owner (a docker.sock is the machine).
//
// What keeps them away, the strongest first:
//   - read-only, as root, on a filesystem with idmapped mounts: the kernel refuses to write to what has a group without a
//     mapping (inode_permission), and to connect is to write; so no socket can be reached and no FIFO be written to,
//     whenever it was made (rootfs.cc);
//   - Linux 7.1: the commands' Landlock domain connects to no socket from outside of it (guest/confinement/confine.cc);
//   - otherwise what is there when the sandbox starts is covered, here.
// What the host makes later in a read-write mount, a FIFO that it makes later and that is read, and
// what is not found (SpecialFiles::complete), is reachable. No kernel before 7.1 has a wall for
// that (decision 21).
#pragma once

#include <chrono>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

struct SpecialFileBounds {
  size_t entries = 65'536;  // looked at
  std::chrono::milliseconds time{250};
  size_t found = 256;
};

struct SpecialFiles {
  std::vector<Fd> places;
  // False when there may be more that the caller's filesystem ids can reach: beyond the bounds, in
  // a directory that they may pass through but not list, or because something was moved meanwhile.
  bool complete = true;
};

// Looks through `mount`, the descriptor of a mounted directory, with the caller's filesystem ids,
// but not through what is mounted in it. Follows no symlink. A process that moves things meanwhile,
// such as one in another sandbox with the same mount, can make it see less, sometimes unnoticed,
// but never something outside. kInvalidArgument when there are more than bounds.found.
Result<SpecialFiles> FindSpecialFiles(const Fd& mount, const SpecialFileBounds& bounds = {});

}  // namespace cay::engine::native
