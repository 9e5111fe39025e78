// FileRange: a part of a file as a stream, by its offset: several may read one file, in any order.
#pragma once

#include <memory>
#include <span>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::templates {

// Bytes of a regular file. Copies share the descriptor.
struct FileRange {
  std::shared_ptr<const Fd> file;
  uint64_t offset = 0;
  Bytes size = 0;

  // From the range's beginning. It ends where the file ends, if that is earlier.
  std::unique_ptr<archive::ByteSource> Open() const;
};

// A file without a name in `directory`, for reading and writing: it is gone with its descriptor.
Result<Fd> MakeSpoolFile(const Fd& directory);

}  // namespace cay::templates
