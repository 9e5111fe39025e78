// TarWriter: members into a tar stream, as ustar with pax extended headers where ustar is too
// narrow (long names, large sizes, nanoseconds, user.* attributes, sparse files in GNU's pax
// format 1.0).
//
//   TarWriter writer(sink);
//   TRY(writer.Begin(entry));
//   TRY(writer.WriteData(bytes));     // entry's stored bytes in all: its size, or its segments'
//   TRY(writer.End());
//   TRY(writer.Finish());
//
// Names are written as the bytes they are.
#pragma once

#include <string_view>

#include "archive/byte_stream.h"
#include "archive/tar_entry.h"

namespace cay::archive {

class TarWriter {
 public:
  explicit TarWriter(ByteSink& sink) : sink_(sink) {}

  // Only files have data. kInvalidArgument for an entry that a tar cannot hold.
  Result<void> Begin(const TarEntry& entry);
  Result<void> WriteData(std::string_view bytes);
  // Pads to a block. kInternal unless exactly the announced bytes were written.
  Result<void> End();
  // The end marker.
  Result<void> Finish();

  uint64_t data_left() const { return data_left_; }

 private:
  ByteSink& sink_;
  uint64_t data_left_ = 0;
  uint64_t padding_ = 0;
};

}  // namespace cay::archive
