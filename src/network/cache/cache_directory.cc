#include "network/cache/cache_directory.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/sys.h"
#include "crypto/digest.h"
#include "protocol/message_codec.h"

namespace cay::network {
namespace {

constexpr std::string_view kEntry = ".entry";
constexpr std::string_view kBody = ".body";
constexpr std::string_view kPart = ".part";
constexpr const char* kLedger = "ledger";
constexpr size_t kLedgerBytes = 64;  // its length in one byte, then itself
constexpr size_t kMaxEntryFile = size_t{64} * 1024;
constexpr uint64_t kStep = uint64_t{1} << 20;  // of which room is taken for a body of unknown size
constexpr uint64_t kShare = 4;                 // a body is at most this part of the cache
// Others hold the lock for microseconds, and for milliseconds where they sweep.
constexpr int kTries = 50;
constexpr int kTryEveryMs = 1;
constexpr int kNewFile = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
constexpr int kOldFile = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

bool IsDigest(std::string_view text) {
  return text.size() == Sha256::kHexLength && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<std::string> NewPartName() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return Failure(Error::FromErrno("random bytes"));
  return EncodeHex(bytes) + std::string(kPart);
}

Result<std::string> ReadEntryFile(int directory, const std::string& name) {
  const Fd file = TRY(sys::OpenAt(directory, name.c_str(), kOldFile));
  struct stat info{};
  if (::fstat(file.get(), &info) < 0) return Failure(Error::FromErrno("looking at " + name));
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > kMaxEntryFile)
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, name + " is no entry"));
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return Failure(Error::FromErrno("reading " + name));
  return bytes;
}

// What was written, and nothing else: its digest stands before it.
Result<StoredAnswer> ReadEntry(int directory, const std::string& name) {
  const std::string bytes = TRY(ReadEntryFile(directory, name));
  const std::string_view text = bytes;
  const std::string digest = TRY(Sha256Hex(text.substr(std::min(Sha256::kHexLength, text.size()))));
  if (!text.starts_with(digest))
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, name + " is damaged"));
  auto answer = TRY(
      protocol::Decode<StoredAnswer>(text.substr(Sha256::kHexLength), protocol::Unknown::kSkipped));
  if (answer.format != StoredAnswer::kFormat || !IsDigest(answer.digest))
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, name + " has another format"));
  return answer;
}

std::string BodyName(const std::string& digest) { return digest + std::string(kBody); }
std::string EntryName(const std::string& key_file) { return key_file + std::string(kEntry); }

// The kernel's own time of a change is that of its last tick: what was used within one could not be
// told apart.
bool MarkUsed(int directory, const std::string& name) {
  std::array<timespec, 2> times{};
  ::clock_gettime(CLOCK_REALTIME, times.data());
  times[1] = times[0];
  return ::utimensat(directory, name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) == 0;
}

Error Busy() { return {ErrorCode::kUnavailable, Fault::kMachine, "the package cache is busy"}; }

}  // namespace

// One file, for a sweep.
struct CacheDirectory::File {
  std::string name;
  timespec used{};
  uint64_t bytes = 0;
  bool is_entry = false;
  bool UsedBefore(const File& other) const {
    return std::pair(used.tv_sec, used.tv_nsec) < std::pair(other.used.tv_sec, other.used.tv_nsec);
  }
};

class CacheDirectory::Locked {
 public:
  static Result<Locked> Of(CacheDirectory& cache) {
    if (!cache.ledger_) cache.ledger_ = TRY(cache.OpenLedger());
    for (int tries = 0; ::flock(cache.ledger_->get(), LOCK_EX | LOCK_NB) < 0; ++tries) {
      if (errno != EWOULDBLOCK && errno != EINTR) return Failure(Error::FromErrno("flock"));
      if (tries == kTries) return Failure(Busy());
      ::poll(nullptr, 0, kTryEveryMs);
    }
    Locked locked(cache);
    if (!locked.Read()) locked.ledger = TRY(cache.Sweep({}));
    locked.known_ = true;
    TRY(locked.Write());
    return locked;
  }
  Locked(Locked&& other) noexcept
      : ledger(other.ledger), cache_(std::exchange(other.cache_, nullptr)), known_(other.known_) {}
  Locked& operator=(Locked&&) = delete;
  // What cannot be written leaves the ledger larger than it should be.
  ~Locked() {
    if (cache_ == nullptr) return;
    if (known_) (void)Write();
    ::flock(cache_->ledger_->get(), LOCK_UN);
  }

