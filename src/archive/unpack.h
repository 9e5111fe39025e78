// Unpack: a tar archive, which may be hostile, into a directory.
//
//   FdSource file(fd);
//   auto plain = TRY(Decompress(file));
//   UnpackOptions options;
//   options.ownership = Ownership::kArchive;              // a root filesystem
//   UnpackReport report = TRY(Unpack(*plain, directory, options));
//
// Whatever the archive says, and whatever runs beside it and renames things: nothing is written,
// changed or linked outside the directory, and no existing file is written through.
//  - A name that is absolute or has a ".." ends it with an error; so does a name whose parent is a
//    symlink (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; CVE-2001-1267, CVE-2018-12015).
//  - A file that is there already is unlinked and made anew, never opened; a directory is kept.
//  - A hardlink's target is a regular file inside the directory, reached without symlinks.
//  - setuid and setgid are always stripped; devices, FIFOs and unknown types are skipped and
//    counted, or refused.
//  - Extended attributes: only user.*, and of those not user.overlay.* (overlayfs with userxattr).
//
// What was unpacked before an error stays: the caller that wants all or nothing unpacks into a
// directory of its own. Blocking; several calls may run in threads of their own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::archive {

enum class Ownership {
  kCaller,   // files belong to whoever unpacks
  kArchive,  // uid and gid as the archive has them; needs CAP_CHOWN
};

enum class SpecialFiles { kSkip, kRefuse };

struct UnpackReport {
  uint64_t entries = 0;            // read from the archive
  Bytes bytes = 0;                 // of content written
  uint64_t skipped_special = 0;    // devices, FIFOs, unknown types
  uint64_t skipped_whiteouts = 0;  // what overlayfs or an OCI layer would take for a deletion
  uint64_t dropped_xattrs = 0;
  uint64_t stripped_modes = 0;  // entries that had setuid, setgid or (when not kept) sticky
  uint64_t replaced_owners = 0;
};

struct UnpackOptions {
  uint64_t max_entries = 1'000'000;
  Bytes max_bytes = 4 * kGiB;  // of content and extended headers together
  // Of one file with its holes; a sparse file can be large without any content.
  Bytes max_file_bytes = 64 * kGiB;
  Ownership ownership = Ownership::kCaller;
  // With kArchive: owners above it become 65534 and are counted.
  uint32_t max_owner_id = 65'535;
  SpecialFiles special_files = SpecialFiles::kSkip;
  bool keep_sticky_directories = false;
  mode_t mode_mask = 0777;  // permission bits that are kept; what is taken is not counted
  // For trees that become overlay layers: names that begin with ".wh." are skipped and counted.
  bool skip_whiteout_names = false;
  bool keep_times = true;
  // After every entry and every MiB of content; an error ends the unpacking with that error.
  std::function<Result<void>(const UnpackReport&)> on_progress;
};

// `source` is an uncompressed tar (ustar, GNU or pax). Errors: kInvalidArgument for a malformed or
// hostile archive, kLimitTooHigh for one over a bound, and the kernel's.
Result<UnpackReport> Unpack(ByteSource& source, const Fd& directory, const UnpackOptions& options);

}  // namespace cay::archive
