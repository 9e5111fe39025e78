#include "base/os/sys.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>

namespace cay::sys {
namespace {

struct Fault {
  Call call = Call::kCount;
  int sys_errno = 0;
  int countdown = -1;
  bool armed = false;
  bool fired = false;
};
Fault g_fault;

// Runs `call` unless a fault is due, and turns -1 into an Error with `what` as its context.
template <class F>
Result<long> Invoke(Call call, std::string_view what, F function) {
  if (const int injected = TakeFault(call); injected != 0) [[unlikely]] {
    return Failure(Error::FromErrno(what, injected));
  }
  const long result = function();
  if (result < 0) return Failure(Error::FromErrno(what));
  return result;
}

template <class F>
Result<void> InvokeVoid(Call call, std::string_view what, F function) {
  static_cast<void>(TRY(Invoke(call, what, function)));
  return {};
}

template <class F>
Result<Fd> InvokeFd(Call call, std::string_view what, F function) {
  return Fd::Adopt(static_cast<int>(TRY(Invoke(call, what, function))));
}

std::string Quote(std::string_view what, const char* name) {
  return std::string(what) + " " + name;
}

}  // namespace

std::string_view CallName(Call call) {
  static constexpr std::array<std::string_view, static_cast<size_t>(Call::kCount)> kNames = {
      "clone3",     "fsopen",        "fsconfig",   "fsmount",  "open_tree",
      "move_mount", "mount_setattr", "pivot_root", "umount",   "setns",
      "unshare",    "openat2",       "openat",     "mkdirat",  "mknodat",
      "symlinkat",  "chownat",       "ioctl",      "write",    "pidfd_send_signal",
      "prctl",      "seccomp",       "bind",       "setresid", "setgroups",
      "setrlimit",  "capset",        "execveat",   "bpf",      "netlink"};
  return call == Call::kCount ? "any" : kNames.at(static_cast<size_t>(call));
}

ScopedFault::ScopedFault(Call call, int sys_errno, int nth) {
  g_fault = {.call = call, .sys_errno = sys_errno, .countdown = nth, .armed = true, .fired = false};
}
ScopedFault::~ScopedFault() { g_fault = {}; }
bool ScopedFault::fired() const { return g_fault.fired; }

int TakeFault(Call call) {
  if (!g_fault.armed) [[likely]]
    return 0;
  if (g_fault.call != Call::kCount && g_fault.call != call) return 0;
  if (g_fault.countdown-- > 0) return 0;
  g_fault.armed = false;
  g_fault.fired = true;
  return g_fault.sys_errno;
}

Result<pid_t> Clone3(clone_args& args) {
  return static_cast<pid_t>(TRY(
      Invoke(Call::kClone3, "clone3", [&] { return ::syscall(SYS_clone3, &args, sizeof args); })));
}

Result<Fd> FsOpen(const char* type) {
  return InvokeFd(Call::kFsOpen, Quote("fsopen", type),
                  [&] { return ::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC); });
}

Result<void> FsConfigString(const Fd& context, const char* key, const char* value) {
  return InvokeVoid(Call::kFsConfig, Quote("fsconfig", key), [&] {
    return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key, value, 0);
  });
}

Result<void> FsConfigFlag(const Fd& context, const char* key) {
  return InvokeVoid(Call::kFsConfig, Quote("fsconfig", key), [&] {
    return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, key, nullptr, 0);
  });
}

Result<void> FsConfigFd(const Fd& context, const char* key, const Fd& value) {
  return InvokeVoid(Call::kFsConfig, Quote("fsconfig", key), [&] {
    return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FD, key, nullptr, value.get());
  });
}

Result<void> FsConfigCreate(const Fd& context) {
  auto created = InvokeVoid(Call::kFsConfig, "creating a filesystem", [&] {
    return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  });
  if (created) return created;
  // The kernel tells what it did not like to who reads the context: "e overlay: …".
  std::array<char, 256> said{};
  const ssize_t length = ::read(context.get(), said.data(), said.size());
  if (length <= 0) return created;
  std::string_view reason(said.data(), static_cast<size_t>(length));
  while (reason.ends_with('\n')) reason.remove_suffix(1);
  return Failure(std::move(created).error().WithContext(reason));
}

Result<Fd> FsMount(const Fd& context, unsigned attributes) {
  return InvokeFd(Call::kFsMount, "fsmount", [&] {
    return ::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes);
  });
}

Result<Fd> OpenTree(int dir, const char* path, unsigned flags) {
  return InvokeFd(Call::kOpenTree, Quote("open_tree", path),
                  [&] { return ::syscall(SYS_open_tree, dir, path, flags | OPEN_TREE_CLOEXEC); });
}

Result<void> MoveMount(const Fd& from, const Fd& to_dir, const char* to_path) {
  const unsigned to_flags = *to_path == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0U;
  return InvokeVoid(Call::kMoveMount, Quote("move_mount", to_path), [&] {
    return ::syscall(SYS_move_mount, from.get(), "", to_dir.get(), to_path,
                     MOVE_MOUNT_F_EMPTY_PATH | to_flags);
  });
}

