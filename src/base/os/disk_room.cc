#include "base/os/disk_room.h"

#include <sys/statvfs.h>

namespace cay {
namespace {

DiskRoom RoomOf(const struct statvfs& info) {
  return {.size = Bytes{info.f_blocks} * info.f_frsize,
          .free = Bytes{info.f_bavail} * info.f_frsize};
}

}  // namespace

Result<DiskRoom> DiskRoomOf(const Fd& file) {
  struct statvfs info{};
  if (::fstatvfs(file.get(), &info) < 0) return Failure(Error::FromErrno("statvfs"));
  return RoomOf(info);
}

Result<DiskRoom> DiskRoomOf(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) < 0) return Failure(Error::FromErrno("statvfs " + path));
  return RoomOf(info);
}

Result<void> CheckRoomFor(const DiskRoom& room, Bytes disk) {
  if (room.free >= disk + kHostReserve) return {};
  const Bytes given = room.free > kHostReserve ? room.free - kHostReserve : 0;
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                       "the disk limit of " + FormatBytes(disk) + " is more than the " +
                           HumanBytes(given) + " that the state directory's disk can give")
                     .WithRemedy("ask for a smaller disk, or free some space"));
}

Result<void> CheckHostReserve(const DiskRoom& room) {
  if (room.free >= kHostReserve) return {};
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                       "the state directory's disk has " + HumanBytes(room.free) + " free, and " +
                           FormatBytes(kHostReserve) + " are kept for the machine")
                     .WithRemedy("destroy sandboxes, or free some space"));
}

}  // namespace cay
