// Pack: a file or a directory tree into a tar stream, while other processes may change it.
//
//   auto packed = TRY(Compress(sink, Compression::kGzip));
//   PackReport report = TRY(Pack(parent, "project", "project", *packed, options));
//   TRY(packed->Finish());
//
// The stream is a well-formed tar whatever happens to the tree meanwhile: a file that shrinks is
// padded with zeros, one that grows is cut at the size it had, one that vanishes or cannot be read
// is left out, and each is counted. Symlinks are packed as symlinks and never followed; another
// filesystem mounted inside is left out. Sockets, devices and FIFOs are left out and counted. A
// sparse file is stored sparse: one of 8 EiB without data takes a kilobyte; one with more than
// 65536 runs of data is left out and counted. Depth is bounded by the name's length only
// (kMaxEntryPathBytes). Blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "archive/byte_stream.h"
#include "archive/tar_entry.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::archive {

struct PackReport {
  uint64_t entries = 0;
  Bytes bytes = 0;  // of content
  uint64_t skipped_special = 0;
  uint64_t skipped_unreadable = 0;  // no permission
  uint64_t skipped_mounts = 0;
  uint64_t skipped_too_deep = 0;    // the name would be too long
  uint64_t skipped_fragmented = 0;  // sparse files with too many runs
  uint64_t changed = 0;             // vanished, shrank, grew or became something else meanwhile
  std::string first_problem;        // the first name that was counted above, printable
};

struct PackOptions {
  uint64_t max_entries = 1'000'000;
  Bytes max_bytes = 64 * kGiB;  // of content
  // Names of files that are not to be seen: nothing is said of them.
  std::function<bool(const std::string& name)> leaves_out;
  // After every entry and every MiB of content; an error ends the packing with that error.
  std::function<Result<void>(const PackReport&)> on_progress;
};

// Packs `name` of the directory `parent` (one component; "." is the directory itself) under
// `archive_name`: "." makes "./", "./a", "./b/c"; "x" makes "x/", "x/a" or, for a file, "x".
// Writes the end marker. On error the stream has none, so that no reader takes it for whole.
Result<PackReport> Pack(const Fd& parent, const std::string& name, const std::string& archive_name,
                        ByteSink& sink, const PackOptions& options);

// What an entry needs beside what stat(2) tells, for those who pack in their own way.
//
// Only user.*: the rest means nothing elsewhere, or too much. Those that cannot be read, and what
// is over 256 KiB for one file, are left out.
void ReadUserXattrs(const Fd& fd, TarEntry& entry);
// The runs of data up to `size`; nothing when there are more than kMaxSegments.
Result<std::optional<std::vector<Segment>>> FindSegments(const Fd& file, uint64_t size);

}  // namespace cay::archive
