#include "volume/disk/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/os/listing.h"
#include "base/os/sys.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::volume {
namespace {

constexpr int kLoopTries = 64;
constexpr const char* kBlockDevices = "/sys/block";
constexpr std::string_view kPrefix = "loop";

Result<Fd> OpenControl() { return sys::OpenAt(AT_FDCWD, "/dev/loop-control", O_RDWR); }

// The kernel shows what a device is bound to, and nothing of one that is free.
bool IsBound(const std::string& directory) {
  return ::access((directory + "/loop").c_str(), F_OK) == 0;
}

std::string DevicePath(std::string_view name) { return "/dev/" + std::string(name); }

Result<bool> Holds(std::string_view name, const struct stat& image) {
  const std::string path = DevicePath(name);
  const auto device = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
  if (!device && device.error().code() == ErrorCode::kResourceExhausted)
    return Failure(device.error());
  if (!device) return false;  // it went meanwhile
  loop_info64 info{};
  if (::ioctl(device->get(), LOOP_GET_STATUS64, &info) < 0) return false;  // ENXIO: not in use
  return info.lo_inode == image.st_ino && info.lo_device == image.st_dev;
}

// The number of a device that is free; nothing for what is in use, or no loop device.
std::optional<unsigned> FreeNumber(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto number = ParseUnsigned(name.substr(kPrefix.size()), std::numeric_limits<int>::max());
  if (!number || IsBound(std::string(kBlockDevices) + "/" + std::string(name))) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::vector<unsigned> SpareNumbers(unsigned first) {
  std::vector<unsigned> spare;
  auto devices = Listing::Open(kBlockDevices);
  while (devices) {
    const auto entry = devices->Next();
    if (!entry || *entry == nullptr) break;
    const auto number = FreeNumber((*entry)->d_name);
    if (number && *number >= first) spare.push_back(*number);
  }
  return spare;
}

}  // namespace

Result<LoopDevice> AttachLoop(const Fd& image) {
  const Fd control = TRY(OpenControl());
  loop_config config{};
  config.fd = static_cast<uint32_t>(image.get());
  config.block_size = 4096;
  // Direct I/O: through the page cache the device's own worker would have its pages charged to the
  // sandbox, and hang where the sandbox has no memory left.
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  const int mode = ::fcntl(image.get(), F_GETFL);
  if (mode >= 0 && (mode & O_ACCMODE) == O_RDONLY) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
  for (int tries = 0; tries < kLoopTries; ++tries) {
    const int number = TRY(sys::IoctlInt(control, LOOP_CTL_GET_FREE, 0, "finding a loop device"));
    std::string path = "/dev/loop" + std::to_string(number);
    auto opened = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR);
    const int failed = opened ? 0 : opened.error().sys_errno();
    // Removed between the two, as a spare one.
    if (failed == ENOENT || failed == ENXIO || failed == ENODEV) continue;
    if (!opened) return Failure(std::move(opened).error());
    auto configured = sys::Ioctl(*opened, LOOP_CONFIGURE, &config, "configuring a loop device");
    if (configured) return LoopDevice{std::move(*opened), std::move(path)};
    const int refused = configured.error().sys_errno();
    if (refused != EBUSY && refused != ENXIO && refused != ENODEV)
      return Failure(std::move(configured).error());
  }
  return Failure(
      Error(ErrorCode::kResourceExhausted, Fault::kMachine, "no loop device could be had"));
}

std::optional<dev_t> LoopDeviceOf(const Fd& mount) {
  struct stat info{};
  if (::fstat(mount.get(), &info) < 0 || major(info.st_dev) != LOOP_MAJOR) return std::nullopt;
  return info.st_dev;
}

// LOOP_GET_STATUS64 gives device and inode of the backing file.
Result<std::optional<std::string>> FindLoopDevice(const struct stat& image,
                                                  std::optional<dev_t> device) {
  if (device) {
    const std::string link =
        "/sys/dev/block/" + std::to_string(major(*device)) + ":" + std::to_string(minor(*device));
    if (!IsBound(link)) return std::nullopt;
    std::array<char, 256> target{};
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length <= 0) return std::nullopt;  // it went meanwhile
    const std::string_view path(target.data(), static_cast<size_t>(length));
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return TRY(Holds(name, image)) ? std::optional(DevicePath(name)) : std::nullopt;
  }
  Listing devices = TRY(Listing::Open(kBlockDevices));
  while (const dirent* entry = TRY(devices.Next())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix)) continue;
    if (!IsBound(std::string(kBlockDevices) + "/" + std::string(name))) continue;
    if (TRY(Holds(name, image))) return DevicePath(name);
  }
  return std::nullopt;
}

size_t CountSpareLoopDevices(unsigned first) { return SpareNumbers(first).size(); }

// The highest first: LOOP_CTL_GET_FREE gives the lowest.
size_t RemoveSpareLoopDevices(size_t most, unsigned first) {
  std::vector<unsigned> spare = SpareNumbers(first);
  std::ranges::sort(spare, std::greater<>());
  if (spare.size() > most) spare.resize(most);
  const auto control = OpenControl();
  if (!control) return 0;
  // Refused (EBUSY) of one that was bound or opened meanwhile.
  return static_cast<size_t>(std::ranges::count_if(spare, [&](unsigned number) {
    return ::ioctl(control->get(), LOOP_CTL_REMOVE, number) >= 0;
  }));
}

}  // namespace cay::volume
