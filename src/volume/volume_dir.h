// What a volume is on disk: a directory, STATE/volumes/FILE-NAME/ (store/volume_store.h):
//
//   image        an ext4 of exactly the volume's size, in a sparse file. Owners are the numbers that
//                they are inside
//   about.json   its name, its size, when it was made
//
// Who may mount it is decided by two locks (flock(2)):
//
//   the image's      taken on the open file that a loop device is bound to, which keeps it for as
//                    long as the filesystem is mounted anywhere: whoever made the mount may be gone.
//                    Who writes has it alone, who reads shares it. So a filesystem is never mounted
//                    twice where one of the two writes
//   the directory's  for the moments in which it is decided whose the volume is: a sandbox is made
//                    with it, or it is removed
//
// Each reader has a loop device and a superblock of its own, so that sockets, FIFOs and locks of
// files do not lead from one sandbox to another.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::volume {

inline constexpr const char* kImageName = "image";
inline constexpr Bytes kMinVolume = 16 * kMiB;  // less has no room for a journal
inline constexpr Bytes kMaxVolume = 8192 * kGiB;

// How long a lock is waited for: the mount before may be on its way out, and what it has still to
// write goes to the disk first.
inline constexpr Millis kLockPatience{10'000};

enum class Use : uint8_t { kWrite, kRead };

// Whether both are of one volume, where both are of one state directory: that may have been called
// otherwise when one of the paths was written down.
bool IsSameVolume(std::string_view directory, std::string_view other);

// What a volume is called whose directory has this path: "data", "@owner/data".
std::string NameOfDirectory(std::string_view directory);

// kInvalidArgument for what no volume can have.
Result<void> CheckVolumeSize(Bytes size);

// Makes the image of an empty filesystem in the directory `path`, and waits until it is on the
// disk. kResourceExhausted when the disk has not the room for all of it.
Result<void> MakeImage(const std::string& path, Bytes size);

// What is allocated to it; 0 where there is no image.
Bytes ImageUse(const Fd& directory);

// Takes the directory's lock, which ends with the descriptor. kNotFound when there is no volume,
// kUnavailable when somebody else has it after `patience`.
Result<Fd> LockVolume(const std::string& directory, Millis patience = kLockPatience);

// kIllegalState when it is mounted, after `patience`. Nobody can mount it while the descriptor is
// open.
Result<Fd> LockImage(const Fd& directory, Use use, Millis patience);

// Mounts it: a detached mount, nosuid and nodev, and with kRead a filesystem that is not written.
// kIllegalState as above; kIo where the filesystem is damaged. Where a machine ended while it was
// mounted, its journal is replayed first.
Result<Fd> MountVolume(const std::string& directory, Use use, Millis patience = kLockPatience);

// Gives the top of one that is mounted to be written to that id inside.
Result<void> GiveTop(const Fd& mount, uid_t owner);

}  // namespace cay::volume
