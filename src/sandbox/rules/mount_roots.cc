#include "sandbox/rules/mount_roots.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <optional>

#include "base/os/sys.h"

namespace cay::sandbox {
namespace {

constexpr std::string_view kReadWrite = ":rw";

struct Root {
  std::string path;  // without a slash at its end; "" is "/"
  bool writable = false;
};

Root ParseRoot(std::string_view text) {
  Root root;
  root.writable = text.ends_with(kReadWrite);
  if (root.writable) text.remove_suffix(kReadWrite.size());
  while (text.ends_with('/')) text.remove_suffix(1);
  root.path = text;
  return root;
}

// The path below the root; nothing when it is not there. "." is the root itself.
std::optional<std::string> Below(const Root& root, std::string_view path) {
  if (!path.starts_with(root.path)) return std::nullopt;
  path.remove_prefix(root.path.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  while (path.starts_with('/')) path.remove_prefix(1);
  return path.empty() ? "." : std::string(path);
}

// Where a descriptor leads, without symlinks.
Result<std::string> PathOf(const Fd& fd) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  if (length <= 0 || static_cast<size_t>(length) >= path.size())
    return Failure(Error::FromErrno("looking for a mount's path"));
  return std::string(path.data(), static_cast<size_t>(length));
}

Result<std::string> ResolveBelow(const Root& root, const std::string& below) {
  const std::string top = root.path.empty() ? "/" : root.path;
  const Fd directory = TRY(sys::OpenAt(AT_FDCWD, top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const Fd found = TRY(sys::OpenAt2(directory.get(), below.c_str(), how));
  struct stat info{};
  if (::fstat(found.get(), &info) < 0) return Failure(Error::FromErrno("looking at a mount"));
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    return Failure(Error::Impossible("it is neither a directory nor a regular file")
                       .WithRemedy("devices, sockets and pipes cannot be mounted"));
  }
  return PathOf(found);
}

Error NotAllowed(const engine::Mount& mount, bool read_only_root) {
  if (read_only_root) {
    return Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                 "the mount of " + mount.source + " can only be read-only")
        .WithRemedy(
            "ask for read_only, or have \":rw\" added to its root in mount_roots of the server's "
            "configuration");
  }
  return Error(ErrorCode::kPermissionDenied, Fault::kCaller,
               "the mount of " + mount.source + " is not allowed")
      .WithRemedy("only what is below mount_roots of the server's configuration can be mounted");
}

Result<engine::Mount> ResolveMount(const engine::Mount& mount, const std::vector<Root>& roots) {
  if (mount.source.empty() || mount.source.front() != '/' ||
      mount.source.find('\0') != std::string::npos || mount.source.size() >= PATH_MAX)
    return Failure(
        Error::Invalid("not an absolute path to mount: \"" + mount.source.substr(0, 160) + "\""));
  bool read_only_root = false;
  for (const Root& root : roots) {
    const auto below = Below(root, mount.source);
    if (!below) continue;
    if (!mount.read_only && !root.writable) {
      read_only_root = true;
      continue;
    }
    auto source = ResolveBelow(root, *below);
    if (source) return engine::Mount{std::move(*source), mount.target, mount.read_only};
    Error error = std::move(source).error();
    const bool leads_out = error.sys_errno() == EXDEV || error.sys_errno() == ELOOP;
    if (leads_out) return Failure(NotAllowed(mount, false));
    if (error.sys_errno() == ENOENT || error.sys_errno() == ENOTDIR) {
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                           "there is nothing at " + mount.source + " to mount"));
    }
    return Failure(std::move(error).WithContext("the mount of " + mount.source));
  }
  return Failure(NotAllowed(mount, read_only_root));
}

}  // namespace

Result<std::vector<engine::Mount>> ResolveMounts(const std::vector<engine::Mount>& mounts,
                                                 const std::vector<std::string>& roots) {
  if (mounts.size() > kMaxClientMounts) {
    return Failure(Error::Impossible("more than " + std::to_string(kMaxClientMounts) + " mounts"));
  }
  std::vector<Root> parsed;
  for (const std::string& root : roots) parsed.push_back(ParseRoot(root));
  std::vector<engine::Mount> resolved;
  for (const engine::Mount& mount : mounts) resolved.push_back(TRY(ResolveMount(mount, parsed)));
  return resolved;
}

}  // namespace cay::sandbox
