// Loop devices, under the writable layers of sandboxes and under volumes. A device clears itself
// with its last mount (autoclear), and stays, free, for the next use.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::volume {

struct LoopDevice {
  Fd fd;
  std::string path;
};

// Binds the image to a free loop device, to be written where the image is open for that. The device
// holds this open file, and so the locks that are taken on it (flock(2)), as long as it is bound.
// Tries again when another process takes the same one first.
Result<LoopDevice> AttachLoop(const Fd& image);

// The device under a mounted image; nothing where it is no loop device.
std::optional<dev_t> LoopDeviceOf(const Fd& mount);

// The path of the loop device that holds the image, which is told by its number and its
// filesystem's; nothing where none does. `device`: the only one that can; without it all that are
// bound are asked, which takes long where there are hundreds.
Result<std::optional<std::string>> FindLoopDevice(const struct stat& image,
                                                  std::optional<dev_t> device);

// Devices that are free, and numbered `first` or higher: after a burst there are more than will be
// needed. Those below, and those in use, stay.
inline constexpr unsigned kKeptLoopDevices = 64;
size_t CountSpareLoopDevices(unsigned first = kKeptLoopDevices);
// Removes at most so many of them; returns how many it removed.
size_t RemoveSpareLoopDevices(size_t most, unsigned first = kKeptLoopDevices);

}  // namespace cay::volume
