#include "guest/files/file_view.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <array>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::guest {
namespace {

using archive::Printable;

constexpr int64_t kNanosPerSecond = 1'000'000'000;

Error InvalidPath(const std::string& path, std::string_view why) {
  return Error::Impossible("the path \"" + Printable(path) + "\" " + std::string(why));
}

Result<void> RefuseProc(const Fd& fd, const std::string& path) {
  struct statfs info{};
  if (::fstatfs(fd.get(), &info) < 0) return Failure(FileError(path, errno));
  if (info.f_type != PROC_SUPER_MAGIC) return {};
  return Failure(InvalidPath(path, "is in /proc, where the guest would see itself")
                     .WithRemedy("run a command that reads it"));
}

// Empty when it is no symlink.
std::string ReadLink(const Fd& directory, const std::string& name) {
  std::array<char, PATH_MAX> target;
  const ssize_t length =
      ::readlinkat(directory.get(), name.c_str(), target.data(), target.size() - 1);
  return length > 0 ? std::string(target.data(), static_cast<size_t>(length)) : std::string();
}

Error WrongKind(const std::string& path, mode_t mode, std::string_view wanted) {
  return Error::Impossible(Printable(path) + " is " + std::string(KindName(mode)) + ", not " +
                           std::string(wanted));
}

}  // namespace

std::string_view KindName(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "a regular file";
    case S_IFDIR:
      return "a directory";
    case S_IFLNK:
      return "a symlink";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
      return "a character device";
    default:
      return "a block device";
  }
}

protocol::FileKind KindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return protocol::FileKind::kRegular;
    case S_IFDIR:
      return protocol::FileKind::kDirectory;
    case S_IFLNK:
      return protocol::FileKind::kSymlink;
    case S_IFIFO:
      return protocol::FileKind::kFifo;
    case S_IFSOCK:
      return protocol::FileKind::kSocket;
    case S_IFCHR:
      return protocol::FileKind::kCharacterDevice;
    default:
      return protocol::FileKind::kBlockDevice;
  }
}

Error FileError(const std::string& path, int sys_errno) {
  const std::string name = Printable(path);
  const auto make = [&](ErrorCode code, std::string_view what) {
    Error error(code, Fault::kCaller, name + " " + std::string(what));
    error.set_sys_errno(sys_errno);
    return error;
  };
  switch (sys_errno) {
    case ENOENT:
      return make(ErrorCode::kNotFound, "does not exist");
    case EEXIST:
      return make(ErrorCode::kAlreadyExists, "exists already");
    case EACCES:
    case EPERM:
      return make(ErrorCode::kPermissionDenied, "is not permitted to this user");
    case EROFS:
      return make(ErrorCode::kPermissionDenied, "is on a read-only filesystem");
    case ENOTDIR:
      return make(ErrorCode::kInvalidArgument, "goes through something that is not a directory");
    case EISDIR:
      return make(ErrorCode::kInvalidArgument, "is a directory");
    case ENOTEMPTY:
      return make(ErrorCode::kInvalidArgument, "is a directory that is not empty");
    case ELOOP:
      return make(ErrorCode::kInvalidArgument,
                  "goes through too many symlinks, or through a magic one of /proc");
    case ENAMETOOLONG:
      return make(ErrorCode::kInvalidArgument, "has a name that is too long");
    case EXDEV:
      return make(ErrorCode::kInvalidArgument, "is on another filesystem");
    case EBUSY:
      return make(ErrorCode::kInvalidArgument, "is in use: something is mounted there");
    case EFBIG:
      return make(ErrorCode::kLimitTooHigh, "would be larger than a file may be");
    case ENOSPC:
    case EDQUOT:
      return make(ErrorCode::kResourceExhausted, "does not fit: the sandbox's disk is full");
    default:
      return Error::FromErrno(name, sys_errno);
  }
}

Result<void> FileView::CheckPath(const std::string& path) {
  if (path.empty()) return Failure(Error::Invalid("the path is empty"));
  if (path.find('\0') != std::string::npos) return Failure(InvalidPath(path, "has a NUL in it"));
  if (path.size() >= PATH_MAX) return Failure(InvalidPath(path, "is longer than 4095 bytes"));
  if (path.front() != '/') return Failure(InvalidPath(path, "is not absolute"));
  return {};
}

Result<Fd> FileView::OpenPath(const std::string& path, Follow follow) const {
  TRY(CheckPath(path));
  open_how how{};
  how.flags = O_PATH | (follow == Follow::kNo ? O_NOFOLLOW : 0);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // The kernel gives EAGAIN when a rename or mount raced with a ".."; tried again, it mostly works.
  constexpr int kTries = 16;
  for (int left = kTries;; --left) {
    Result<Fd> opened = sys::OpenAt2(root_.get(), path.c_str(), how);
    if (opened) return opened;
    if (opened.error().sys_errno() != EAGAIN || left == 0) {
      return Failure(FileError(path, opened.error().sys_errno()));
    }
  }
}

