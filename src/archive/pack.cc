#include "archive/pack.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "archive/directory_walk.h"
#include "archive/safe_path.h"
#include "archive/tar_writer.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr Bytes kProgressBytes = 1 * kMiB;
// Files with several names that are remembered; beyond it, further names become copies.
constexpr size_t kMaxLinkBytes = 32 << 20;
constexpr size_t kMaxXattrBytes = 256 * 1024;  // of one file

Timestamp ToTimestamp(const timespec& time) {
  return {.seconds = time.tv_sec, .nanoseconds = static_cast<uint32_t>(time.tv_nsec)};
}

TarEntry EntryOf(const struct stat& info, std::string path) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.mode = info.st_mode & 07777;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime = ToTimestamp(info.st_mtim);
  return entry;
}

class Packer {
 public:
  Packer(ByteSink& sink, const PackOptions& options)
      : writer_(sink), options_(options), buffer_(kBufferBytes) {}

  Result<PackReport> Run(const Fd& parent, const std::string& name,
                         const std::string& archive_name) {
    struct stat info{};
    if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
      Error error = Error::FromErrno("packing " + Printable(name));
      if (errno != ENOENT) return Failure(std::move(error));
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, error.message()));
    }
    if (S_ISDIR(info.st_mode)) {
      TRY(PackTree(parent, name, archive_name));
    } else {
      TRY(PackNode(parent, name, archive_name, info));
    }
    TRY(writer_.Finish());
    return report_;
  }

 private:
  Result<void> Progress() {
    return options_.on_progress ? options_.on_progress(report_) : Result<void>{};
  }

  Result<void> CountEntry() {
    if (++report_.entries > options_.max_entries) {
      return Failure(
          Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                "archive: there are more than " + std::to_string(options_.max_entries) + " files"));
    }
    return Progress();
  }

  void Skip(uint64_t& counter, const std::string& path) {
    ++counter;
    if (report_.first_problem.empty()) report_.first_problem = Printable(path);
  }

  // What to do when something could not be opened or looked at.
  Result<void> SkipFailed(const Error& error, const std::string& path) {
    switch (error.sys_errno()) {
      case ENOENT:
      case ENOTDIR:
      case ELOOP:
      case ENXIO:
      case ESTALE:
        Skip(report_.changed, path);
        return {};
      case EACCES:
      case EPERM:
        Skip(report_.skipped_unreadable, path);
        return {};
      case EXDEV:
        Skip(report_.skipped_mounts, path);
        return {};
      default:
        return Failure(error);
    }
  }

  Result<void> WriteHeaderOnly(const TarEntry& entry) {
    TRY(writer_.Begin(entry));
    TRY(writer_.End());
    return CountEntry();
  }

  // Depth first, without recursion: each level of `pending` holds the subdirectories still to do.
  Result<void> PackTree(const Fd& parent, const std::string& name,
                        const std::string& archive_name) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    DirectoryWalk walk(TRY(sys::OpenAt2(parent.get(), name.c_str(), how)), Mounts::kStayOut);
    std::vector<std::vector<std::string>> pending;
    pending.push_back(TRY(PackDirectory(walk.current(), archive_name)));
    while (!pending.empty()) {
      if (pending.back().empty()) {
        pending.pop_back();
        if (pending.empty()) break;
        const Result<void> left = walk.Leave();
        if (left) continue;
        // The tree was moved away from under us: what is above cannot be found any more.
        return Failure(Error(left.error()).WithContext("packing a tree that is being moved"));
      }
      std::string child = std::move(pending.back().back());
      pending.back().pop_back();
      const std::string path = Join(archive_name, walk.Path(), child);
      if (path.size() + 1 > kMaxEntryPathBytes) {
        Skip(report_.skipped_too_deep, path);
        continue;
      }
      const Result<void> entered = walk.Enter(std::move(child));
      if (!entered) {
        TRY(SkipFailed(entered.error(), path));
        continue;
      }
      pending.push_back(TRY(PackDirectory(walk.current(), path)));
    }
    return {};
  }

  static std::string Join(const std::string& top, const std::string& inner,
                          const std::string& name) {
    return inner.empty() ? top + "/" + name : top + "/" + inner + "/" + name;
  }

  // The directory's own entry and everything in it that is no directory. Gives the subdirectories.
  Result<std::vector<std::string>> PackDirectory(const Fd& directory, const std::string& path) {
    struct stat info{};
    if (::fstat(directory.get(), &info) < 0) {
      return Failure(Error::FromErrno("looking at " + Printable(path)));
    }
    TarEntry entry = EntryOf(info, path + "/");
    entry.type = EntryType::kDirectory;
    ReadUserXattrs(directory, entry);
    TRY(WriteHeaderOnly(entry));
    std::vector<std::string> subdirectories;
    std::vector<std::string> names = TRY(ReadNames(directory, options_.max_entries));
    if (options_.leaves_out) std::erase_if(names, options_.leaves_out);
    std::sort(names.begin(), names.end());
    for (std::string& name : names) {
      const std::string child = path + "/" + name;
      if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        TRY(SkipFailed(Error::FromErrno("looking at " + Printable(child)), child));
      } else if (S_ISDIR(info.st_mode)) {
        subdirectories.push_back(std::move(name));
      } else if (child.size() > kMaxEntryPathBytes) {
        Skip(report_.skipped_too_deep, child);
      } else {
        TRY(PackNode(directory, name, child, info));
      }
    }
    // They are taken from the back.
    std::reverse(subdirectories.begin(), subdirectories.end());
    return subdirectories;
  }

  Result<void> PackNode(const Fd& directory, const std::string& name, const std::string& path,
                        const struct stat& info) {
    if (S_ISREG(info.st_mode)) return PackFile(directory, name, path);
    if (S_ISLNK(info.st_mode)) return PackSymlink(directory, name, path, info);
    Skip(report_.skipped_special, path);
    return Progress();
  }

  Result<void> PackSymlink(const Fd& directory, const std::string& name, const std::string& path,
                           const struct stat& info) {
    std::array<char, PATH_MAX> target;
    const ssize_t length =
        ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
    if (length < 0) return SkipFailed(Error::FromErrno("reading " + Printable(path)), path);
    TarEntry entry = EntryOf(info, path);
    entry.type = EntryType::kSymlink;
    entry.link_target.assign(target.data(), static_cast<size_t>(length));
    return WriteHeaderOnly(entry);
  }

  Result<void> PackFile(const Fd& directory, const std::string& name, const std::string& path) {
    // O_NONBLOCK: what was a regular file a moment ago may be a FIFO by now.
    const Result<Fd> opened =
        sys::OpenAt(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!opened) return SkipFailed(opened.error(), path);
    struct stat info{};
    if (::fstat(opened->get(), &info) < 0) {
      return Failure(Error::FromErrno("looking at " + Printable(path)));
    }
    if (!S_ISREG(info.st_mode)) {
      Skip(report_.changed, path);
      return {};
    }
    TarEntry entry = EntryOf(info, path);
    if (info.st_nlink > 1) {
      if (const std::string* first = FirstName(info, path)) {
        entry.type = EntryType::kHardLink;
        entry.link_target = *first;
        return WriteHeaderOnly(entry);
      }
    }
    entry.size = static_cast<uint64_t>(info.st_size);
    ReadUserXattrs(*opened, entry);
    constexpr uint64_t kStatBlock = 512;
    if (static_cast<uint64_t>(info.st_blocks) * kStatBlock < entry.size) {
      auto segments = TRY(FindSegments(*opened, entry.size));
      if (!segments) {
        Skip(report_.skipped_fragmented, path);
        return {};
      }
      entry.segments = *std::move(segments);
      // A filesystem that compresses, or keeps small files in the inode, has few blocks and no
      // holes.
      const Segment whole{.offset = 0, .length = entry.size};
      entry.sparse = entry.segments != std::vector{whole};
      // GNU tar takes the size of a file that ends in a hole from an empty run at its end.
      if (entry.segments.empty() ||
          entry.segments.back().offset + entry.segments.back().length < entry.size) {
        entry.segments.push_back({.offset = entry.size, .length = 0});
      }
    } else {
      entry.segments = {{.offset = 0, .length = entry.size}};
    }
    return PackContent(*opened, entry, info);
  }

  // The name this file was packed under already.
  const std::string* FirstName(const struct stat& info, const std::string& path) {
    const std::pair<dev_t, ino_t> key(info.st_dev, info.st_ino);
    if (const auto found = links_.find(key); found != links_.end()) return &found->second;
    if (link_bytes_ < kMaxLinkBytes) {
      link_bytes_ += path.size() + sizeof(std::string) + sizeof key;
      links_.emplace(key, path);
    }
    return nullptr;
  }

  Result<void> PackContent(const Fd& file, const TarEntry& entry, const struct stat& before) {
    uint64_t stored = 0;
    for (const Segment& segment : entry.segments) stored += segment.length;
    if (stored > options_.max_bytes - report_.bytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "archive: there is more than " + HumanBytes(options_.max_bytes)));
    }
    TRY(writer_.Begin(entry));
    for (const Segment& segment : entry.segments) {
      TRY(CopySegment(file, segment, entry.path));
    }
    TRY(writer_.End());
    struct stat after{};
    if (::fstat(file.get(), &after) == 0 && after.st_size != before.st_size) {
      Skip(report_.changed, entry.path);
    }
    return CountEntry();
  }

  Result<void> CopySegment(const Fd& file, Segment segment, const std::string& path) {
    while (segment.length > 0) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(segment.length, buffer_.size()));
      ssize_t got = ::pread(file.get(), buffer_.data(), want, static_cast<off_t>(segment.offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading " + Printable(path)));
      if (got == 0) {  // it shrank: the size stands in the header already
        std::fill_n(buffer_.begin(), want, '\0');
        got = static_cast<ssize_t>(want);
      }
      TRY(writer_.WriteData({buffer_.data(), static_cast<size_t>(got)}));
      const auto count = static_cast<uint64_t>(got);
      const Bytes before = report_.bytes;
      report_.bytes += count;
      segment.offset += count;
      segment.length -= count;
      if (before / kProgressBytes != report_.bytes / kProgressBytes) TRY(Progress());
    }
    return {};
  }

  TarWriter writer_;
  const PackOptions& options_;
  std::vector<char> buffer_;
  PackReport report_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  size_t link_bytes_ = 0;
};

}  // namespace

