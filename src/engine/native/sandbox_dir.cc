#include "engine/native/sandbox_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/file.h"
#include "base/sys.h"

namespace cay::engine::native {
namespace {

constexpr const char* kLock = "lock";
constexpr const char* kRecord = "record";
constexpr const char* kRecordAside = "record.new";

Result<Fd> OpenDirectory(const std::string& path) {
  return sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// An open file description lock (fcntl(2)): it goes with the last copy of the descriptor, and
// unlike flock's it can be looked at without taking it.
struct flock WholeFile() {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

// True when it could be locked.
Result<bool> TryLock(const Fd& lock) {
  struct flock whole = WholeFile();
  if (::fcntl(lock.get(), F_OFD_SETLK, &whole) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return Failure(Error::FromErrno("locking a sandbox's directory"));
}

Error IsThere(const SandboxId& id) {
  return {ErrorCode::kAlreadyExists, Fault::kCaller,
          "there is a sandbox " + id.text() + " already"};
}

Error OwnedByAnother() {
  return {ErrorCode::kUnavailable, Fault::kMachine, "the sandbox belongs to another running cay"};
}

}  // namespace

Result<SandboxDir> SandboxDir::Make(const std::string& sandboxes_dir, const SandboxId& id) {
  std::string path = sandboxes_dir + "/" + id.text();
  if (auto made = sys::MkdirAt(AT_FDCWD, path.c_str(), 0700); !made) {
    if (made.error().sys_errno() != EEXIST) return Failure(std::move(made).error());
    return Failure(IsThere(id));
  }
  const auto finish = [&]() -> Result<SandboxDir> {
    Fd dir = TRY(OpenDirectory(path));
    Fd lock = TRY(sys::OpenAt(dir.get(), kLock, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (!TRY(TryLock(lock))) return Failure(OwnedByAnother());
    return SandboxDir(path, std::move(dir), std::move(lock));
  };
  auto made = finish();
  if (!made) (void)RemoveTreeAt(AT_FDCWD, path);
  return made;
}

Result<SandboxDir> SandboxDir::MakeAhead(const std::string& sandboxes_dir) {
  SandboxDir made = TRY(Make(sandboxes_dir, TRY(SandboxId::Generate())));
  auto aside = sys::OpenAt(made.dir_.get(), kRecordAside, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (aside) return made;
  (void)std::move(made).Remove();
  return Failure(std::move(aside).error());
}

Result<void> SandboxDir::Rename(const std::string& sandboxes_dir, const SandboxId& id) {
  std::string path = sandboxes_dir + "/" + id.text();
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) < 0) {
    if (errno == EEXIST) return Failure(IsThere(id));
    return Failure(Error::FromErrno("naming a sandbox's directory"));
  }
  path_ = std::move(path);
  return {};
}

Result<SandboxDir> SandboxDir::Claim(const std::string& sandboxes_dir, const SandboxId& id) {
  std::string path = sandboxes_dir + "/" + id.text();
  auto dir = OpenDirectory(path);
  if (!dir) {
    if (dir.error().sys_errno() != ENOENT) return Failure(std::move(dir).error());
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + id.text()));
  }
  // A crash may have come between the directory and its lock.
  Fd lock = TRY(sys::OpenAt(dir->get(), kLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!TRY(TryLock(lock))) return Failure(OwnedByAnother());
  struct stat info{};
  if (::fstat(lock.get(), &info) < 0 || info.st_nlink == 0) {
    // Its owner removed it between our open and our lock.
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + id.text()));
  }
  return SandboxDir(std::move(path), std::move(*dir), std::move(lock));
}

Result<std::vector<SandboxId>> SandboxDir::List(const std::string& sandboxes_dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(sandboxes_dir.c_str()), ::closedir);
  std::vector<SandboxId> ids;
  if (!listing) {
    if (errno == ENOENT) return ids;
    return Failure(Error::FromErrno("listing " + sandboxes_dir));
  }
  while (const dirent* entry = ::readdir(listing.get())) {
    if (auto id = SandboxId::Parse(entry->d_name)) ids.push_back(std::move(*id));
  }
  return ids;
}

Result<Record> SandboxDir::ReadRecordOf(const std::string& sandboxes_dir, const SandboxId& id) {
  return DecodeRecord(
      TRY(ReadFile(sandboxes_dir + "/" + id.text() + "/" + kRecord, kMaxRecordBytes)), id);
}

Result<bool> SandboxDir::IsOwned(const std::string& sandboxes_dir, const SandboxId& id) {
  const std::string path = sandboxes_dir + "/" + id.text() + "/" + kLock;
  const auto lock = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_NOFOLLOW);
  if (!lock)
    return lock.error().sys_errno() == ENOENT ? Result<bool>(false) : Failure(lock.error());
  struct flock whole = WholeFile();
  if (::fcntl(lock->get(), F_OFD_GETLK, &whole) < 0) {
    return Failure(Error::FromErrno("looking at a sandbox's lock"));
  }
  return whole.l_type != F_UNLCK;
}

Result<void> SandboxDir::PrepareRecord(const Record& record) const {
  const Fd aside =
      TRY(sys::OpenAt(dir_.get(), kRecordAside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  return sys::Write(aside, EncodeRecord(record), "writing a sandbox's record");
}

Result<void> SandboxDir::CommitRecord() const {
  if (::renameat(dir_.get(), kRecordAside, dir_.get(), kRecord) < 0) {
    return Failure(Error::FromErrno("replacing a sandbox's record"));
  }
  return {};
}

Result<void> SandboxDir::WriteRecord(const Record& record) const {
  TRY(PrepareRecord(record));
  return CommitRecord();
}

Result<Record> SandboxDir::ReadRecord(const SandboxId& id) const {
  return DecodeRecord(TRY(ReadFileAt(dir_.get(), kRecord, kMaxRecordBytes)), id);
}

Result<void> SandboxDir::DropRecord() const {
  if (::unlinkat(dir_.get(), kRecord, 0) < 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("removing a sandbox's record"));
  }
  return {};
}

Result<void> SandboxDir::Remove() && { return RemoveTreeAt(AT_FDCWD, path_); }

Result<std::vector<Fd>> SandboxDir::Unlink(std::initializer_list<const char*> kept) && {
  std::vector<Fd> held;
  for (const char* name : kept) {
    auto file = sys::OpenAt(dir_.get(), name, O_RDONLY | O_NOFOLLOW);
    if (file) held.push_back(*std::move(file));  // and if not, it is freed here
  }
  TRY(RemoveTreeAt(AT_FDCWD, path_));
  held.push_back(std::move(lock_));
  held.push_back(std::move(dir_));
  return held;
}

}  // namespace cay::engine::native
