#include "engine/native/record/sandbox_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/sys.h"
#include "base/units.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/rootfs/scratch.h"

namespace cay::engine::native {
namespace {

constexpr const char* kLock = "lock";
constexpr const char* kRecord = "record";
constexpr const char* kEphemeralRecord = "record.ephemeral";
constexpr const char* kRecordAside = "record.new";
constexpr const char* kUnpromised = "unpromised";
constexpr const char* kOrphaned = "orphaned";
constexpr const char* kDestroyed = "destroyed";
constexpr GuestSocketName kGuestSockets[] = {GuestSocketName::kReachable, GuestSocketName::kPaused};
constexpr int kWriteAnew = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;

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

const char* RecordNameOf(Lifetime lifetime) {
  return lifetime == Lifetime::kEphemeral ? kEphemeralRecord : kRecord;
}

Result<void> Rename(const Fd& dir, const char* from, const char* to) {
  if (::renameat(dir.get(), from, dir.get(), to) == 0) return {};
  return Failure(Error::FromErrno("renaming a sandbox's " + std::string(from)));
}

Result<void> Unlink(const Fd& dir, const char* name) {
  if (::unlinkat(dir.get(), name, 0) == 0 || errno == ENOENT) return {};
  return Failure(Error::FromErrno("removing a sandbox's " + std::string(name)));
}

// What is in a sandbox's directory, by its names.
class Names {
 public:
  explicit Names(std::string directory) : directory_(std::move(directory)) {}
  bool Has(const char* name) const {
    return ::faccessat(AT_FDCWD, PathOf(name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  }
  std::string PathOf(const char* name) const { return directory_ + "/" + name; }
  std::optional<int64_t> WrittenAt(const char* name) const {
    struct stat info{};
    if (::lstat(PathOf(name).c_str(), &info) < 0) return std::nullopt;
    return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
  }

 private:
  std::string directory_;
};

// Before its record nothing of a sandbox is made but its directory.
bool HasContent(const Names& names) {
  return names.Has(kScratchImageName) ||
         std::ranges::any_of(kGuestSockets, [&](auto name) { return names.Has(FileName(name)); });
}

Result<Record> ReadRecordIn(const Fd& dir, const SandboxId& id) {
  auto bytes = ReadFileAt(dir.get(), kEphemeralRecord, kMaxRecordBytes);
  const bool ephemeral = bytes.has_value();
  if (!ephemeral && bytes.error().sys_errno() == ENOENT)
    bytes = ReadFileAt(dir.get(), kRecord, kMaxRecordBytes);
  Record record = TRY(DecodeRecord(TRY(std::move(bytes)), id));
  if (ephemeral) record.request.lifetime = Lifetime::kEphemeral;
  return record;
}

Names NamesOf(const std::string& sandboxes_dir, const SandboxId& id) {
  return Names(sandboxes_dir + "/" + id.text());
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
  const auto marked = aside ? made.MarkUnpromised() : Failure(std::move(aside).error());
  if (marked) return made;
  (void)std::move(made).Remove();
  return Failure(marked.error());
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
  std::vector<SandboxId> ids;
  auto listing = Listing::Open(sandboxes_dir);
  if (!listing && listing.error().sys_errno() == ENOENT) return ids;
  if (!listing) return Failure(std::move(listing).error());
  while (const dirent* entry = TRY(listing->Next())) {
    if (auto id = SandboxId::Parse(entry->d_name)) ids.push_back(std::move(*id));
  }
  return ids;
}

Result<Record> SandboxDir::ReadRecordOf(const std::string& sandboxes_dir, const SandboxId& id) {
  const std::string path = sandboxes_dir + "/" + id.text();
  return ReadRecordIn(TRY(OpenDirectory(path)), id);
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

Standing SandboxDir::StandingOf(const std::string& sandboxes_dir, const SandboxId& id) {
  const Names names = NamesOf(sandboxes_dir, id);
  if (names.Has(kDestroyed)) return Standing::kGarbage;
  if (names.Has(kOrphaned)) return Standing::kOrphaned;
  if (names.Has(kEphemeralRecord)) return Standing::kEphemeral;
  const bool has_record = names.Has(kRecord);
  if (!has_record && !HasContent(names)) return Standing::kGarbage;
  // A program before 0.1.0 gave every record one name.
  const auto record = ReadRecordOf(sandboxes_dir, id);
  if (record && record->request.lifetime == Lifetime::kEphemeral) return Standing::kEphemeral;
  return names.Has(kUnpromised) ? Standing::kUnpromised : Standing::kKept;
}

std::optional<int64_t> SandboxDir::OrphanedSince(const std::string& sandboxes_dir,
                                                 const SandboxId& id) {
  return NamesOf(sandboxes_dir, id).WrittenAt(kOrphaned);
}

std::optional<int64_t> SandboxDir::MadeAt(const std::string& sandboxes_dir, const SandboxId& id) {
  return NamesOf(sandboxes_dir, id).WrittenAt(kLock);
}

std::optional<Bytes> SandboxDir::ImageUse(const std::string& sandboxes_dir, const SandboxId& id) {
  const Names names = NamesOf(sandboxes_dir, id);
  struct stat image{};
  if (!names.Has(kRecord) || ::lstat(names.PathOf(kScratchImageName).c_str(), &image) < 0)
    return std::nullopt;
  return static_cast<Bytes>(image.st_blocks) * 512;
}

// Into the lock's file, which is there: an inode takes ext4 long where many were freed a moment
// ago.
Result<void> SandboxDir::WritePromise(const std::string& sandboxes_dir, const SandboxId& id,
                                      std::string_view promise) {
  if (promise.size() > kMaxPromiseBytes) {
    return Failure(Error::Invalid("a promise is longer than " + FormatBytes(kMaxPromiseBytes)));
  }
  const Fd dir = TRY(OpenDirectory(sandboxes_dir + "/" + id.text()));
  const Fd file = TRY(sys::OpenAt(dir.get(), kLock, O_WRONLY | O_TRUNC | O_NOFOLLOW));
  TRY(sys::Write(file, promise, "writing what a sandbox was promised for"));
  return native::Unlink(dir, kUnpromised);
}

Result<std::string> SandboxDir::ReadPromise(const std::string& sandboxes_dir, const SandboxId& id) {
  auto promise = ReadFile(NamesOf(sandboxes_dir, id).PathOf(kLock), kMaxPromiseBytes);
  if (!promise || !promise->empty()) return promise;
  return Failure(Error::FromErrno("reading what a sandbox was promised for", ENOENT));
}

Result<void> SandboxDir::PrepareRecord(const Record& record) const {
  const Fd aside = TRY(sys::OpenAt(dir_.get(), kRecordAside, kWriteAnew, 0600));
  return sys::Write(aside, EncodeRecord(record), "writing a sandbox's record");
}

Result<void> SandboxDir::CommitRecord(Lifetime lifetime) const {
  return native::Rename(dir_, kRecordAside, RecordNameOf(lifetime));
}

Result<void> SandboxDir::WriteRecord(const Record& record) const {
  TRY(PrepareRecord(record));
  return CommitRecord(record.request.lifetime);
}

Result<Record> SandboxDir::ReadRecord(const SandboxId& id) const { return ReadRecordIn(dir_, id); }

// Another name of the lock's file.
Result<void> SandboxDir::MarkUnpromised() const {
  if (::linkat(dir_.get(), kLock, dir_.get(), kUnpromised, 0) == 0 || errno == EEXIST) return {};
  return Failure(Error::FromErrno("marking a sandbox as unpromised"));
}

Result<void> SandboxDir::SetOrphaned(bool orphaned) const {
  if (!orphaned) return native::Unlink(dir_, kOrphaned);
  TRY(sys::OpenAt(dir_.get(), kOrphaned, kWriteAnew, 0600));
  return {};
}

// The record becomes the mark: a disk that is full has room for that.
Result<void> SandboxDir::MarkDestroyed() const {
  for (const char* name : {kRecord, kEphemeralRecord}) {
    if (::renameat(dir_.get(), name, dir_.get(), kDestroyed) == 0) return {};
    if (errno != ENOENT) return Failure(Error::FromErrno("marking a sandbox as destroyed"));
  }
  TRY(sys::OpenAt(dir_.get(), kDestroyed, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
  return {};
}

Result<void> SandboxDir::RemoveContent() const {
  TRY(native::Unlink(dir_, kScratchImageName));
  for (const auto name : kGuestSockets) TRY(native::Unlink(dir_, FileName(name)));
  for (const char* name : {kOrphaned, kRecord, kRecordAside}) TRY(native::Unlink(dir_, name));
  return {};
}

// Who claims it meanwhile makes its lock anew.
Result<void> SandboxDir::RemoveAll() const {
  TRY(RemoveContent());
  auto removed = RemoveTreeAt(AT_FDCWD, path_);
  if (!removed && removed.error().sys_errno() == ENOTEMPTY) removed = RemoveTreeAt(AT_FDCWD, path_);
  return removed;
}

Result<void> SandboxDir::Remove() && { return RemoveAll(); }

Result<std::vector<Fd>> SandboxDir::Unlink(std::initializer_list<const char*> kept) && {
  std::vector<Fd> held;
  for (const char* name : kept) {
    auto file = sys::OpenAt(dir_.get(), name, O_RDONLY | O_NOFOLLOW);
    if (file) held.push_back(*std::move(file));  // and if not, it is freed here
  }
  TRY(RemoveAll());
  held.push_back(std::move(lock_));
  held.push_back(std::move(dir_));
  return held;
}

}  // namespace cay::engine::native
