// The members of an archive that ADD unpacks, moved below its destination. For build/copy only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "archive/tar_writer.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::build {

// Whom members are given to.
struct MemberOwner {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

struct TarMembers {
  const Fd& file;
  uint64_t size = 0;   // of the file
  std::string target;  // "": the root
  std::optional<MemberOwner> owner{};
  Bytes max_bytes = 0;  // that it may unfold to, as a tar

  // The members into `members`, and the file's bytes, `size` of them, into `raw`, which is in the
  // middle of an entry of that size and then at its end. Either may be null.
  //
  // A name that is absolute counts from the target, one with ".." is an error (as for
  // archive::Unpack), and so is one that begins with ".wh.". What a layer does not hold is the
  // unpacker's business.
  Result<void> Write(archive::TarWriter* members, archive::TarWriter* raw) const;
};

}  // namespace cay::build
