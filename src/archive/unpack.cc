#include "archive/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "archive/safe_path.h"
#include "archive/tar_reader.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr Bytes kProgressBytes = 1 * kMiB;
constexpr mode_t kPermissionBits = 0777;
constexpr uint32_t kNobody = 65'534;
// Directories get their mode and time at the end: until then they must be writable, and each member
// changes the time of its parent. What is remembered for that is bounded.
constexpr size_t kMaxPendingBytes = 64 << 20;

struct PendingDirectory {
  std::string path;
  mode_t mode;
  Timestamp mtime;
};

Error Refused(const TarEntry& entry, std::string_view why) {
  return Error::Invalid("archive: \"" + Printable(entry.path) + "\" " + std::string(why));
}

bool HasWhiteoutName(std::string_view normalized) {
  return normalized.starts_with(".wh.") || normalized.find("/.wh.") != std::string_view::npos;
}

// overlayfs reads user.overlay.* where it is mounted with "userxattr".
bool MayKeepXattr(std::string_view name) {
  return name.starts_with("user.") && !name.starts_with("user.overlay.") &&
         name.find('\0') == std::string_view::npos;
}

// "a/b" is below "a"; for those, opening goes on from a directory that is open.
bool IsBelow(std::string_view path, std::string_view directory) {
  return !directory.empty() && path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}
std::string_view Below(std::string_view path, std::string_view directory) {
  return path.substr(directory.size() + 1);
}

timespec ToTimespec(const Timestamp& time) {
  return {.tv_sec = static_cast<time_t>(time.seconds),
          .tv_nsec = static_cast<long>(time.nanoseconds)};
}

class Unpacker {
 public:
  Unpacker(ByteSource& source, const Fd& root, const UnpackOptions& options)
      : reader_(source), root_(root), options_(options), buffer_(kBufferBytes) {}

  Result<UnpackReport> Run() {
    AllowHeaders();
    while (std::optional<TarEntry> entry = TRY(reader_.Next())) {
      if (++report_.entries > options_.max_entries) {
        return Failure(Error(
            ErrorCode::kLimitTooHigh, Fault::kCaller,
            "archive: it has more than " + std::to_string(options_.max_entries) + " entries"));
      }
      AllowHeaders();
      TRY(UnpackEntry(*entry));
      TRY(Progress());
    }
    TRY(FinishDirectories());
    return report_;
  }

 private:
  Result<void> Progress() {
    return options_.on_progress ? options_.on_progress(report_) : Result<void>{};
  }

  // Headers, skipped data and padding count too: a few compressed kilobytes could keep us busy with
  // nothing but those for ever.
  void AllowHeaders() {
    constexpr uint64_t kHeaderBytesPerEntry = 4096;
    constexpr uint64_t kSlack = 8 * kMiB;
    const uint64_t headers = (report_.entries + 1) * kHeaderBytesPerEntry + kSlack;
    reader_.set_limit(options_.max_bytes > UINT64_MAX - headers ? UINT64_MAX
                                                                : options_.max_bytes + headers);
  }

