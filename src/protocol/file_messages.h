// Messages about files, archives and ports. Every path is absolute, inside the sandbox; what is
// done is done with the rights of `user` ("" is uid 1000), and blocks on no FIFO and no device.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/messages.h"

namespace cay::protocol {

inline constexpr size_t kMaxEntriesInFrame = 256;
inline constexpr size_t kMaxWatchEventsInFrame = 256;

enum class FileKind : uint8_t {
  kRegular,
  kDirectory,
  kSymlink,
  kFifo,
  kSocket,
  kCharacterDevice,
  kBlockDevice,
};

// kFileInfo, and the entries of a listing.
struct FileInfo {
  std::string path;  // in a listing: relative to the directory listed
  FileKind kind = FileKind::kRegular;
  uint32_t mode = 0;  // permission bits, 07777
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;
  int64_t modified_unix_ns = 0;
  std::string link_target;  // of a symlink
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.path, kMaxPathBytes);
    codec.Field(2, self.kind, FileKind::kBlockDevice);
    codec.Field(3, self.mode, 07777U);
    codec.Field(4, self.uid);
    codec.Field(5, self.gid);
    codec.Field(6, self.size);
    codec.Field(7, self.modified_unix_ns);
    codec.Field(8, self.link_target, kMaxPathBytes);
  }
};

// kReadFile: a regular file, from `offset`, at most `length` bytes.
struct ReadFileRequest {
  std::string user;
  std::string path;
  uint64_t offset = 0;
  uint64_t length = UINT64_MAX;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.offset);
    codec.Field(4, self.length);
  }
};

// kWriteFile: the content goes to a new file beside the path, which takes its place at kDataEnd. A
// connection that ends before that leaves nothing.
struct WriteFileRequest {
  std::string user;
  std::string path;
  std::optional<uint32_t> mode;  // nothing: that of the file replaced, or 0644
  bool make_parents = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.mode, 07777U);
    codec.Field(4, self.make_parents);
  }
};

// kList. Symlinks are listed, not followed; `path` itself may be one.
struct ListRequest {
  std::string user;
  std::string path;
  uint32_t depth = 1;                // 1: the directory's own entries
  uint64_t max_entries = 1'000'000;  // more is kLimitTooHigh, at the end
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.depth, 1024);
    codec.Field(4, self.max_entries);
  }
};

// kEntries. Fewer when their paths are long: a frame has kMaxListingBytes.
struct Entries {
  std::vector<FileInfo> entries;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.entries, kMaxEntriesInFrame); }
};

// kStat.
struct StatRequest {
  std::string user;
  std::string path;
  bool follow = true;  // a symlink at the end
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.follow);
  }
};

// kMakeDirectory.
struct MakeDirectoryRequest {
  std::string user;
  std::string path;
  uint32_t mode = 0755;
  bool parents = false;  // also: no error when it is there
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.mode, 07777U);
    codec.Field(4, self.parents);
  }
};

// kMove: rename(2).
struct MoveRequest {
  std::string user;
  std::string from;
  std::string to;
  bool replace = false;  // otherwise kAlreadyExists when `to` is there
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.from, kMaxPathBytes);
    codec.Field(3, self.to, kMaxPathBytes);
    codec.Field(4, self.replace);
  }
};

// kRemove.
struct RemoveRequest {
  std::string user;
  std::string path;
  bool recursive = false;
  bool missing_is_fine = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.recursive);
    codec.Field(4, self.missing_is_fine);
  }
};

// kChangeMode. A symlink is followed, as chmod(1) does.
struct ChangeModeRequest {
  std::string user;
  std::string path;
  uint32_t mode = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.mode, 07777U);
  }
};

// kWatch.
struct WatchRequest {
  std::string user;
  std::string path;  // a directory
  bool recursive = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.recursive);
  }
};

enum class WatchKind : uint8_t {
  kCreated,
  kModified,
  kRemoved,
  kRenamed,
  kAttributes,
  kOverflow,  // events were lost: look again
};

struct WatchEvent {
  WatchKind kind = WatchKind::kModified;
  std::string path;  // relative to the directory watched
  bool directory = false;
  std::optional<std::string> from{};  // kRenamed: its path before; nothing: it came from outside
  bool operator==(const WatchEvent&) const = default;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.kind, WatchKind::kOverflow);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.directory);
    codec.FieldSince(2, 4, self.from, kMaxPathBytes);
  }
};

// kWatchEvents. Fewer when their paths are long.
struct WatchEvents {
  std::vector<WatchEvent> events;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.events, kMaxWatchEventsInFrame);
  }
};

enum class ArchiveFormat : uint8_t { kTar, kTarGzip, kTarZstd };

// kArchiveOut: a file or directory as tar, named by its last component. With `contents`, what is in
// the directory, without it.
struct ArchiveOutRequest {
  std::string user;
  std::string path;
  ArchiveFormat format = ArchiveFormat::kTar;
  bool contents = false;
  uint64_t max_bytes = UINT64_MAX;    // of content; more is kLimitTooHigh
  uint64_t max_entries = 10'000'000;  // more is kLimitTooHigh
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.format, ArchiveFormat::kTarZstd);
    codec.Field(4, self.contents);
    codec.Field(5, self.max_bytes);
    codec.Field(6, self.max_entries);
  }
};

// kArchiveIn: unpacks under the directory `path`, never outside of it.
struct ArchiveInRequest {
  std::string user;
  std::string path;
  std::optional<ArchiveFormat> format;  // nothing: by its first bytes
  bool make_parents = true;             // `path` too is made when it is not there
  uint64_t max_bytes = UINT64_MAX;
  uint64_t max_entries = 10'000'000;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.user, kMaxUserBytes);
    codec.Field(2, self.path, kMaxPathBytes);
    codec.Field(3, self.format, ArchiveFormat::kTarZstd);
    codec.Field(4, self.make_parents);
    codec.Field(5, self.max_bytes);
    codec.Field(6, self.max_entries);
  }
};

// kArchiveDone.
struct ArchiveDone {
  uint64_t entries = 0;
  uint64_t bytes = 0;    // of content
  uint64_t skipped = 0;  // sockets, FIFOs, devices: never archived, never made
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.entries);
    codec.Field(2, self.bytes);
    codec.Field(3, self.skipped);
  }
};

// kConnectPort: TCP to a port of the sandbox's own loopback, first 127.0.0.1, then ::1. After
// kConnected the connection carries the bytes of both directions and nothing else; shutdown(2) of
// one direction is passed on.
struct ConnectPortRequest {
  uint16_t port = 0;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.port); }
};

}  // namespace cay::protocol
