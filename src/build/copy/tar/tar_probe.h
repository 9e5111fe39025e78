// Whether a file is a tar archive that ADD unpacks, by its content. For build/copy only.
#pragma once

#include "archive/byte_stream.h"
#include "base/os/fd.h"

namespace cay::build {

// A file from its beginning, wherever its offset is. The descriptor outlives it.
class WholeFile final : public archive::ByteSource {
 public:
  explicit WholeFile(const Fd& file) : file_(file.get()) {}
  Result<size_t> Read(std::span<char> into) override;

 private:
  int file_;
  off_t at_ = 0;
};

// As Docker decides it: it can be decompressed, or needs not to be, and begins with a member of a
// tar. What cannot be read is none.
bool IsTar(const Fd& file);

}  // namespace cay::build
