#include "archive/extraction.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <climits>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr Bytes kProgressBytes = 1 * kMiB;
constexpr mode_t kPermissionBits = 0777;
constexpr uint32_t kNobody = 65'534;

}  // namespace

Error Refused(const TarEntry& entry, std::string_view why) {
  return Error::Invalid("archive: \"" + Printable(entry.path) + "\" " + std::string(why));
}

bool MayKeepXattr(std::string_view name) {
  return name.starts_with("user.") && !name.starts_with("user.overlay.") &&
         name.find('\0') == std::string_view::npos;
}

bool IsSpecial(EntryType type) {
  return type == EntryType::kCharDevice || type == EntryType::kBlockDevice ||
         type == EntryType::kFifo || type == EntryType::kOther;
}

bool IsWhiteoutDevice(const TarEntry& entry) {
  return entry.type == EntryType::kCharDevice && entry.device_major == 0 && entry.device_minor == 0;
}

timespec ToTimespec(const Timestamp& time) {
  return {.tv_sec = static_cast<time_t>(time.seconds),
          .tv_nsec = static_cast<long>(time.nanoseconds)};
}

Extraction::Extraction(ByteSource& source, const UnpackOptions& options)
    : reader_(source), options_(options), buffer_(kBufferBytes) {}

Result<std::optional<TarEntry>> Extraction::Next() {
  AllowHeaders();
  std::optional<TarEntry> entry = TRY(reader_.Next());
  if (!entry) return entry;
  if (++report_.entries > options_.max_entries) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "archive: it has more than " + std::to_string(options_.max_entries) + " entries"));
  }
  AllowHeaders();
  return entry;
}

Result<void> Extraction::Progress() const {
  return options_.on_progress ? options_.on_progress(report_) : Result<void>{};
}

// Headers, skipped data and padding count too: a few compressed kilobytes could keep us busy with
// nothing but those for ever.
void Extraction::AllowHeaders() {
  constexpr uint64_t kHeaderBytesPerEntry = 4096;
  constexpr uint64_t kSlack = 8 * kMiB;
  const uint64_t headers = (report_.entries + 1) * kHeaderBytesPerEntry + kSlack;
  reader_.set_limit(options_.max_bytes > UINT64_MAX - headers ? UINT64_MAX
                                                              : options_.max_bytes + headers);
}

Result<void> Extraction::AddContent(Bytes bytes) {
  if (bytes > options_.max_bytes - report_.bytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "archive: it unpacks to more than " + HumanBytes(options_.max_bytes)));
  }
  const Bytes before = report_.bytes;
  report_.bytes += bytes;
  return before / kProgressBytes != report_.bytes / kProgressBytes ? Progress() : Result<void>{};
}

Result<void> Extraction::WriteSymlink(const TarEntry& entry, const Fd& parent,
                                      const std::string& name) {
  if (entry.link_target.empty() || entry.link_target.size() >= PATH_MAX ||
      entry.link_target.find('\0') != std::string::npos) {
    return Failure(Refused(entry, "is a symlink whose target is empty or too long"));
  }
  TRY(sys::SymlinkAt(entry.link_target.c_str(), parent.get(), name.c_str()));
  TRY(ChangeOwner(parent.get(), name, entry));
  if (options_.keep_times) {
    const timespec times[2] = {ToTimespec(entry.mtime), ToTimespec(entry.mtime)};
    ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }
  return {};
}

Result<void> Extraction::WriteFile(const TarEntry& entry, const Fd& parent,
                                   const std::string& name) {
  if (entry.size > options_.max_file_bytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "archive: \"" + Printable(entry.path) + "\" is larger than " +
                             HumanBytes(options_.max_file_bytes)));
  }
  const Fd file = TRY(sys::OpenAt(parent.get(), name.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0600));
  if (entry.sparse) {
    for (const Segment& segment : entry.segments) {
      TRY(CopyData(file, entry, segment.offset, segment.length));
    }
  } else {
    TRY(CopyData(file, entry, 0, entry.size));
  }
  if (entry.sparse && ::ftruncate(file.get(), static_cast<off_t>(entry.size)) < 0) {
    return Failure(Error::FromErrno("writing " + Printable(entry.path)));
  }
  TRY(SetOwnerAndXattrs(entry, file));
  if (::fchmod(file.get(), AllowedMode(entry)) < 0) {
    return Failure(Error::FromErrno("setting the mode of " + Printable(entry.path)));
  }
  if (options_.keep_times) {
    const timespec times[2] = {ToTimespec(entry.mtime), ToTimespec(entry.mtime)};
    ::futimens(file.get(), times);  // a time the filesystem cannot hold is not worth an error
  }
  return {};
}

Result<void> Extraction::CopyData(const Fd& file, const TarEntry& entry, uint64_t at,
                                  uint64_t left) {
  while (left > 0) {
    const size_t want = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size()));
    const size_t got = TRY(reader_.ReadData(std::span(buffer_).first(want)));
    if (got == 0) return Failure(Refused(entry, "has less data than its header says"));
    TRY(AddContent(got));
    for (size_t done = 0; done < got;) {
      const ssize_t written =
          ::pwrite(file.get(), buffer_.data() + done, got - done, static_cast<off_t>(at + done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failure(Error::FromErrno("writing " + Printable(entry.path)));
      done += static_cast<size_t>(written);
    }
    at += got;
    left -= got;
  }
  return {};
}

mode_t Extraction::AllowedMode(const TarEntry& entry) {
  mode_t allowed = kPermissionBits;
  if (entry.type == EntryType::kDirectory && options_.keep_sticky_directories) allowed |= S_ISVTX;
  if ((entry.mode & ~allowed) != 0) ++report_.stripped_modes;
  return entry.mode & allowed & (options_.mode_mask | S_ISVTX);
}

Result<void> Extraction::SetOwner(const TarEntry& entry, const Fd& directory) {
  return ChangeOwner(directory.get(), "", entry);
}

Result<void> Extraction::SetOwnerAndXattrs(const TarEntry& entry, const Fd& directory) {
  TRY(ChangeOwner(directory.get(), "", entry));
  return SetXattrs(directory, entry);
}

// `name` in `dir`, or `dir` itself when it is empty. Before the mode is set: chown strips bits.
Result<void> Extraction::ChangeOwner(int dir, const std::string& name, const TarEntry& entry) {
  if (options_.ownership != Ownership::kArchive) return {};
  const auto bounded = [&](uint64_t id) {
    return id <= options_.max_owner_id ? static_cast<uint32_t>(id) : kNobody;
  };
  const uint32_t uid = bounded(entry.uid);
  const uint32_t gid = bounded(entry.gid);
  if (uid != entry.uid || gid != entry.gid) ++report_.replaced_owners;
  return sys::ChownAt(dir, name.c_str(), uid, gid);
}

Result<void> Extraction::SetXattrs(const Fd& file, const TarEntry& entry) {
  for (const auto& [name, value] : entry.xattrs) {
    if (!MayKeepXattr(name)) {
      ++report_.dropped_xattrs;
      continue;
    }
    if (::fsetxattr(file.get(), name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (errno == EOPNOTSUPP) {  // tmpfs before 6.6, FAT …
      ++report_.dropped_xattrs;
      continue;
    }
    return Failure(Error::FromErrno("setting " + Printable(name) + " of " + Printable(entry.path)));
  }
  return {};
}

}  // namespace cay::archive
