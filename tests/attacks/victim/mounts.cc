// Mounts, roots and devices.
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

Verdict Mount(Arguments) { return OfCall(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }

Verdict BindMount(Arguments) { return OfCall(::mount("/tmp", "/tmp", nullptr, MS_BIND, nullptr)); }

Verdict RemountWritable(Arguments) {
  return OfCall(::mount("none", "/", nullptr, MS_REMOUNT | MS_BIND, nullptr));
}

Verdict MountCgroup(Arguments) {
  if (::mount("none", "/tmp", "cgroup2", 0, nullptr) == 0) return Through();
  return OfCall(::mount("none", "/tmp", "cgroup", 0, "memory"));
}

Verdict MountProc(Arguments) { return OfCall(::mount("none", "/proc", "proc", 0, nullptr)); }

Verdict Umount(Arguments arguments) { return OfCall(::umount2(arguments[0], MNT_DETACH)); }

Verdict FsOpen(Arguments) { return OfCall(::syscall(SYS_fsopen, "tmpfs", 0)); }

Verdict FsPick(Arguments) { return OfCall(::syscall(SYS_fspick, AT_FDCWD, "/", 0)); }

Verdict OpenTree(Arguments) {
  return OfCall(::syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE));
}

Verdict MoveMount(Arguments) {
  const int fd = ::open("/", O_PATH | O_CLOEXEC);
  const long result = ::syscall(SYS_move_mount, fd, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH);
  // Outside it gets as far as the kernel's own look at the mounts.
  return result == -1 && (errno == EINVAL || errno == ELOOP) ? Through() : OfCall(result);
}

Verdict MountSetattr(Arguments) {
  mount_attr attributes{};
  attributes.attr_clr = MOUNT_ATTR_NOSUID;
  return OfCall(::syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes));
}

Verdict PivotRoot(Arguments) {
  const long result = ::syscall(SYS_pivot_root, "/tmp", "/tmp");
  return result == -1 && (errno == EBUSY || errno == EINVAL) ? Through() : OfCall(result);
}

Verdict Chroot(Arguments) {
  return InChild([] { return OfCall(::chroot("/tmp")); });
}

// chroot into a directory while the working directory is outside of it, then "..".
Verdict ChrootEscape(Arguments) {
  return InChild([] -> Verdict {
    char directory[] = "/tmp/rootXXXXXX";
    if (::mkdtemp(directory) == nullptr) return "no directory: " + Refused();
    if (::chroot(directory) != 0) {
      const Verdict verdict = Refused();
      ::rmdir(directory);
      return verdict;
    }
    for (int i = 0; i < 64; ++i) {
      if (::chdir("..") != 0) return Refused();
    }
    return OfCall(::chroot("."));
  });
}

Verdict MakeNode(Arguments arguments) {
  const bool block = std::string_view(arguments[0]) == "block";
  const dev_t device = block ? makedev(7, 0) : makedev(1, 1);  // loop0, mem
  const mode_t type = block ? S_IFBLK : S_IFCHR;
  const char* path = "/tmp/attack-node";
  const Verdict verdict = OfCall(::mknod(path, type | 0666, device));
  ::unlink(path);
  return verdict;
}

Verdict Whiteout(Arguments) {
  const char* path = "/tmp/attack-whiteout";
  const Verdict verdict = OfCall(::mknod(path, S_IFCHR | 0600, makedev(0, 0)));
  ::unlink(path);
  return verdict;
}

Verdict SetXattr(Arguments arguments) {
  const char* path = "/tmp/attack-xattr";
  ::close(::open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
  std::string value = "y";
  if (std::string_view(arguments[0]) == "security.capability") {
    // struct vfs_cap_data, revision 2, effective: CAP_SYS_ADMIN permitted.
    value = std::string(
        "\x01\x00\x00\x02\x00\x00\x20\x00\x00\x00\x20\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00",
        20);
  }
  const Verdict verdict = OfCall(::setxattr(path, arguments[0], value.data(), value.size(), 0));
  ::unlink(path);
  return verdict;
}

// file_handle of "/", and the root inode of the filesystem by a guessed handle (the "shocker").
Verdict OpenByHandle(Arguments) {
  std::vector<char> space(sizeof(file_handle) + MAX_HANDLE_SZ);
  auto* handle = reinterpret_cast<file_handle*>(space.data());
  handle->handle_bytes = 8;
  handle->handle_type = 1;
  const int root = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int fd = ::open_by_handle_at(root, handle, O_RDONLY);
  return fd < 0 && errno == ESTALE ? Through() : OfCall(fd);
}

Verdict NameToHandle(Arguments) {
  std::vector<char> space(sizeof(file_handle) + MAX_HANDLE_SZ);
  auto* handle = reinterpret_cast<file_handle*>(space.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  const int result = ::name_to_handle_at(AT_FDCWD, "/proc/self", handle, &mount_id, 0);
  return result == -1 && errno == EOPNOTSUPP ? Through() : OfCall(result);
}

// Whether a mount point has its protective flags: "nosuid nodev …".
Verdict MountFlags(Arguments) {
  const std::string text = ReadSome("/proc/self/mountinfo");
  size_t line_begin = 0;
  std::string bad;
  while (line_begin < text.size()) {
    const size_t line_end = text.find('\n', line_begin);
    const std::string line = text.substr(line_begin, line_end - line_begin);
    line_begin = line_end == std::string::npos ? text.size() : line_end + 1;
    const size_t target = [&] {
      size_t at = 0;
      for (int i = 0; i < 4; ++i) at = line.find(' ', at) + 1;
      return at;
    }();
    const size_t options = line.find(' ', target) + 1;
    const std::string point = line.substr(target, options - target - 1);
    const std::string flags = line.substr(options, line.find(' ', options) - options);
    const bool device_directory = point.starts_with("/dev");  // its few nodes are what it is for
    if (flags.find("nosuid") == std::string::npos ||
        (!device_directory && flags.find("nodev") == std::string::npos)) {
      bad += " " + point + "(" + flags + ")";
    }
  }
  return bad.empty() ? "nosuid and nodev everywhere" : "without nosuid or nodev:" + bad;
}

constexpr std::array kProbes = {
    Probe{"mount_tmpfs", Mount},
    Probe{"mount_bind", BindMount},
    Probe{"remount_writable", RemountWritable},
    Probe{"mount_cgroup", MountCgroup},
    Probe{"mount_proc", MountProc},
    Probe{"umount", Umount},
    Probe{"fsopen", FsOpen},
    Probe{"fspick", FsPick},
    Probe{"open_tree", OpenTree},
    Probe{"move_mount", MoveMount},
    Probe{"mount_setattr", MountSetattr},
    Probe{"pivot_root", PivotRoot},
    Probe{"chroot", Chroot},
    Probe{"chroot_escape", ChrootEscape},
    Probe{"mknod", MakeNode},
    Probe{"whiteout", Whiteout},
    Probe{"setxattr", SetXattr},
    Probe{"open_by_handle", OpenByHandle},
    Probe{"name_to_handle", NameToHandle},
    Probe{"mount_flags", MountFlags},
};

}  // namespace

std::span<const Probe> MountProbes() { return kProbes; }

}  // namespace cay::attacks
