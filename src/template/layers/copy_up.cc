#include "template/layers/copy_up.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "archive/extraction.h"
#include "archive/safe_path.h"
#include "base/os/sys.h"
#include "template/layers/lower_chain.h"

namespace cay::templates {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr mode_t kPermissionBits = 0777;

constexpr uint32_t kMaxOwner = 65'535;
constexpr uint32_t kNobody = 65'534;

struct Xattrs {
  std::vector<std::string> kept;  // those that MayKeepXattr allows
  uint64_t dropped = 0;
};

// None where the filesystem has no attributes.
Result<Xattrs> ListXattrs(const std::string& path) {
  std::vector<char> list(XATTR_LIST_MAX);
  const ssize_t length = ::listxattr(path.c_str(), list.data(), list.size());
  if (length < 0 && errno != EOPNOTSUPP) {
    return Failure(Error::FromErrno("listing the attributes of a file"));
  }
  Xattrs found;
  std::string_view rest(list.data(), length < 0 ? 0 : static_cast<size_t>(length));
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view name = rest.substr(0, end);
    if (archive::MayKeepXattr(name)) {
      found.kept.emplace_back(name);
    } else if (!name.starts_with("trusted.overlay.") && !name.starts_with("user.overlay.")) {
      ++found.dropped;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

// Returns how many it dropped.
Result<uint64_t> CopyXattrs(const Fd& node, const Fd& to) {
  const std::string from = PathOf(node);
  const Xattrs found = TRY(ListXattrs(from));
  if (found.kept.empty()) return found.dropped;
  std::vector<char> value(XATTR_SIZE_MAX);
  for (const std::string& name : found.kept) {
    const ssize_t length = ::getxattr(from.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0 || ::setxattr(PathOf(to).c_str(), name.c_str(), value.data(),
                                 static_cast<size_t>(length), 0) < 0) {
      return Failure(Error::FromErrno("copying an attribute of a file of a layer"));
    }
  }
  return found.dropped;
}

// `name` in `dir`, or `dir` itself when it is empty. Before the mode is set: chown strips bits.
Result<void> Give(const Fd& dir, const char* name, const struct stat& info, const CopyRules& rules,
                  CopyLoss& loss) {
  if (rules.ownership != archive::Ownership::kArchive) return {};
  const auto inside = [&](uint32_t id) {
    const int64_t number = int64_t{id} - rules.id_offset;
    return number < 0 || number > kMaxOwner ? kNobody : static_cast<uint32_t>(number);
  };
  const uint32_t uid = inside(info.st_uid);
  const uint32_t gid = inside(info.st_gid);
  if (int64_t{uid} + rules.id_offset != info.st_uid ||
      int64_t{gid} + rules.id_offset != info.st_gid)
    ++loss.replaced_owners;
  return sys::ChownAt(dir.get(), name, uid, gid);
}

Result<void> WriteAt(const Fd& to, std::string_view bytes, off_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(to.get(), bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failure(Error::FromErrno("copying a file of a layer"));
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
  return {};
}

// The run of data that begins at `at`, up to `end`.
Result<void> CopyRun(const Fd& from, const Fd& to, off_t at, off_t end, const CopyRules& rules) {
  std::vector<char> buffer(kBufferBytes);
  while (at < end) {
    const size_t want = static_cast<size_t>(std::min<off_t>(end - at, kBufferBytes));
    const ssize_t got = ::pread(from.get(), buffer.data(), want, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(Error::FromErrno("reading a file of a layer"));
    if (got == 0) break;
    TRY(rules.add_content(static_cast<Bytes>(got)));
    TRY(WriteAt(to, {buffer.data(), static_cast<size_t>(got)}, at));
    at += got;
  }
  return {};
}

Result<void> CopyContent(const Fd& from, const Fd& to, off_t size, const CopyRules& rules) {
  off_t at = 0;
  while (at < size) {
    const off_t data = ::lseek(from.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // only a hole is left
    const off_t hole = data < 0 ? size : ::lseek(from.get(), data, SEEK_HOLE);
    if (hole < 0) return Failure(Error::FromErrno("reading a file of a layer"));
    const off_t end = std::min(hole, size);
    TRY(CopyRun(from, to, data < 0 ? at : data, end, rules));
    at = end;
  }
  if (::ftruncate(to.get(), size) == 0) return {};
  return Failure(Error::FromErrno("copying a file of a layer"));
}

Result<void> CopySymlink(const Fd& node, const Fd& parent, const std::string& name) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(node.get(), "", target.data(), target.size());
  if (length < 0) return Failure(Error::FromErrno("reading a symlink of a layer"));
  const std::string text(target.data(), static_cast<size_t>(length));
  return sys::SymlinkAt(text.c_str(), parent.get(), name.c_str());
}

}  // namespace

Result<CopyLoss> CopyNode(const Fd& node, const struct stat& info, const Fd& parent,
                          const std::string& name, const CopyRules& rules) {
  CopyLoss loss;
  const timespec times[2] = {info.st_atim, info.st_mtim};
  if (S_ISLNK(info.st_mode)) {
    TRY(CopySymlink(node, parent, name));
    TRY(Give(parent, name.c_str(), info, rules, loss));
    ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return loss;
  }
  if (static_cast<Bytes>(info.st_size) > rules.max_file_bytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "layer: \"" + archive::Printable(name) +
                             "\", which is copied, is larger than " +
                             HumanBytes(rules.max_file_bytes)));
  }
  const Fd from = TRY(sys::OpenAt(AT_FDCWD, PathOf(node).c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  const Fd to = TRY(sys::OpenAt(parent.get(), name.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  TRY(CopyContent(from, to, info.st_size, rules));
  TRY(Give(to, "", info, rules, loss));
  loss.dropped_xattrs = TRY(CopyXattrs(node, to));
  if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) ++loss.stripped_modes;
  if (::fchmod(to.get(), info.st_mode & kPermissionBits) < 0) {
    return Failure(Error::FromErrno("setting the mode of a copied file"));
  }
  ::futimens(to.get(), times);  // a time the filesystem cannot hold is not worth an error
  return loss;
}

Result<CopyLoss> CopyDirectory(const Fd& node, const struct stat& info, const Fd& to,
                               const CopyRules& rules) {
  CopyLoss loss;
  TRY(Give(to, "", info, rules, loss));
  loss.dropped_xattrs = TRY(CopyXattrs(node, to));
  return loss;
}

Result<void> RemoveUserXattrs(const Fd& directory) {
  for (const std::string& name : TRY(ListXattrs(PathOf(directory))).kept) {
    if (::removexattr(PathOf(directory).c_str(), name.c_str()) < 0 && errno != ENODATA) {
      return Failure(Error::FromErrno("removing an attribute of a directory"));
    }
  }
  return {};
}

}  // namespace cay::templates
