// TarReader: the members of a tar stream, one after the other. Reads ustar, GNU (long names, old
// sparse) and pax (with GNU sparse 0.0, 0.1 and 1.0). Everything it holds is bounded.
//
//   TarReader reader(source);
//   while (std::optional<TarEntry> entry = TRY(reader.Next())) {
//     while (size_t got = TRY(reader.ReadData(buffer))) ...
//   }
//
// Global extended headers are read and ignored: what they may say has no place in an archive that
// is not trusted. A stream that ends before the end marker is an error, so that a cut archive is
// never taken for a whole one. Errors are kInvalidArgument and name the offset in the stream.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "archive/byte_stream.h"
#include "archive/tar_entry.h"
#include "archive/tar_format.h"

namespace cay::archive {

class TarReader {
 public:
  explicit TarReader(ByteSource& source) : source_(source) {}

  // Skips what is left of the current member's data. Nothing at the end of the archive.
  Result<std::optional<TarEntry>> Next();

  // The current member's stored data; of a sparse one, its runs without the holes. 0 at its end.
  Result<size_t> ReadData(std::span<char> into);

  // Bytes taken from the source so far, headers and skipped data too.
  uint64_t offset() const { return offset_; }

  // Reading past this offset is kLimitTooHigh: a few compressed kilobytes may unfold to a member
  // of 8 EiB, and skipping it would take years.
  void set_limit(uint64_t offset) { limit_ = offset; }

 private:
  struct Extended;

  Result<void> ReadExactly(std::span<char> into);
  Result<bool> ReadBlock(tar::Block& block);  // false when the stream ended before it
  Result<std::string> ReadSmall(uint64_t size);
  Result<void> SkipData();
  Result<void> ReadExtended(const tar::Block& block, uint64_t size, Extended& extended);
  Result<void> ApplyPax(const std::string& records, Extended& extended);
  Result<TarEntry> MakeEntry(const tar::Block& block, Extended& extended);
  Result<void> ReadSparse(const tar::Block& block, Extended& extended, TarEntry& entry);
  Result<void> ReadOldGnuSparse(const tar::Block& block, TarEntry& entry);
  Result<void> ReadPaxSparseMap(TarEntry& entry);
  Result<std::optional<TarEntry>> FinishStream();
  Result<void> CheckLimit() const;
  Failure Malformed(std::string_view what) const;

  ByteSource& source_;
  uint64_t offset_ = 0;
  uint64_t data_left_ = 0;     // of the current member
  uint64_t padding_left_ = 0;  // after its data, to the next block
  uint64_t limit_ = UINT64_MAX;
  bool ended_ = false;
};

}  // namespace cay::archive
