// Extraction: what every unpacking of a tar that may be hostile has in common, wherever its members
// go and whatever was there: the members one after the other within the bounds, their content,
// owners, modes, times and attributes. Who uses it decides where a member goes, and opens that
// directory (unpack.h, template/layers/).
//
//   Extraction extraction(source, options);
//   while (std::optional<TarEntry> entry = TRY(extraction.Next())) {
//     TRY(extraction.WriteFile(*entry, parent, name));
//     TRY(extraction.Progress());
//   }
//
// Nothing here resolves a path: a name is one component, in a directory that is open. The options
// outlive it.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_reader.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

class Extraction {
 public:
  Extraction(ByteSource& source, const UnpackOptions& options);

  // The next member; nothing at the end of the archive. kLimitTooHigh for one entry too many.
  Result<std::optional<TarEntry>> Next();

  // Makes a regular file or a symlink, with all that the entry says of it. EEXIST when something of
  // that name is there.
  Result<void> WriteFile(const TarEntry& entry, const Fd& parent, const std::string& name);
  Result<void> WriteSymlink(const TarEntry& entry, const Fd& parent, const std::string& name);

  // Of a directory that is there. Its mode and time come last (DirectoryEnds).
  Result<void> SetOwner(const TarEntry& entry, const Fd& directory);
  Result<void> SetOwnerAndXattrs(const TarEntry& entry, const Fd& directory);

  // What is kept of the entry's mode; what is not is counted.
  mode_t AllowedMode(const TarEntry& entry);

  // Counts content that is written beside the archive's own towards the same bound.
  Result<void> AddContent(Bytes bytes);

  Result<void> Progress() const;

  UnpackReport& report() { return report_; }

 private:
  void AllowHeaders();
  Result<void> CopyData(const Fd& file, const TarEntry& entry, uint64_t at, uint64_t left);
  Result<void> ChangeOwner(int dir, const std::string& name, const TarEntry& entry);
  Result<void> SetXattrs(const Fd& file, const TarEntry& entry);

  TarReader reader_;
  const UnpackOptions& options_;
  std::vector<char> buffer_;
  UnpackReport report_;
};

// What is wrong with a member: "archive: "NAME" WHY", kInvalidArgument.
Error Refused(const TarEntry& entry, std::string_view why);

// Whether an extended attribute means nothing to the kernel: user.*, but not what overlayfs reads
// where it is mounted with "userxattr".
bool MayKeepXattr(std::string_view name);

// A device, a FIFO, or what a vendor calls a type: never made.
bool IsSpecial(EntryType type);

// Character device 0/0: overlayfs takes it for a deletion.
bool IsWhiteoutDevice(const TarEntry& entry);

timespec ToTimespec(const Timestamp& time);

}  // namespace cay::archive
