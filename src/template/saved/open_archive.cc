#include "template/saved/open_archive.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "archive/compression.h"
#include "archive/tar_format.h"
#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "template/saved/file_range.h"

namespace cay::templates {
namespace {

constexpr Bytes kRoomCheckInterval = 64 * kMiB;

// What is read is kept in a file, until Replay; then it comes once more, and the rest after it.
class Spool final : public archive::ByteSource {
 public:
  Spool(Fd file, std::shared_ptr<const Fd> kept, const OpenOptions& options)
      : file_(std::move(file)), source_(file_), kept_(std::move(kept)), options_(options) {}

  Result<void> Start() {
    plain_ = TRY(archive::Decompress(source_));
    return {};
  }

  Result<size_t> Read(std::span<char> into) override {
    if (again_) {
      const size_t got = TRY(again_->Read(into));
      if (got > 0 || into.empty()) return got;
      again_.reset();
    }
    const size_t got = TRY(plain_->Read(into));
    if (keeps_) TRY(Keep({into.data(), got}));
    return got;
  }

  // Until there is no more.
  Result<void> ReadToTheEnd() {
    std::vector<char> buffer(256 * kKiB);
    while (TRY(Read(buffer)) > 0) {
    }
    return {};
  }

  void Replay() {
    keeps_ = false;
    again_ = FileRange{.file = kept_, .offset = 0, .size = size_}.Open();
  }

 private:
  Result<void> Keep(std::string_view bytes) {
    if (bytes.size() > options_.max_spooled - std::min(size_, options_.max_spooled)) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "the archive has more than " + HumanBytes(options_.max_spooled)));
    }
    if (size_ >= next_room_check_) {
      next_room_check_ = size_ + kRoomCheckInterval;
      if (const auto room = DiskRoomOf(*kept_)) TRY(CheckHostReserve(*room));
    }
    TRY(WriteAll(kept_->get(), bytes));
    size_ += bytes.size();
    return options_.on_progress ? options_.on_progress(size_) : Result<void>{};
  }

  Fd file_;
  archive::FdSource source_;
  std::shared_ptr<const Fd> kept_;
  const OpenOptions options_;
  std::unique_ptr<archive::ByteSource> plain_;
  std::unique_ptr<archive::ByteSource> again_;
  Bytes size_ = 0;
  Bytes next_room_check_ = 0;
  bool keeps_ = true;
};

// Whether it is a file that begins with a tar's header.
Result<std::optional<FileRange>> PlainTar(const std::shared_ptr<const Fd>& file) {
  struct stat info{};
  if (::fstat(file->get(), &info) < 0) return Failure(Error::FromErrno("looking at the archive"));
  if (!S_ISREG(info.st_mode)) return std::optional<FileRange>();
  archive::tar::Block block{};
  const ssize_t got = ::pread(file->get(), block.data(), block.size(), 0);
  if (got < 0) return Failure(Error::FromErrno("reading the archive"));
  if (static_cast<size_t>(got) < block.size() || !archive::tar::ChecksumMatches(block))
    return std::optional<FileRange>();
  return std::optional(
      FileRange{.file = file, .offset = 0, .size = static_cast<Bytes>(info.st_size)});
}

}  // namespace

Result<OpenedArchive> OpenArchive(Fd file, const Fd& spool, const OpenOptions& options) {
  OpenedArchive opened;
  auto shared = std::make_shared<Fd>(std::move(file));
  if (const auto plain = TRY(PlainTar(shared))) {
    const auto scanned = plain->Open();
    auto members = TRY(TarMembers::Scan(*scanned));
    if (members) {
      opened.images.emplace(std::move(shared), *std::move(members));
    } else {
      opened.tar = plain->Open();
    }
    return opened;
  }
  auto kept = std::make_shared<const Fd>(TRY(MakeSpoolFile(spool)));
  auto stream = std::make_unique<Spool>(std::move(*shared), kept, options);
  TRY(stream->Start());
  auto members = TRY(TarMembers::Scan(*stream));
  if (members) {
    TRY(stream->ReadToTheEnd());
    opened.images.emplace(std::move(kept), *std::move(members));
  } else {
    stream->Replay();
    opened.tar = std::move(stream);
  }
  return opened;
}

}  // namespace cay::templates
