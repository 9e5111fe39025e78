// TarMembers: where the files of a tar lie, of an archive that holds images (`docker save`, an OCI
// archive). Such an archive is not unpacked: its files are read in any order, by their offsets.
//
// The archive is hostile: its members, their names and links are bounded; a link leads to a member
// of the archive or is refused.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "archive/byte_stream.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::templates {

class TarMembers {
 public:
  static constexpr size_t kMaxMembers = 200'000;
  static constexpr size_t kMaxNames = 16 << 20;  // bytes of all names and targets together
  static constexpr int kMaxLinks = 16;           // followed for one name

  struct Place {
    uint64_t offset = 0;
    Bytes size = 0;
  };

  // Reads the headers of an uncompressed tar. Nothing as soon as it is known to be none of images:
  // the name of a root filesystem's directory ("usr", "etc", "bin" …) at the top; and at the end of
  // one that has no document of an image (docker_archive.h). kInvalidArgument for what is no tar.
  static Result<std::optional<TarMembers>> Scan(archive::ByteSource& tar);

  // Where the content of the file of that normalised name is; nothing when there is none.
  // kInvalidArgument for a name that is there twice, a link that leads nowhere, outside or in a
  // circle; kNotSupported for a file that is stored as sparse.
  Result<std::optional<Place>> Find(const std::string& path) const;

 private:
  struct Member {
    enum class Kind : uint8_t { kFile, kLink, kSparse };
    Kind kind = Kind::kFile;
    Place place{};
    std::string target{};  // of kLink: the normalised name that it leads to; empty: outside
    bool twice = false;
  };
  class Scanner;

  std::map<std::string, Member, std::less<>> members_;
};

// Whether a directory of that name at the top says that this is a root filesystem. No archive or
// layout of images has one.
bool IsRootDirectoryName(std::string_view name);

}  // namespace cay::templates
