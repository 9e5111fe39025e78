// Scratch: the filesystem under a sandbox's writable layer, of exactly the size and inode count of
// its limits, so that a full one gives ENOSPC inside and the host's disk loses no more than the
// limit.
//
// On disk: a sparse ext4 image in the sandbox's directory, on a loop device that detaches itself
// with the last mount. The image is a copy of an empty one, made once for each size by mke2fs. No
// journal: a sandbox's filesystem need not outlive a crash of the machine. In memory: a tmpfs.
//
// Either holds, for overlay number N of the root filesystem, the directories N/upper and N/work. An
// image has more beside 0/upper (uppers_ahead.h).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"

namespace cay::engine::native {

inline constexpr unsigned kMaxOverlays = 10;
inline constexpr Bytes kMinScratchDisk = 2 * kMiB;
inline constexpr const char* kScratchImageName = "scratch.img";

// The inode limit in force: the one asked for, or one for each 16 KiB of disk (at least 128).
uint64_t EffectiveInodes(const Limits& limits);

// Why images cannot be used here (not root, no loop devices, no mke2fs); empty when they can.
std::string WhyNoDiskScratch();

// kResourceExhausted when the disk of `dir` has no room for a layer that is written in full.
Result<void> CheckScratchRoom(const Fd& dir, Bytes disk);

// Makes sandbox_dir/scratch.img, a copy of the empty image for these limits from `images_dir` (made
// first if it is not there). Refused (kResourceExhausted) when the disk has not the room for the
// whole limit. On error nothing of it remains.
Result<void> MakeScratchImage(const std::string& images_dir, const Fd& sandbox_dir,
                              const Limits& limits);

// One that is not a sandbox's yet: mounted, and its image without a name (O_TMPFILE), so that
// nothing remains of it when both are closed.
struct UnnamedScratch {
  Fd image;
  Fd mount;
};
Result<UnnamedScratch> MakeUnnamedScratch(const std::string& images_dir, const Limits& limits);
// The same with the image on the mount of `home`, a directory.
Result<UnnamedScratch> MakeUnnamedScratchIn(const Fd& home, const std::string& images_dir,
                                            const Limits& limits);

// Whether an image without a name can get one there: both must be on one mount. An image that was
// opened in another mount namespace is not, even on the same filesystem.
Result<bool> CanBeNamedIn(const Fd& sandbox_dir, const Fd& image);

// Makes it sandbox_dir/scratch.img. Refused as MakeScratchImage is: the room may have gone since it
// was made.
Result<void> NameScratchImage(const Fd& image, const Fd& sandbox_dir, const Limits& limits);

// The same, replacing the image that is there.
Result<void> ReplaceScratchImage(const Fd& image, const Fd& sandbox_dir);

// Mounts the image: a detached mount, nosuid and nodev. What is in it belongs to 0: to be idmapped.
Result<Fd> MountScratchImage(const Fd& sandbox_dir);

// Waits until no loop device holds the image any more: to mount it twice would destroy it. kTimeout
// after 5 s. `device`: see FindLoopDevice.
Result<void> AwaitDetached(const Fd& sandbox_dir, std::optional<dev_t> device);

// Whether the image was unmounted properly: after a crash of the machine it was not. Detached, see
// above.
Result<void> CheckScratchWhole(const Fd& sandbox_dir);

// The image for reading, with the owners that are on disk, whether it is mounted or not: where it
// is, this is one more mount of the same filesystem. `device`: see FindLoopDevice.
Result<Fd> MountScratchToRead(const Fd& sandbox_dir, std::optional<dev_t> device);

// The writable layers of the first `overlays` overlays.
Result<std::vector<Fd>> OpenUppers(const Fd& scratch, size_t overlays);

// The writable layer of "/".
Result<Fd> OpenUpperOfRoot(const Fd& scratch);

// A tmpfs with its N/upper and N/work, owned by `owner` (of the calling user namespace).
Result<Fd> MakeScratchTmpfs(const Limits& limits, unsigned overlays, uid_t owner);

}  // namespace cay::engine::native