  Result<void> Write() {
    std::string bytes = protocol::Encode(ledger);
    bytes.insert(bytes.begin(), static_cast<char>(bytes.size()));
    bytes.resize(kLedgerBytes);
    cache_->counts_.bytes = ledger.bytes;
    cache_->counts_.entries = ledger.entries;
    if (::pwrite(cache_->ledger_->get(), bytes.data(), bytes.size(), 0) ==
        static_cast<ssize_t>(bytes.size()))
      return {};
    return Failure(Error::FromErrno("writing the ledger of the package cache"));
  }
  void Less(uint64_t bytes, uint64_t entries) {
    ledger.bytes -= std::min(bytes, ledger.bytes);
    ledger.entries -= std::min(entries, ledger.entries);
  }

  Ledger ledger;

 private:
  explicit Locked(CacheDirectory& cache) : cache_(&cache) {}

  Result<void> Read() {
    std::array<char, kLedgerBytes> bytes{};
    const ssize_t got = ::pread(cache_->ledger_->get(), bytes.data(), bytes.size(), 0);
    const size_t length = static_cast<unsigned char>(bytes[0]);
    if (got != static_cast<ssize_t>(bytes.size()) || length >= bytes.size())
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "there is no ledger"));
    ledger = TRY(protocol::Decode<Ledger>({bytes.data() + 1, length}, protocol::Unknown::kSkipped));
    if (ledger.format == Ledger().format) return {};
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "a ledger of another format"));
  }

  CacheDirectory* cache_;
  bool known_ = false;  // the ledger is read
};

CacheDirectory::Part::Part(Part&& other) noexcept
    : directory_(std::exchange(other.directory_, nullptr)),
      file_(std::move(other.file_)),
      name_(std::move(other.name_)),
      size_(other.size_),
      taken_(other.taken_) {}

CacheDirectory::Part::~Part() {
  if (directory_ != nullptr) directory_->GiveBack(*this);
}

