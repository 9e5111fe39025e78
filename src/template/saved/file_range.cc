#include "template/saved/file_range.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/id.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

class RangeSource final : public archive::ByteSource {
 public:
  explicit RangeSource(FileRange range) : range_(std::move(range)) {}

  Result<size_t> Read(std::span<char> into) override {
    const auto want = static_cast<size_t>(std::min<uint64_t>(into.size(), range_.size));
    while (want > 0) {
      const ssize_t got =
          ::pread(range_.file->get(), into.data(), want, static_cast<off_t>(range_.offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading the archive"));
      if (got == 0) range_.size = 0;
      Pass(static_cast<uint64_t>(got));
      return static_cast<size_t>(got);
    }
    return size_t{0};
  }

  Result<uint64_t> Skip(uint64_t count) override {
    const uint64_t skipped = std::min(count, range_.size);
    Pass(skipped);
    return skipped;
  }

 private:
  void Pass(uint64_t count) {
    range_.offset += count;
    range_.size -= std::min(count, range_.size);
  }

  FileRange range_;
};

}  // namespace

std::unique_ptr<archive::ByteSource> FileRange::Open() const {
  return std::make_unique<RangeSource>(*this);
}

Result<Fd> MakeSpoolFile(const Fd& directory) {
  auto made = sys::OpenAt(directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (made) return made;
  const int why = made.error().sys_errno();
  if (why != EOPNOTSUPP && why != EISDIR && why != ENOENT) return made;
  // A filesystem that has no such files.
  const std::string name = "spool-" + TRY(SandboxId::Generate()).text();
  made = sys::OpenAt(directory.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made && ::unlinkat(directory.get(), name.c_str(), 0) < 0)
    return Failure(Error::FromErrno("making a file for what is on its way"));
  return made;
}

}  // namespace cay::templates
