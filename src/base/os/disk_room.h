// How much room the filesystem of a file or directory has.
//
//   TRY(CheckHostReserve(TRY(DiskRoomOf(paths.state_dir))));
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay {

// What the machine keeps for itself on the state directory's disk, for the database above all:
// nothing that may grow is begun when less is free. What was begun before can still take it.
inline constexpr Bytes kHostReserve = 256 * kMiB;

struct DiskRoom {
  Bytes size;
  Bytes free;  // for an ordinary user: without what the filesystem keeps for root
};

Result<DiskRoom> DiskRoomOf(const Fd& file);
Result<DiskRoom> DiskRoomOf(const std::string& path);

// For a sandbox with a disk limit of `disk`: kResourceExhausted when the filesystem cannot give
// that much beside kHostReserve.
Result<void> CheckRoomFor(const DiskRoom& room, Bytes disk);

// kResourceExhausted when less than kHostReserve is free: for what grows on the state directory's
// disk, before it does.
Result<void> CheckHostReserve(const DiskRoom& room);

}  // namespace cay
