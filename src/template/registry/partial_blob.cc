#include "template/registry/partial_blob.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "http/transport/stream.h"
#include "template/registry/blob_download.h"

namespace cay::templates::registry {
namespace {

constexpr size_t kReadSize = 256 * kKiB;
constexpr int kLockEveryMs = 100;
constexpr Bytes kRoomCheckInterval = 64 * kMiB;
constexpr int kNewFile = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
constexpr int kOldFile = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

Result<struct stat> StatOf(const Fd& file, const std::string& name) {
  struct stat info{};
  if (::fstat(file.get(), &info) < 0) return Failure(Error::FromErrno("looking at " + name));
  if (!S_ISREG(info.st_mode))
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, name + " is no regular file"));
  return info;
}

// Nothing: another one has it, or had it and gave it its name.
Result<std::optional<Fd>> TryOpen(const Fd& directory, const std::string& name) {
  Fd file = TRY(sys::OpenAt(directory.get(), name.c_str(), kNewFile, 0600));
  const struct stat own = TRY(StatOf(file, name));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
    return Failure(Error::FromErrno("locking " + name));
  }
  struct stat there{};
  const bool is_same = ::fstatat(directory.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                       there.st_ino == own.st_ino && there.st_dev == own.st_dev;
  if (!is_same) return std::nullopt;
  return file;
}

Result<std::string_view> ReadAt(const Fd& file, const std::string& name, std::vector<char>& space,
                                Bytes at) {
  for (;;) {
    const ssize_t got = ::pread(file.get(), space.data(), space.size(), static_cast<off_t>(at));
    if (got >= 0) return std::string_view(space.data(), static_cast<size_t>(got));
    if (errno != EINTR) return Failure(Error::FromErrno("reading " + name));
  }
}

}  // namespace

Result<PartialBlob> PartialBlob::Open(const Fd& directory, const oci::Descriptor& descriptor,
                                      const CallOptions& call) {
  const std::string name = BlobFileName(descriptor.digest) + ".partial";
  for (;;) {
    if (auto file = TRY(TryOpen(directory, name))) {
      const struct stat info = TRY(StatOf(*file, name));
      auto verifier = TRY(oci::DigestVerifier::Start(descriptor.digest, descriptor.size));
      PartialBlob partial(directory, descriptor, *std::move(file), name, std::move(verifier));
      const auto size = static_cast<Bytes>(info.st_size);
      if (size > descriptor.size) {
        TRY(partial.Clear());
      } else {
        TRY(partial.TakeIn(size, call));
      }
      return partial;
    }
    pollfd stopped = {.fd = call.stop_fd, .events = POLLIN, .revents = 0};
    if (::poll(&stopped, 1, kLockEveryMs) > 0) return Failure(http::StoppedError());
  }
}

Result<void> PartialBlob::TakeIn(Bytes size, const CallOptions& call) {
  std::vector<char> space(kReadSize);
  while (this->size() < size) {
    if (call.Stopped()) return Failure(http::StoppedError());
    const std::string_view piece = TRY(ReadAt(file_, name_, space, this->size()));
    if (piece.empty())
      return Failure(Error(ErrorCode::kIo, Fault::kMachine, name_ + " became shorter"));
    TRY(verifier_.Add(piece.substr(0, size - this->size())));
  }
  if (::lseek(file_.get(), static_cast<off_t>(size), SEEK_SET) < 0)
    return Failure(Error::FromErrno("seeking in " + name_));
  return {};
}

Result<void> PartialBlob::Append(std::string_view bytes) {
  if (size() >= next_room_check_) {
    next_room_check_ = size() + kRoomCheckInterval;
    TRY(CheckHostReserve(TRY(DiskRoomOf(file_))));
  }
  TRY(verifier_.Add(bytes));
  if (auto written = WriteAll(file_.get(), bytes); !written)
    return Failure(std::move(written).error().WithContext("writing " + name_));
  return {};
}

Result<void> PartialBlob::Clear() {
  if (::ftruncate(file_.get(), 0) < 0 || ::lseek(file_.get(), 0, SEEK_SET) < 0)
    return Failure(Error::FromErrno("emptying " + name_));
  verifier_ = TRY(oci::DigestVerifier::Start(descriptor_->digest, descriptor_->size));
  return {};
}

Result<void> PartialBlob::Verify() { return std::move(verifier_).Finish(); }

Result<void> PartialBlob::Publish() {
  const std::string name = BlobFileName(descriptor_->digest);
  if (::fsync(file_.get()) < 0) return Failure(Error::FromErrno("syncing " + name_));
  if (::renameat(directory_->get(), name_.c_str(), directory_->get(), name.c_str()) < 0)
    return Failure(Error::FromErrno("naming " + name));
  if (::fsync(directory_->get()) < 0)
    return Failure(Error::FromErrno("syncing the directory of " + name));
  return {};
}

void PartialBlob::Remove() { ::unlinkat(directory_->get(), name_.c_str(), 0); }

Result<bool> HasWholeBlob(const Fd& directory, const oci::Descriptor& descriptor,
                          const CallOptions& call) {
  const std::string name = BlobFileName(descriptor.digest);
  auto file = sys::OpenAt(directory.get(), name.c_str(), kOldFile);
  if (!file) {
    if (file.error().sys_errno() == ENOENT) return false;
    return Failure(std::move(file).error());
  }
  const struct stat info = TRY(StatOf(*file, name));
  bool is_good = static_cast<Bytes>(info.st_size) == descriptor.size;
  if (is_good) {
    auto verifier = TRY(oci::DigestVerifier::Start(descriptor.digest, descriptor.size));
    std::vector<char> space(kReadSize);
    for (;;) {
      if (call.Stopped()) return Failure(http::StoppedError());
      const std::string_view piece = TRY(ReadAt(*file, name, space, verifier.size()));
      if (piece.empty()) break;
      if (!verifier.Add(piece)) break;
    }
    is_good = std::move(verifier).Finish().has_value();
  }
  if (is_good) return true;
  call.Note("the file " + name + " is not what it says, and is fetched anew");
  if (::unlinkat(directory.get(), name.c_str(), 0) < 0 && errno != ENOENT)
    return Failure(Error::FromErrno("removing " + name));
  return false;
}

}  // namespace cay::templates::registry