Result<Fd> FileView::Reopen(const Fd& path_fd, int flags, const std::string& path) const {
  const std::string link = "self/fd/" + std::to_string(path_fd.get());
  Result<Fd> opened = sys::OpenAt(proc_.get(), link.c_str(), flags | O_NONBLOCK | O_NOCTTY);
  if (!opened) return Failure(FileError(path, opened.error().sys_errno()));
  return opened;
}

Result<FileView::OpenedFile> FileView::OpenForReading(const std::string& path) const {
  const Fd seen = TRY(OpenPath(path, Follow::kYes));
  struct stat info{};
  if (::fstat(seen.get(), &info) < 0) return Failure(FileError(path, errno));
  if (!S_ISREG(info.st_mode)) return Failure(WrongKind(path, info.st_mode, "a regular file"));
  TRY(RefuseProc(seen, path));
  return OpenedFile{.fd = TRY(Reopen(seen, O_RDONLY, path)), .info = info};
}

Result<Fd> FileView::OpenDirectory(const std::string& path) const {
  const Fd seen = TRY(OpenPath(path, Follow::kYes));
  struct stat info{};
  if (::fstat(seen.get(), &info) < 0) return Failure(FileError(path, errno));
  if (!S_ISDIR(info.st_mode)) return Failure(WrongKind(path, info.st_mode, "a directory"));
  Result<Fd> opened = sys::OpenAt(seen.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!opened) return Failure(FileError(path, opened.error().sys_errno()));
  return opened;
}

Result<FileView::Place> FileView::OpenPlace(const std::string& path, bool make_parents) const {
  TRY(CheckPath(path));
  std::string_view rest = path;
  while (rest.size() > 1 && rest.ends_with('/')) rest.remove_suffix(1);
  const size_t slash = rest.rfind('/');
  const std::string name(rest.substr(slash + 1));
  if (name.empty() || name == "." || name == "..") {
    return Failure(InvalidPath(path, "does not end in a name"));
  }
  const std::string parent(slash == 0 ? "/" : rest.substr(0, slash));
  if (make_parents) TRY(MakeDirectory(parent, 0755, true));
  Fd directory = TRY(OpenPath(parent, Follow::kYes));
  struct stat info{};
  if (::fstat(directory.get(), &info) < 0) return Failure(FileError(parent, errno));
  if (!S_ISDIR(info.st_mode)) return Failure(FileError(path, ENOTDIR));
  return Place{.directory = std::move(directory), .name = name};
}

Result<FileView::Place> FileView::OpenPlaceToWrite(const std::string& path,
                                                   bool make_parents) const {
  constexpr int kMaxLinks = 40;  // the kernel's
  std::string at = path;
  for (int links = 0; links <= kMaxLinks; ++links) {
    if (at.ends_with('/')) {
      return Failure(InvalidPath(path, at == path ? "ends in a slash, as a directory's"
                                                  : "is a symlink to a name that ends in a slash"));
    }
    Place place = TRY(OpenPlace(at, make_parents));
    TRY(RefuseProc(place.directory, path));
    const std::string target = ReadLink(place.directory, place.name);
    if (target.empty()) return place;
    // It is for the kernel to say whether this user may follow that link. What it leads to need not
    // be there.
    const Result<Fd> followed = OpenPath(at, Follow::kYes);
    if (!followed && followed.error().sys_errno() != ENOENT) return Failure(followed.error());
    at = target.starts_with('/') ? target : at.substr(0, at.rfind('/') + 1) + target;
  }
  return Failure(FileError(path, ELOOP));
}

Result<protocol::FileInfo> Describe(const Fd& directory, const std::string& name,
                                    const std::string& path) {
  struct stat info{};
  if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0) {
    return Failure(FileError(path, errno));
  }
  protocol::FileInfo out;
  out.path = path;
  out.kind = KindOf(info.st_mode);
  out.mode = info.st_mode & 07777;
  out.uid = info.st_uid;
  out.gid = info.st_gid;
  out.size = static_cast<uint64_t>(info.st_size);
  // Times that do not fit (year 2262 and later, by utimensat) are shown as the last that does.
  if (__builtin_mul_overflow(static_cast<int64_t>(info.st_mtim.tv_sec), kNanosPerSecond,
                             &out.modified_unix_ns) ||
      __builtin_add_overflow(out.modified_unix_ns, static_cast<int64_t>(info.st_mtim.tv_nsec),
                             &out.modified_unix_ns)) {
    out.modified_unix_ns = info.st_mtim.tv_sec < 0 ? INT64_MIN : INT64_MAX;
  }
  if (S_ISLNK(info.st_mode)) out.link_target = ReadLink(directory, name);
  return out;
}