  Failure OverBytes() const {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "archive: it unpacks to more than " + HumanBytes(options_.max_bytes)));
  }

  Result<void> UnpackEntry(TarEntry& entry) {
    const std::string path = TRY(NormalizeEntryPath(entry.path));
    const bool special = entry.type == EntryType::kCharDevice ||
                         entry.type == EntryType::kBlockDevice || entry.type == EntryType::kFifo ||
                         entry.type == EntryType::kOther;
    const bool whiteout = (entry.type == EntryType::kCharDevice && entry.device_major == 0 &&
                           entry.device_minor == 0) ||
                          (options_.skip_whiteout_names && HasWhiteoutName(path));
    if (whiteout || special) {
      if (options_.special_files == SpecialFiles::kRefuse) {
        return Failure(Refused(entry, "is a device, a FIFO or a whiteout"));
      }
      ++(whiteout ? report_.skipped_whiteouts : report_.skipped_special);
      return {};
    }
    if (path.empty()) return UnpackTop(entry);
    TRY(EnterParent(SplitLast(path).parent));
    const std::string name(SplitLast(path).name);
    switch (entry.type) {
      case EntryType::kDirectory:
        return UnpackDirectory(entry, path, name);
      case EntryType::kSymlink:
        return UnpackSymlink(entry, name);
      case EntryType::kHardLink:
        return UnpackHardLink(entry, name);
      default:
        return UnpackFile(entry, name);
    }
  }

  // The directory itself ("./"): a root filesystem brings its root's mode and owner.
  Result<void> UnpackTop(TarEntry& entry) {
    if (entry.type != EntryType::kDirectory) {
      return Failure(Refused(entry, "is the directory itself, but the archive says otherwise"));
    }
    if (options_.ownership != Ownership::kArchive) return {};
    TRY(ChangeOwner(root_.get(), "", entry));
    return Remember({}, entry);
  }

  // Consecutive members mostly share a parent: it stays open.
  Result<void> EnterParent(std::string_view path) {
    if (parent_ && parent_path_ == path) return {};
    Result<Fd> opened = parent_ && IsBelow(path, parent_path_)
                            ? MakeDirectoriesBeneath(*parent_, Below(path, parent_path_), 0755)
                            : MakeDirectoriesBeneath(root_, path, 0755);
    if (!opened) {
      const int why = opened.error().sys_errno();
      if (why != ELOOP && why != ENOTDIR) return Failure(std::move(opened).error());
      return Failure(Error::Invalid("archive: \"" + Printable(path) +
                                    "\" is a symlink or a file, and the archive would go through "
                                    "it"));
    }
    parent_ = *std::move(opened);
    parent_path_ = path;
    return {};
  }

  Result<void> UnpackDirectory(TarEntry& entry, const std::string& path, const std::string& name) {
    Result<void> made = sys::MkdirAt(parent_->get(), name.c_str(), 0700);
    if (!made && made.error().sys_errno() != EEXIST) return made;
    Result<Fd> opened =
        sys::OpenAt(parent_->get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    if (!opened) {
      const int why = opened.error().sys_errno();
      if (why == ELOOP || why == ENOTDIR) {
        return Failure(Refused(entry, "is there already and is not a directory"));
      }
      // Unreadable for its owner (mode 0300, say): there already, and left as it is.
      if (why == EACCES && !made) return {};
      return Failure(std::move(opened).error());
    }
    TRY(ChangeOwner(opened->get(), "", entry));
    TRY(SetXattrs(*opened, entry));
    return Remember(path, entry);
  }

  Result<void> UnpackSymlink(TarEntry& entry, const std::string& name) {
    if (entry.link_target.empty() || entry.link_target.size() >= PATH_MAX ||
        entry.link_target.find('\0') != std::string::npos) {
      return Failure(Refused(entry, "is a symlink whose target is empty or too long"));
    }
    TRY(MakeWay(entry, name));
    TRY(sys::SymlinkAt(entry.link_target.c_str(), parent_->get(), name.c_str()));
    TRY(ChangeOwner(parent_->get(), name, entry));
    if (options_.keep_times) {
      const timespec times[2] = {ToTimespec(entry.mtime), ToTimespec(entry.mtime)};
      ::utimensat(parent_->get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    }
    return {};
  }

  Result<void> UnpackHardLink(TarEntry& entry, const std::string& name) {
    const std::string target = TRY(NormalizeEntryPath(entry.link_target));
    if (target.empty()) return Failure(Refused(entry, "is a hardlink to a directory"));
    const Result<Fd> target_dir = OpenDirectoryBeneath(root_, SplitLast(target).parent, O_PATH);
    const std::string target_name(SplitLast(target).name);
    struct stat info{};
    if (!target_dir ||
        ::fstatat(target_dir->get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
      return Failure(Refused(entry, "is a hardlink to \"" + Printable(target) +
                                        "\", which is not there or behind a symlink"));
    }
    if (!S_ISREG(info.st_mode)) {
      return Failure(Refused(
          entry, "is a hardlink to \"" + Printable(target) + "\", which is not a regular file"));
    }
    struct stat existing{};
    if (::fstatat(parent_->get(), name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0 &&
        existing.st_dev == info.st_dev && existing.st_ino == info.st_ino) {
      return {};  // a link to itself, or there from before: unlinking first would lose the file
    }
    TRY(MakeWay(entry, name));
    // Without AT_SYMLINK_FOLLOW: a symlink put there since the check is linked as a symlink.
    if (::linkat(target_dir->get(), target_name.c_str(), parent_->get(), name.c_str(), 0) < 0) {
      return Failure(Error::FromErrno("linking " + Printable(entry.path)));
    }
    return {};
  }

  // Removes what is there, unless it is a directory.
  Result<void> MakeWay(const TarEntry& entry, const std::string& name) {
    if (::unlinkat(parent_->get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno == EISDIR || errno == EPERM) {
      struct stat info{};
      if (::fstatat(parent_->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISDIR(info.st_mode)) {
        return Failure(Refused(entry, "is there already and is a directory"));
      }
      errno = EPERM;
    }
    return Failure(Error::FromErrno("replacing " + Printable(entry.path)));
  }

  Result<void> UnpackFile(TarEntry& entry, const std::string& name) {
    if (entry.size > options_.max_file_bytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "archive: \"" + Printable(entry.path) + "\" is larger than " +
                               HumanBytes(options_.max_file_bytes)));
    }
    TRY(MakeWay(entry, name));
    const Fd file = TRY(sys::OpenAt(parent_->get(), name.c_str(),
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
    TRY(ChangeOwner(file.get(), "", entry));
    TRY(SetXattrs(file, entry));
    if (::fchmod(file.get(), AllowedMode(entry)) < 0) {
      return Failure(Error::FromErrno("setting the mode of " + Printable(entry.path)));
    }
    if (options_.keep_times) {
      const timespec times[2] = {ToTimespec(entry.mtime), ToTimespec(entry.mtime)};
      ::futimens(file.get(), times);  // a time the filesystem cannot hold is not worth an error
    }
    return {};
  }

  Result<void> CopyData(const Fd& file, const TarEntry& entry, uint64_t at, uint64_t left) {
    while (left > 0) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size()));
      const size_t got = TRY(reader_.ReadData(std::span(buffer_).first(want)));
      if (got == 0) return Failure(Refused(entry, "has less data than its header says"));
      if (got > options_.max_bytes - report_.bytes) return OverBytes();
      for (size_t done = 0; done < got;) {
        const ssize_t written =
            ::pwrite(file.get(), buffer_.data() + done, got - done, static_cast<off_t>(at + done));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return Failure(Error::FromErrno("writing " + Printable(entry.path)));
        done += static_cast<size_t>(written);
      }
      const Bytes before = report_.bytes;
      report_.bytes += got;
      at += got;
      left -= got;
      if (before / kProgressBytes != report_.bytes / kProgressBytes) TRY(Progress());
    }
    return {};
  }

  mode_t AllowedMode(const TarEntry& entry) {
    mode_t allowed = kPermissionBits;
    if (entry.type == EntryType::kDirectory && options_.keep_sticky_directories) allowed |= S_ISVTX;
    if ((entry.mode & ~allowed) != 0) ++report_.stripped_modes;
    return entry.mode & allowed & (options_.mode_mask | S_ISVTX);
  }

  // `name` in `dir`, or `dir` itself when it is empty. Before the mode is set: chown strips bits.
  Result<void> ChangeOwner(int dir, const std::string& name, const TarEntry& entry) {
    if (options_.ownership != Ownership::kArchive) return {};
    const auto bounded = [&](uint64_t id) {
      return id <= options_.max_owner_id ? static_cast<uint32_t>(id) : kNobody;
    };
    const uint32_t uid = bounded(entry.uid);
    const uint32_t gid = bounded(entry.gid);
    if (uid != entry.uid || gid != entry.gid) ++report_.replaced_owners;
    return sys::ChownAt(dir, name.c_str(), uid, gid);
  }

  Result<void> SetXattrs(const Fd& file, const TarEntry& entry) {
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
      return Failure(
          Error::FromErrno("setting " + Printable(name) + " of " + Printable(entry.path)));
    }
    return {};
  }

  Result<void> Remember(const std::string& path, const TarEntry& entry) {
    pending_bytes_ += path.size() + sizeof(PendingDirectory);
    if (pending_bytes_ > kMaxPendingBytes) {
      return Failure(
          Error(ErrorCode::kLimitTooHigh, Fault::kCaller, "archive: it has too many directories"));
    }
    pending_.push_back({.path = path, .mode = AllowedMode(entry), .mtime = entry.mtime});
    return {};
  }

  // First those that stay open to their owner, from the top down, each from the last one; then the
  // others backwards: a directory that loses its search bit would hide those below it.
  Result<void> FinishDirectories() {
    constexpr mode_t kOwner = 0700;
    parent_.reset();
    std::string_view last_path;
    std::optional<Fd> last;
    for (const PendingDirectory& directory : pending_) {
      if ((directory.mode & kOwner) != kOwner) continue;
      const bool below = last && IsBelow(directory.path, last_path);
      Result<Fd> opened =
          below ? OpenDirectoryBeneath(*last, Below(directory.path, last_path), O_RDONLY)
                : OpenDirectoryBeneath(root_, directory.path, O_RDONLY);
      TRY(FinishDirectory(directory, opened));
      if (!opened) continue;
      last = *std::move(opened);
      last_path = directory.path;
    }
    for (auto directory = pending_.rbegin(); directory != pending_.rend(); ++directory) {
      if ((directory->mode & kOwner) == kOwner) continue;
      TRY(FinishDirectory(*directory, OpenDirectoryBeneath(root_, directory->path, O_RDONLY)));
    }
    return {};
  }

  Result<void> FinishDirectory(const PendingDirectory& directory, const Result<Fd>& opened) const {
    if (!opened) {
      // Replaced by a later member, or moved by what runs beside us: nothing of ours to set.
      const int why = opened.error().sys_errno();
      if (why == ENOENT || why == ENOTDIR || why == ELOOP || why == EACCES) return {};
      return Failure(opened.error());
    }
    if (options_.keep_times) {
      const timespec times[2] = {ToTimespec(directory.mtime), ToTimespec(directory.mtime)};
      ::futimens(opened->get(), times);
    }
    if (::fchmod(opened->get(), directory.mode) == 0) return {};
    if (errno == EPERM) return {};  // somebody else's directory that was there before
    return Failure(Error::FromErrno("setting the mode of " + Printable(directory.path)));
  }

  TarReader reader_;
  const Fd& root_;
  const UnpackOptions& options_;
  std::vector<char> buffer_;
  UnpackReport report_;
  std::optional<Fd> parent_;
  std::string parent_path_;
  std::vector<PendingDirectory> pending_;
  size_t pending_bytes_ = 0;
};

}  // namespace

Result<UnpackReport> Unpack(ByteSource& source, const Fd& directory, const UnpackOptions& options) {
  return Unpacker(source, directory, options).Run();
}

}  // namespace cay::archive