Result<void> CacheDirectory::Part::Append(std::string_view bytes) {
  if (size_ + bytes.size() > taken_)
    TRY(directory_->Grow(*this, std::max<uint64_t>(kStep, size_ + bytes.size() - taken_)));
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Failure(Error::FromErrno("writing to the package cache"));
    size_ += static_cast<uint64_t>(put);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

// It belongs to whom the directory belongs to, when root makes it too.
Result<Fd> CacheDirectory::OpenLedger() const {
  Fd ledger =
      TRY(sys::OpenAt(directory_.get(), kLedger, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat directory{};
  if (::geteuid() == 0 && ::fstat(directory_.get(), &directory) == 0 &&
      ::fchown(ledger.get(), directory.st_uid, directory.st_gid) < 0)
    return Failure(Error::FromErrno("giving the ledger to the network relay"));
  return ledger;
}

uint64_t CacheDirectory::SizeOf(const std::string& name) const {
  struct stat info{};
  if (::fstatat(directory_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return static_cast<uint64_t>(info.st_size);
}

// With the lock.
void CacheDirectory::Remove(Locked& locked, const std::string& name, bool is_entry) {
  const uint64_t bytes = SizeOf(name);
  if (::unlinkat(directory_.get(), name.c_str(), 0) == 0) locked.Less(bytes, is_entry ? 1 : 0);
}

// With the lock. What is there, after what was not used for the longest time has made room.
Result<CacheDirectory::Ledger> CacheDirectory::Sweep(const Room& room) {
  constexpr size_t kMostFiles = 4 * CacheBounds::kMaxEntries;
  std::vector<File> files;
  Ledger ledger;
  uint64_t bodies = 0;
  Listing listing =
      TRY(Listing::Of(TRY(sys::OpenAt(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  while (const dirent* const listed = TRY(listing.Next())) {
    const std::string name = listed->d_name;
    const bool is_entry = name.ends_with(kEntry);
    const bool is_part = name.ends_with(kPart);
    struct stat info{};
    if ((!is_entry && !is_part && !name.ends_with(kBody)) ||
        ::fstatat(directory_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    const auto bytes = static_cast<uint64_t>(info.st_size);
    if (is_part) {
      const auto file = sys::OpenAt(directory_.get(), name.c_str(), kOldFile);
      const bool is_written = file && ::flock(file->get(), LOCK_EX | LOCK_NB) < 0;
      if (is_written || ::unlinkat(directory_.get(), name.c_str(), 0) < 0) ledger.bytes += bytes;
    } else if (files.size() == kMostFiles) {
      ::unlinkat(directory_.get(), name.c_str(), 0);
    } else {
      files.push_back({.name = name, .used = info.st_mtim, .bytes = bytes, .is_entry = is_entry});
      ledger.bytes += bytes;
      ++(is_entry ? ledger.entries : bodies);
    }
  }
  const auto fits = [&](uint64_t spare) {
    const auto most = [&](uint64_t bound) { return bound - bound / kShare / 2 * spare; };
    return ledger.bytes + room.bytes <= most(bounds_.bytes) &&
           ledger.entries + room.entries <= most(bounds_.entries) &&
           bodies + room.entries <= most(bounds_.entries);
  };
  if (fits(0)) return ledger;
  std::ranges::sort(files, [](const File& a, const File& b) { return a.UsedBefore(b); });
  // An eighth more than there must be, so that the next one does not sweep again.
  for (const File& file : files) {
    if (fits(1)) break;
    if (::unlinkat(directory_.get(), file.name.c_str(), 0) < 0) continue;
    ++counts_.evicted;
    ledger.bytes -= file.bytes;
    --(file.is_entry ? ledger.entries : bodies);
  }
  return ledger;
}

// Room that will be used: it is in the ledger first.
Result<void> CacheDirectory::Take(Locked& locked, const Room& room) {
  const auto fits = [&] {
    return locked.ledger.bytes + room.bytes <= bounds_.bytes &&
           locked.ledger.entries + room.entries <= bounds_.entries;
  };
  TRY(CheckHostReserve(TRY(DiskRoomOf(directory_))));
  if (!fits()) locked.ledger = TRY(Sweep(room));
  if (!fits()) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "the package cache is full of what is being written"));
  }
  locked.ledger.bytes += room.bytes;
  locked.ledger.entries += room.entries;
  return locked.Write();
}

Result<void> CacheDirectory::Grow(Part& part, uint64_t bytes) {
  if (part.taken_ + bytes > bounds_.bytes / kShare) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "larger than a quarter of the package cache"));
  }
  Locked locked = TRY(Locked::Of(*this));
  TRY(Take(locked, {.bytes = bytes}));
  part.taken_ += bytes;
  // Who sweeps sees by its size what it takes.
  if (::ftruncate(part.file_.get(), static_cast<off_t>(part.taken_)) == 0) return {};
  return Failure(Error::FromErrno("writing to the package cache"));
}

void CacheDirectory::GiveBack(Part& part) {
  auto locked = Locked::Of(*this);
  // Without the lock the ledger stays too large: another's sweep may have it true already.
  const bool removed = ::unlinkat(directory_.get(), part.name_.c_str(), 0) == 0;
  if (locked && removed) locked->Less(part.taken_, 0);
}

Result<CacheDirectory::Part> CacheDirectory::Begin(std::optional<uint64_t> size) {
  std::string name = TRY(NewPartName());
  std::optional<Part> part;
  {
    Locked locked = TRY(Locked::Of(*this));
    Fd file = TRY(sys::OpenAt(directory_.get(), name.c_str(), kNewFile, 0600));
    part.emplace(Part(*this, std::move(file), std::move(name)));
    if (::flock(part->file_.get(), LOCK_EX | LOCK_NB) < 0)
      return Failure(Error::FromErrno("flock"));
  }
  if (size && *size > 0) TRY(Grow(*part, *size));
  return *std::move(part);
}

// With the lock.
Result<void> CacheDirectory::PlaceBody(Locked& locked, Part& part, const std::string& digest) {
  const std::string body = BodyName(digest);
  const uint64_t there = SizeOf(body);
  if (there == part.size_ && part.size_ > 0 && MarkUsed(directory_.get(), body)) {
    ::unlinkat(directory_.get(), part.name_.c_str(), 0);
    locked.Less(part.taken_, 0);
    part.directory_ = nullptr;
    return {};
  }
  if (::ftruncate(part.file_.get(), static_cast<off_t>(part.size_)) < 0 ||
      ::renameat(directory_.get(), part.name_.c_str(), directory_.get(), body.c_str()) < 0)
    return Failure(Error::FromErrno("writing to the package cache"));
  locked.Less(part.taken_ - part.size_ + there, 0);
  part.directory_ = nullptr;
  MarkUsed(directory_.get(), body);
  return {};
}

Result<void> CacheDirectory::WriteEntry(Locked& locked, const std::string& key_file,
                                        const StoredAnswer& answer) {
  const std::string encoded = protocol::Encode(answer);
  const std::string content = TRY(Sha256Hex(encoded)) + encoded;
  const std::string name = EntryName(key_file);
  if (content.size() > kMaxEntryFile)
    return Failure(Error::Invalid("an entry of the package cache is too large"));
  TRY(Take(locked, {.bytes = content.size(), .entries = 1}));
  const std::string part = TRY(NewPartName());
  {
    const Fd file = TRY(sys::OpenAt(directory_.get(), part.c_str(), kNewFile, 0600));
    TRY(WriteAll(file.get(), content));
  }
  const uint64_t there = SizeOf(name);
  if (::renameat(directory_.get(), part.c_str(), directory_.get(), name.c_str()) < 0)
    return Failure(Error::FromErrno("writing to the package cache"));
  if (there > 0) locked.Less(there, 1);
  MarkUsed(directory_.get(), name);
  return {};
}

Result<void> CacheDirectory::Keep(Part part, const std::string& key_file,
                                  const StoredAnswer& answer) {
  if (!IsDigest(answer.digest) || answer.size != part.size_)
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "not the body of its entry"));
  Locked locked = TRY(Locked::Of(*this));
  TRY(PlaceBody(locked, part, answer.digest));
  TRY(WriteEntry(locked, key_file, answer));
  ++counts_.stored;
  return {};
}

Result<void> CacheDirectory::Rewrite(const std::string& key_file, const StoredAnswer& answer) {
  Locked locked = TRY(Locked::Of(*this));
  return WriteEntry(locked, key_file, answer);
}

std::optional<CacheDirectory::Found> CacheDirectory::Find(const std::string& key_file,
                                                          std::string_view key) {
  auto answer = ReadEntry(directory_.get(), EntryName(key_file));
  if (!answer) {
    if (answer.error().sys_errno() != ENOENT) {
      ++counts_.damaged;
      Forget(key_file, {});
    }
    return std::nullopt;
  }
  if (answer->key != key) return std::nullopt;
  auto body = sys::OpenAt(directory_.get(), BodyName(answer->digest).c_str(), kOldFile);
  struct stat info{};
  if (body && ::fstat(body->get(), &info) == 0 && S_ISREG(info.st_mode) &&
      static_cast<uint64_t>(info.st_size) == answer->size) {
    MarkUsed(directory_.get(), EntryName(key_file));
    MarkUsed(directory_.get(), BodyName(answer->digest));
    return Found{.answer = *std::move(answer), .body = *std::move(body)};
  }
  if (body) ++counts_.damaged;
  Forget(key_file, body ? answer->digest : std::string());
  return std::nullopt;
}

// What cannot be removed now is found bad again.
void CacheDirectory::Forget(const std::string& key_file, const std::string& damaged_body) {
  auto locked = Locked::Of(*this);
  if (!locked) return;
  Remove(*locked, EntryName(key_file), true);
  if (!damaged_body.empty()) Remove(*locked, BodyName(damaged_body), false);
}

Result<void> CacheDirectory::Each(
    const std::function<void(const StoredAnswer& answer)>& use) const {
  Listing listing =
      TRY(Listing::Of(TRY(sys::OpenAt(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  while (const dirent* const listed = TRY(listing.Next())) {
    const std::string name = listed->d_name;
    if (!name.ends_with(kEntry)) continue;
    if (const auto answer = ReadEntry(directory_.get(), name)) use(*answer);
  }
  return {};
}

Result<CacheUsage> CacheDirectory::Usage() const {
  CacheUsage usage;
  Listing listing =
      TRY(Listing::Of(TRY(sys::OpenAt(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  while (const dirent* const listed = TRY(listing.Next())) {
    const std::string name = listed->d_name;
    const bool is_entry = name.ends_with(kEntry);
    const bool is_body = name.ends_with(kBody);
    if (!is_entry && !is_body && !name.ends_with(kPart)) continue;
    usage.entries += is_entry ? 1 : 0;
    usage.bodies += is_body ? 1 : 0;
    usage.bytes += SizeOf(name);
  }
  return usage;
}

Result<void> CacheDirectory::Clear() {
  Locked locked = TRY(Locked::Of(*this));
  const CacheBounds bounds = std::exchange(bounds_, {.bytes = 0, .entries = 0});
  auto left = Sweep({});
  bounds_ = bounds;
  locked.ledger = TRY(std::move(left));
  return locked.Write();
}

Result<void> CacheDirectory::Settle() {
  Locked locked = TRY(Locked::Of(*this));
  if (locked.ledger.bytes <= bounds_.bytes && locked.ledger.entries <= bounds_.entries) return {};
  locked.ledger = TRY(Sweep({}));
  return locked.Write();
}

}  // namespace cay::network