Result<protocol::FileInfo> FileView::Stat(const std::string& path, Follow follow) const {
  const Fd seen = TRY(OpenPath(path, follow));
  return Describe(seen, "", path);
}

Result<void> FileView::MakeDirectory(const std::string& path, mode_t mode, bool parents) const {
  TRY(CheckPath(path));
  if ((mode & ~mode_t{01777}) != 0) {
    return Failure(Error::Invalid("a mode has more than permission bits and the sticky bit"));
  }
  if (!parents) {
    const Place place = TRY(OpenPlace(path, false));
    if (::mkdirat(place.directory.get(), place.name.c_str(), mode & 0777) < 0) {
      return Failure(FileError(path, errno));
    }
    // mkdir(2) went through the umask. By descriptor: the name may be another thing by now.
    open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_DIRECTORY;
    how.resolve = RESOLVE_NO_MAGICLINKS;
    const Result<Fd> made = sys::OpenAt2(place.directory.get(), place.name.c_str(), how);
    if (!made) return Failure(FileError(path, made.error().sys_errno()));
    return ChangeModeOf(*made, mode, path);
  }
  // Prefix by prefix: each is resolved anew from the root, so that symlinks among them work.
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    const bool last = end == std::string::npos;
    if (!prefix.ends_with('/') && !prefix.ends_with("/.") && !prefix.ends_with("/..")) {
      const Result<void> made = MakeDirectory(prefix, last ? mode : 0755, false);
      if (!made && made.error().sys_errno() != EEXIST) {
        // A directory that is there but may not be changed is as good; so is a read-only parent.
        const Result<Fd> there = OpenPath(prefix, Follow::kYes);
        if (!there) return made;
      }
    }
    if (last) break;
  }
  const Fd made = TRY(OpenPath(path, Follow::kYes));
  struct stat info{};
  if (::fstat(made.get(), &info) < 0) return Failure(FileError(path, errno));
  if (!S_ISDIR(info.st_mode)) return Failure(WrongKind(path, info.st_mode, "a directory"));
  return {};
}

Result<void> FileView::Move(const std::string& from, const std::string& to, bool replace) const {
  const Place source = TRY(OpenPlace(from, false));
  const Place target = TRY(OpenPlace(to, false));
  if (::renameat2(source.directory.get(), source.name.c_str(), target.directory.get(),
                  target.name.c_str(), replace ? 0 : RENAME_NOREPLACE) == 0) {
    return {};
  }
  const int why = errno;
  switch (why) {
    case EEXIST:
    case ENOTEMPTY:
      return Failure(FileError(to, why == EEXIST && replace ? ENOTEMPTY : why));
    case EINVAL:
      return Failure(
          Error::Impossible(Printable(from) + " cannot be moved into itself: " + Printable(to)));
    case EXDEV:
      return Failure(Error::Impossible(Printable(from) + " and " + Printable(to) +
                                       " are on different filesystems, or the directory is part of "
                                       "the template")
                         .WithRemedy("copy it and remove the original"));
    default:
      return Failure(FileError(from, why).WithContext("moving to " + Printable(to)));
  }
}

Result<void> FileView::Remove(const std::string& path) const {
  const Place place = TRY(OpenPlace(path, false));
  if (::unlinkat(place.directory.get(), place.name.c_str(), 0) == 0) return {};
  const int why = errno;  // of a directory: EISDIR, or EPERM of some filesystems
  if (why == EISDIR || why == EPERM) {
    if (::unlinkat(place.directory.get(), place.name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (errno != ENOTDIR) return Failure(FileError(path, errno));
  }
  return Failure(FileError(path, why));
}

Result<void> FileView::ChangeMode(const std::string& path, mode_t mode) const {
  if ((mode & (S_ISUID | S_ISGID)) != 0) {
    return Failure(Error::Impossible("setuid and setgid bits are not set on files in a sandbox"));
  }
  return ChangeModeOf(TRY(OpenPath(path, Follow::kYes)), mode & 01777, path);
}

// fchmod(2) takes no O_PATH descriptor.
Result<void> FileView::ChangeModeOf(const Fd& path_fd, mode_t mode, const std::string& path) const {
  const std::string link = "self/fd/" + std::to_string(path_fd.get());
  if (::fchmodat(proc_.get(), link.c_str(), mode, 0) < 0) return Failure(FileError(path, errno));
  return {};
}

}  // namespace cay::guest
