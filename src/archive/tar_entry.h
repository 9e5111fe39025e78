// TarEntry: one member of a tar archive, in the form that reader and writer share. Names are bytes,
// never converted between character sets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cay::archive {

enum class EntryType {
  kFile,
  kDirectory,
  kSymlink,
  kHardLink,
  kCharDevice,
  kBlockDevice,
  kFifo,
  kOther,  // a vendor's own type, whose data is skipped
};

// A run of data in a sparse file; what lies between runs is holes.
struct Segment {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool operator==(const Segment&) const = default;
};

struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  bool operator==(const Timestamp&) const = default;
};

struct TarEntry {
  EntryType type = EntryType::kFile;
  std::string path;
  std::string link_target;  // of kSymlink and kHardLink
  mode_t mode = 0;          // permission bits with setuid, setgid and sticky: at most 07777
  uint64_t uid = 0;
  uint64_t gid = 0;
  Timestamp mtime;
  uint64_t size = 0;              // of the file once it is unpacked, holes included
  bool sparse = false;            // then `segments` holds all of its data, in ascending order
  std::vector<Segment> segments;  // empty when not sparse
  std::vector<std::pair<std::string, std::string>> xattrs;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
};

// A name or link target may be this long. The kernel takes 4096 in one call, but a tree may be
// deeper.
inline constexpr size_t kMaxEntryPathBytes = 32 * 1024;
inline constexpr size_t kMaxSegments = 64 * 1024;

}  // namespace cay::archive
