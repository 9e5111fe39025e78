#include "sandbox/projects/blob_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "base/id.h"
#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/log.h"

namespace cay::sandbox {
namespace {

constexpr Bytes kRoomCheckInterval = 16 * kMiB;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

bool IsNoSuchFile(int error) { return error == ENOENT || error == ENOTDIR; }

}  // namespace

Result<void> SyncDirectory(const std::string& path) {
  const int raw = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("opening " + path));
  const Fd fd = Fd::Adopt(raw);
  if (::fsync(raw) < 0) return Failure(Error::FromErrno("fsync of " + path));
  return {};
}

Result<std::vector<std::string>> NamesIn(const std::string& path) {
  const std::unique_ptr<DIR, DirCloser> dir(::opendir(path.c_str()));
  if (!dir) return Failure(Error::FromErrno("listing " + path));
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return Failure(Error::FromErrno("listing " + path));
  return names;
}

IncomingBlob::IncomingBlob(IncomingBlob&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      fd_(std::move(other.fd_)),
      digest_(std::move(other.digest_)),
      size_(other.size_),
      next_room_check_(other.next_room_check_) {}

IncomingBlob::~IncomingBlob() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<void> IncomingBlob::Append(std::string_view bytes) {
  if (size_ >= next_room_check_) {
    next_room_check_ = size_ + kRoomCheckInterval;
    TRY(CheckHostReserve(TRY(DiskRoomOf(fd_))));
  }
  TRY(WriteAll(fd_.get(), bytes));
  TRY(digest_.Add(bytes));
  size_ += bytes.size();
  return {};
}

Result<std::string> IncomingBlob::Finish() {
  if (::fsync(fd_.get()) < 0) return Failure(Error::FromErrno("fsync of an uploaded file"));
  return std::move(digest_).Hex();
}

Result<BlobStore> BlobStore::Open(const std::string& directory) {
  BlobStore store(directory);
  TRY(MakeDirectories(directory, 0700));
  TRY(MakeDirectories(directory + "/blobs", 0700));
  TRY(RemoveTreeAt(AT_FDCWD, directory + "/incoming"));
  TRY(MakeDirectories(directory + "/incoming", 0700));
  return store;
}

Result<IncomingBlob> BlobStore::Receive() {
  Sha256 digest = TRY(Sha256::Start());
  // A name that no other has.
  std::string path = directory_ + "/incoming/" + TRY(SandboxId::Generate()).text();
  const int raw = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (raw < 0) return Failure(Error::FromErrno("creating " + path));
  IncomingBlob incoming(std::move(path), Fd::Adopt(raw), std::move(digest));
  // Whatever the umask: code inside a sandbox reads it.
  if (::fchmod(raw, 0644) < 0) return Failure(Error::FromErrno("chmod of an uploaded file"));
  return incoming;
}

Result<void> BlobStore::Keep(IncomingBlob incoming, const std::string& digest) {
  if (Has(digest)) return {};
  if (::rename(incoming.path_.c_str(), PathOf(digest).c_str()) < 0) {
    return Failure(Error::FromErrno("keeping an uploaded file"));
  }
  incoming.path_.clear();
  return SyncDirectory(directory_ + "/blobs");
}

bool BlobStore::Has(const std::string& digest) const {
  struct stat info{};
  return ::lstat(PathOf(digest).c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

Result<void> BlobStore::Link(const std::string& digest, const std::string& directory,
                             const std::string& name) {
  const std::string blob = PathOf(digest);
  const std::string path = directory + "/" + name;
  if (::link(blob.c_str(), path.c_str()) < 0) {
    if (errno == EEXIST) {
      TRY(Unlink(directory, name));
      if (::link(blob.c_str(), path.c_str()) == 0) return SyncDirectory(directory);
    }
    return Failure(Error::FromErrno("giving an uploaded file its name"));
  }
  return SyncDirectory(directory);
}

Result<void> BlobStore::Unlink(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  if (::unlink(path.c_str()) < 0 && !IsNoSuchFile(errno)) {
    return Failure(Error::FromErrno("removing " + path));
  }
  return {};
}

bool BlobStore::Leads(const std::string& directory, const std::string& name,
                      const std::string& digest) const {
  struct stat at_name{};
  struct stat at_digest{};
  return ::lstat((directory + "/" + name).c_str(), &at_name) == 0 &&
         ::lstat(PathOf(digest).c_str(), &at_digest) == 0 && at_name.st_dev == at_digest.st_dev &&
         at_name.st_ino == at_digest.st_ino;
}

void BlobStore::DropUnused(const std::string& digest) {
  struct stat info{};
  const std::string path = PathOf(digest);
  if (::lstat(path.c_str(), &info) < 0 || info.st_nlink > 1) return;
  if (::unlink(path.c_str()) < 0) {
    LogWarning(Error::FromErrno("removing " + path).ToString());
  }
}

void BlobStore::DropAllUnused() {
  const auto digests = NamesIn(directory_ + "/blobs");
  if (!digests) {
    LogWarning(digests.error().ToString());
    return;
  }
  for (const std::string& digest : *digests) DropUnused(digest);
}

}  // namespace cay::sandbox