void ReadUserXattrs(const Fd& fd, TarEntry& entry) {
  std::array<char, 16 * 1024> list;
  const ssize_t length = ::flistxattr(fd.get(), list.data(), list.size());
  if (length <= 0) return;
  size_t total = 0;
  std::string_view names(list.data(), static_cast<size_t>(length));
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find('\0')));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (!name.starts_with("user.") || name.find('=') != std::string::npos) continue;
    std::string value(64 * 1024, '\0');
    const ssize_t got = ::fgetxattr(fd.get(), name.c_str(), value.data(), value.size());
    if (got < 0) continue;
    value.resize(static_cast<size_t>(got));
    total += name.size() + value.size();
    if (total > kMaxXattrBytes) return;
    entry.xattrs.emplace_back(name, std::move(value));
  }
}

Result<std::optional<std::vector<Segment>>> FindSegments(const Fd& file, uint64_t size) {
  std::vector<Segment> segments;
  off_t at = 0;
  const auto end = static_cast<off_t>(size);
  while (at < end) {
    const off_t data = ::lseek(file.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return Failure(Error::FromErrno("looking for data"));
    if (data >= end) break;
    const off_t hole = ::lseek(file.get(), data, SEEK_HOLE);
    if (hole < 0 && errno == ENXIO) break;  // it shrank
    if (hole < 0) return Failure(Error::FromErrno("looking for holes"));
    if (segments.size() + 1 >= kMaxSegments) return std::optional<std::vector<Segment>>();
    const off_t stop = std::min(hole, end);
    segments.push_back(
        {.offset = static_cast<uint64_t>(data), .length = static_cast<uint64_t>(stop - data)});
    at = stop;
  }
  return std::optional(std::move(segments));
}

Result<PackReport> Pack(const Fd& parent, const std::string& name, const std::string& archive_name,
                        ByteSink& sink, const PackOptions& options) {
  return Packer(sink, options).Run(parent, name, archive_name);
}

}  // namespace cay::archive
