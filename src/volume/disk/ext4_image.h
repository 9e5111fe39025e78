// Filesystems in files: made by mke2fs, mounted from loop devices, and looked at where they are not
// mounted.
#pragma once

#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::volume {

// Why they cannot be made and mounted here (not root, no loop devices, no mke2fs); empty when they
// can.
std::string WhyNoImages();

// Runs mke2fs with these arguments and waits for it. What it says is in the error, and in the file
// of this path. kNotSupported where it is not installed.
Result<void> RunMke2fs(const std::vector<std::string>& arguments, const std::string& log_path);

// A detached mount: nosuid, nodev and what else `attributes` says (MOUNT_ATTR_RDONLY …). A device
// that is mounted gives one more mount of the same filesystem. With MOUNT_ATTR_RDONLY alone the
// filesystem is one that may be written elsewhere; with `read_only` it is not, and the device need
// not be.
Result<Fd> MountExt4(const std::string& device, unsigned attributes, bool read_only = false);

// What the superblock says of how it was left.
struct Ext4State {
  bool is_ext4 = false;
  // It was unmounted, and nothing is wrong with it. One with a journal is always clean.
  bool clean = false;
  bool has_errors = false;     // the kernel found something wrong with it
  bool needs_journal = false;  // the journal is to be replayed, for which it has to be written
};
// Of an image that nobody has mounted.
Result<Ext4State> ReadExt4State(const Fd& image);

}  // namespace cay::volume