Result<void> MountSetattr(const Fd& mount, mount_attr attributes, bool recursive) {
  const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);
  return InvokeVoid(Call::kMountSetattr, "mount_setattr", [&] {
    return ::syscall(SYS_mount_setattr, mount.get(), "", flags, &attributes, sizeof attributes);
  });
}

Result<void> PivotRoot(const char* new_root, const char* put_old) {
  return InvokeVoid(Call::kPivotRoot, "pivot_root",
                    [&] { return ::syscall(SYS_pivot_root, new_root, put_old); });
}

Result<void> Umount(const char* path, int flags) {
  return InvokeVoid(Call::kUmount, Quote("umount", path),
                    [&] { return ::syscall(SYS_umount2, path, flags); });
}

Result<void> SetNs(const Fd& ns, int type) {
  return InvokeVoid(Call::kSetNs, "setns", [&] { return ::syscall(SYS_setns, ns.get(), type); });
}

Result<void> Unshare(int flags) {
  return InvokeVoid(Call::kUnshare, "unshare", [&] { return ::syscall(SYS_unshare, flags); });
}

Result<Fd> OpenAt2(int dir, const char* path, open_how how) {
  how.flags |= O_CLOEXEC;
  return InvokeFd(Call::kOpenAt2, Quote("opening", path),
                  [&] { return ::syscall(SYS_openat2, dir, path, &how, sizeof how); });
}

Result<Fd> OpenAt(int dir, const char* path, int flags, mode_t mode) {
  return InvokeFd(Call::kOpenAt, Quote("opening", path),
                  [&] { return static_cast<long>(::openat(dir, path, flags | O_CLOEXEC, mode)); });
}

Result<void> MkdirAt(int dir, const char* path, mode_t mode) {
  return InvokeVoid(Call::kMkdirAt, Quote("mkdir", path),
                    [&] { return static_cast<long>(::mkdirat(dir, path, mode)); });
}

Result<void> MknodAt(int dir, const char* path, mode_t mode, dev_t device) {
  return InvokeVoid(Call::kMknodAt, Quote("mknod", path),
                    [&] { return static_cast<long>(::mknodat(dir, path, mode, device)); });
}

Result<void> SymlinkAt(const char* target, int dir, const char* path) {
  return InvokeVoid(Call::kSymlinkAt, Quote("symlink", path),
                    [&] { return static_cast<long>(::symlinkat(target, dir, path)); });
}

Result<void> ChownAt(int dir, const char* path, uid_t uid, gid_t gid) {
  return InvokeVoid(Call::kChownAt, Quote("chown", path), [&] {
    return static_cast<long>(::fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
  });
}

Result<int> Ioctl(const Fd& fd, unsigned long request, void* argument, std::string_view what) {
  return static_cast<int>(TRY(Invoke(Call::kIoctl, what, [&] {
    return static_cast<long>(::ioctl(fd.get(), request, argument));
  })));
}

Result<int> IoctlInt(const Fd& fd, unsigned long request, unsigned long argument,
                     std::string_view what) {
  return static_cast<int>(TRY(Invoke(Call::kIoctl, what, [&] {
    return static_cast<long>(::ioctl(fd.get(), request, argument));
  })));
}

Result<void> Write(const Fd& fd, std::string_view bytes, std::string_view what) {
  const long written = TRY(Invoke(Call::kWrite, what, [&] {
    return static_cast<long>(::write(fd.get(), bytes.data(), bytes.size()));
  }));
  if (static_cast<size_t>(written) != bytes.size()) return Failure(Error::FromErrno(what, EIO));
  return {};
}

Result<void> PidfdSendSignal(const Fd& pidfd, int signal) {
  return InvokeVoid(Call::kPidfdSendSignal, "pidfd_send_signal", [&] {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
  });
}

Result<Fd> PidfdOpen(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return Failure(Error::FromErrno("pidfd_open"));
  return Fd::Adopt(static_cast<int>(fd));
}

Result<void> Prctl(int option, unsigned long a, unsigned long b, std::string_view what) {
  return InvokeVoid(Call::kPrctl, what,
                    [&] { return static_cast<long>(::prctl(option, a, b, 0, 0)); });
}

Result<int> Bpf(int command, bpf_attr& attributes, std::string_view what) {
  return static_cast<int>(TRY(Invoke(Call::kBpf, what, [&] {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
  })));
}

Result<void> SendNetlink(const Fd& socket, std::string_view messages) {
  const long sent = TRY(Invoke(Call::kNetlink, "netlink", [&] {
    return static_cast<long>(::send(socket.get(), messages.data(), messages.size(), 0));
  }));
  if (static_cast<size_t>(sent) != messages.size())
    return Failure(Error::FromErrno("netlink", EIO));
  return {};
}

}  // namespace cay::sys
