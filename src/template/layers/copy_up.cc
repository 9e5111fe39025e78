#include "template/layers/copy_up.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/os/sys.h"
#include "template/layers/lower_chain.h"

namespace cay::templates {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr mode_t kPermissionBits = 0777;

// Those that MayKeepXattr allows; none where the filesystem has no attributes.
Result<std::vector<std::string>> UserXattrs(const std::string& path) {
  std::vector<char> list(XATTR_LIST_MAX);
  const ssize_t length = ::listxattr(path.c_str(), list.data(), list.size());
  if (length < 0 && errno != EOPNOTSUPP) {
    return Failure(Error::FromErrno("listing the attributes of a file"));
  }
  std::vector<std::string> names;
  std::string_view rest(list.data(), length < 0 ? 0 : static_cast<size_t>(length));
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    if (archive::MayKeepXattr(rest.substr(0, end))) names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return names;
}

Result<void> CopyXattrs(const Fd& node, const Fd& to) {
  std::vector<char> value(XATTR_SIZE_MAX);
  const std::string from = PathOf(node);
  for (const std::string& name : TRY(UserXattrs(from))) {
    const ssize_t length = ::getxattr(from.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0 || ::setxattr(PathOf(to).c_str(), name.c_str(), value.data(),
                                 static_cast<size_t>(length), 0) < 0) {
      return Failure(Error::FromErrno("copying an attribute of a file of a layer below"));
    }
  }
  return {};
}

Result<void> WriteAt(const Fd& to, std::string_view bytes, off_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(to.get(), bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failure(Error::FromErrno("copying a file of a layer below"));
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
  return {};
}

// The run of data that begins at `at`, up to `end`.
Result<void> CopyRun(const Fd& from, const Fd& to, off_t at, off_t end,
                     archive::Extraction& extraction) {
  std::vector<char> buffer(kBufferBytes);
  while (at < end) {
    const size_t want = static_cast<size_t>(std::min<off_t>(end - at, kBufferBytes));
    const ssize_t got = ::pread(from.get(), buffer.data(), want, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(Error::FromErrno("reading a file of a layer below"));
    if (got == 0) break;
    TRY(extraction.AddContent(static_cast<Bytes>(got)));
    TRY(WriteAt(to, {buffer.data(), static_cast<size_t>(got)}, at));
    at += got;
  }
  return {};
}

Result<void> CopyContent(const Fd& from, const Fd& to, off_t size,
                         archive::Extraction& extraction) {
  off_t at = 0;
  while (at < size) {
    const off_t data = ::lseek(from.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // only a hole is left
    const off_t hole = data < 0 ? size : ::lseek(from.get(), data, SEEK_HOLE);
    if (hole < 0) return Failure(Error::FromErrno("reading a file of a layer below"));
    const off_t end = std::min(hole, size);
    TRY(CopyRun(from, to, data < 0 ? at : data, end, extraction));
    at = end;
  }
  if (::ftruncate(to.get(), size) == 0) return {};
  return Failure(Error::FromErrno("copying a file of a layer below"));
}

Result<void> CopySymlink(const Fd& node, const Fd& parent, const std::string& name) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(node.get(), "", target.data(), target.size());
  if (length < 0) return Failure(Error::FromErrno("reading a symlink of a layer below"));
  const std::string text(target.data(), static_cast<size_t>(length));
  return sys::SymlinkAt(text.c_str(), parent.get(), name.c_str());
}

}  // namespace

Result<void> CopyUp(const Fd& node, const struct stat& info, const Fd& parent,
                    const std::string& name, const archive::UnpackOptions& options,
                    archive::Extraction& extraction) {
  const bool give = options.ownership == archive::Ownership::kArchive;
  const timespec times[2] = {info.st_atim, info.st_mtim};
  if (S_ISLNK(info.st_mode)) {
    TRY(CopySymlink(node, parent, name));
    if (give) TRY(sys::ChownAt(parent.get(), name.c_str(), info.st_uid, info.st_gid));
    ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return {};
  }
  if (static_cast<Bytes>(info.st_size) > options.max_file_bytes) {
    return Failure(Error(
        ErrorCode::kLimitTooHigh, Fault::kCaller,
        "layer: a file that it links to is larger than " + HumanBytes(options.max_file_bytes)));
  }
  const Fd from = TRY(sys::OpenAt(AT_FDCWD, PathOf(node).c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  const Fd to = TRY(sys::OpenAt(parent.get(), name.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  TRY(CopyContent(from, to, info.st_size, extraction));
  if (give) TRY(sys::ChownAt(to.get(), "", info.st_uid, info.st_gid));
  TRY(CopyXattrs(node, to));
  if (::fchmod(to.get(), info.st_mode & kPermissionBits) < 0) {
    return Failure(Error::FromErrno("setting the mode of a copied file"));
  }
  ::futimens(to.get(), times);  // a time the filesystem cannot hold is not worth an error
  return {};
}

Result<void> CopyDirectoryUp(const Fd& node, const struct stat& info, const Fd& to,
                             archive::Ownership ownership) {
  if (ownership == archive::Ownership::kArchive) {
    TRY(sys::ChownAt(to.get(), "", info.st_uid, info.st_gid));
  }
  return CopyXattrs(node, to);
}

Result<void> RemoveUserXattrs(const Fd& directory) {
  for (const std::string& name : TRY(UserXattrs(PathOf(directory)))) {
    if (::removexattr(PathOf(directory).c_str(), name.c_str()) < 0 && errno != ENODATA) {
      return Failure(Error::FromErrno("removing an attribute of a directory"));
    }
  }
  return {};
}

}  // namespace cay::templates
