#include "build/copy/tar/tar_probe.h"

#include <unistd.h>

#include "archive/formats/any_compression.h"
#include "archive/tar_reader.h"
#include "base/units.h"

namespace cay::build {
namespace {

constexpr Bytes kMaxProbed = 4 * kMiB;  // headers of a first member, once it is unfolded

}  // namespace

Result<size_t> WholeFile::Read(std::span<char> into) {
  while (true) {
    const ssize_t got = ::pread(file_, into.data(), into.size(), at_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(Error::FromErrno("reading a file that is copied"));
    at_ += got;
    return static_cast<size_t>(got);
  }
}

bool IsTar(const Fd& file) {
  WholeFile source(file);
  const auto plain = archive::DecompressAny(source);
  if (!plain) return false;
  archive::TarReader reader(**plain);
  reader.set_limit(kMaxProbed);
  const auto first = reader.Next();
  return first && first->has_value();
}

}  // namespace cay::build
