#include "archive/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>

#include "archive/directory_ends.h"
#include "archive/extraction.h"
#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

bool HasWhiteoutName(std::string_view normalized) {
  return normalized.starts_with(".wh.") || normalized.find("/.wh.") != std::string_view::npos;
}

class Unpacker {
 public:
  Unpacker(ByteSource& source, const Fd& root, const UnpackOptions& options)
      : extraction_(source, options), root_(root), options_(options) {}

  Result<UnpackReport> Run() {
    while (std::optional<TarEntry> entry = TRY(extraction_.Next())) {
      TRY(UnpackEntry(*entry));
      TRY(extraction_.Progress());
    }
    parent_.reset();
    TRY(ends_.Apply(root_));
    return extraction_.report();
  }

 private:
  Result<void> UnpackEntry(TarEntry& entry) {
    const std::string path = TRY(NormalizeEntryPath(entry.path));
    const bool whiteout =
        IsWhiteoutDevice(entry) || (options_.skip_whiteout_names && HasWhiteoutName(path));
    if (whiteout || IsSpecial(entry.type)) {
      if (options_.special_files == SpecialFiles::kRefuse) {
        return Failure(Refused(entry, "is a device, a FIFO or a whiteout"));
      }
      UnpackReport& report = extraction_.report();
      ++(whiteout ? report.skipped_whiteouts : report.skipped_special);
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
    TRY(extraction_.SetOwner(entry, root_));
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
    TRY(extraction_.SetOwnerAndXattrs(entry, *opened));
    return Remember(path, entry);
  }

  Result<void> UnpackSymlink(TarEntry& entry, const std::string& name) {
    TRY(MakeWay(entry, name));
    return extraction_.WriteSymlink(entry, *parent_, name);
  }

  Result<void> UnpackFile(TarEntry& entry, const std::string& name) {
    TRY(MakeWay(entry, name));
    return extraction_.WriteFile(entry, *parent_, name);
  }

  Result<void> Remember(const std::string& path, const TarEntry& entry) {
    return ends_.Set(path, {.mode = extraction_.AllowedMode(entry), .mtime = MtimeOf(entry)});
  }

  std::optional<Timestamp> MtimeOf(const TarEntry& entry) const {
    return options_.keep_times ? std::optional(entry.mtime) : std::nullopt;
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

  Extraction extraction_;
  const Fd& root_;
  const UnpackOptions& options_;
  std::optional<Fd> parent_;
  std::string parent_path_;
  DirectoryEnds ends_;
};

}  // namespace

Result<UnpackReport> Unpack(ByteSource& source, const Fd& directory, const UnpackOptions& options) {
  return Unpacker(source, directory, options).Run();
}

}  // namespace cay::archive
