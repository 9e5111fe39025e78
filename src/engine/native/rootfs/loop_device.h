// Loop devices under the writable layers. One clears itself with the last mount (autoclear); the
// device stays, free, for whoever needs one next.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

struct LoopDevice {
  Fd fd;
  std::string path;
};

// Binds the image to a free loop device. Others may take the same one first: then again.
Result<LoopDevice> AttachLoop(const Fd& image);

// The device under a mounted image; nothing where it is none of these.
std::optional<dev_t> LoopDeviceOf(const Fd& mount);

// Whether a loop device holds the image, which is told by its number and its filesystem's.
// `device`: the only one that can; without it all that are bound are asked, which takes long where
// there are hundreds.
Result<bool> IsOnALoopDevice(const struct stat& image, std::optional<dev_t> device);

// Devices that are free, and numbered `first` or higher: after a burst there are more than will be
// needed. Those below, and those that are somebody's, stay.
inline constexpr unsigned kKeptLoopDevices = 64;
size_t CountSpareLoopDevices(unsigned first = kKeptLoopDevices);
// Removes so many of them at most; the number of those that went.
size_t RemoveSpareLoopDevices(size_t most, unsigned first = kKeptLoopDevices);

}  // namespace cay::engine::native
