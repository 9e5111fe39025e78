// The seam at the system calls that matter: the ones that make, change and enter sandboxes. Each is
// a thin wrapper that gives Result and, in tests, can be made to fail, so that every error path is
// walked.
//
//   sys::ScopedFault fault(sys::Call::kMoveMount, ENOSPC, /*nth=*/2);   // in a test
//
// Without a fault set, the cost is one load of a global. Not for calls whose failure has no
// clean-up.
#pragma once

#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

union bpf_attr;  // linux/bpf.h

namespace cay::sys {

enum class Call {
  kClone3,
  kFsOpen,
  kFsConfig,
  kFsMount,
  kOpenTree,
  kMoveMount,
  kMountSetattr,
  kPivotRoot,
  kUmount,
  kSetNs,
  kUnshare,
  kOpenAt2,
  kOpenAt,
  kMkdirAt,
  kMknodAt,
  kSymlinkAt,
  kChownAt,
  kIoctl,
  kWrite,
  kPidfdSendSignal,
  kPrctl,
  kSeccomp,
  kBind,
  kSetResId,
  kSetGroups,
  kSetRlimit,
  kCapSet,
  kExecveAt,
  kBpf,
  kNetlink,
  kCount,
};
std::string_view CallName(Call call);

// Makes the nth (from 0) use of `call` from now on fail with `sys_errno`; kCount stands for every
// call. One at a time in a process; a child made by clone3 inherits it. Not thread-safe: tests
// only.
class ScopedFault {
 public:
  ScopedFault(Call call, int sys_errno, int nth = 0);
  ~ScopedFault();
  ScopedFault(const ScopedFault&) = delete;
  ScopedFault& operator=(const ScopedFault&) = delete;
  // Whether the fault was reached (in this process).
  bool fired() const;
};

// errno to inject for this use of `call`, or 0. The wrappers call it first.
int TakeFault(Call call);

// In each wrapper, `what` is the context of the error message.
Result<pid_t> Clone3(clone_args& args);
Result<Fd> FsOpen(const char* type);
Result<void> FsConfigString(const Fd& context, const char* key, const char* value);
Result<void> FsConfigFlag(const Fd& context, const char* key);
Result<void> FsConfigFd(const Fd& context, const char* key, const Fd& value);
Result<void> FsConfigCreate(const Fd& context);
Result<Fd> FsMount(const Fd& context, unsigned attributes);
Result<Fd> OpenTree(int dir, const char* path, unsigned flags);
Result<void> MoveMount(const Fd& from, const Fd& to_dir, const char* to_path);
Result<void> MountSetattr(const Fd& mount, mount_attr attributes, bool recursive);
Result<void> PivotRoot(const char* new_root, const char* put_old);
Result<void> Umount(const char* path, int flags);
Result<void> SetNs(const Fd& ns, int type);
Result<void> Unshare(int flags);
Result<Fd> OpenAt2(int dir, const char* path, open_how how);
Result<Fd> OpenAt(int dir, const char* path, int flags, mode_t mode = 0);
Result<void> MkdirAt(int dir, const char* path, mode_t mode);
Result<void> MknodAt(int dir, const char* path, mode_t mode, dev_t device);
Result<void> SymlinkAt(const char* target, int dir, const char* path);
Result<void> ChownAt(int dir, const char* path, uid_t uid,
                     gid_t gid);  // AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH
Result<int> Ioctl(const Fd& fd, unsigned long request, void* argument, std::string_view what);
Result<int> IoctlInt(const Fd& fd, unsigned long request, unsigned long argument,
                     std::string_view what);
Result<void> Write(const Fd& fd, std::string_view bytes, std::string_view what);  // in one write(2)
Result<void> PidfdSendSignal(const Fd& pidfd, int signal);
Result<Fd> PidfdOpen(pid_t pid);
Result<void> Prctl(int option, unsigned long a, unsigned long b, std::string_view what);
Result<int> Bpf(int command, bpf_attr& attributes, std::string_view what);
Result<void> SendNetlink(const Fd& socket, std::string_view messages);  // in one datagram

}  // namespace cay::sys
