#include "guest/spawn/child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/privileges.h"

namespace cay::guest {
namespace {

// glibc's set*id functions ask every thread to do the same, by a signal: not here. Raw calls act on
// the calling thread alone (nptl(7)).
bool ChangeIds(const Account& account) {
  if (::syscall(SYS_setgroups, account.groups.size(), account.groups.data()) < 0) return false;
  if (::syscall(SYS_setresgid, account.gid, account.gid, account.gid) < 0) return false;
  if (::syscall(SYS_setresuid, account.uid, account.uid, account.uid) < 0) return false;
  return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;  // confine.h
}

// What the spawner left there for root is nobody else's. While this has CAP_SETPCAP, which a change
// of ids takes.
bool LowerBoundingSet(uint32_t kept) {
  for (uint32_t left = kRootCapabilities & ~kept; left != 0; left &= left - 1) {
    const auto capability = static_cast<unsigned long>(std::countr_zero(left));
    const int present = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return false;
  }
  return true;
}

// Id 0 keeps its capabilities through setresuid; after this it has no others than these, and
// everybody else none. Under no_new_privs an exec of id 0 gives what is in the bounding set and was
// permitted before (cap_bprm_creds_from_file in security/commoncap.c).
bool KeepCapabilities(uint32_t kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0].effective = data[0].permitted = kept;
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

// Each of 0, 1, 2 from its source. Sources are all over 2: the guest's own stdio is /dev/null.
bool PlaceStdio(const SpawnJob& job) {
  const std::array<const std::optional<Fd>*, 3> sources = {&job.stdin_fd, &job.stdout_fd,
                                                           &job.stderr_fd};
  for (int target = 0; target < 3; ++target) {
    const std::optional<Fd>& source = *sources[static_cast<size_t>(target)];
    if (source && ::dup2(source->get(), target) < 0) return false;
  }
  return true;
}

// As execvpe(3): goes on when the file is not there, remembers that one may not be executed.
void ExecFirst(SpawnJob& job) {
  int result = ENOENT;
  size_t about = 0;
  for (size_t i = 0; i < job.candidates.size(); ++i) {
    ::execve(job.candidates[i].c_str(), const_cast<char* const*>(job.argv.data()),
             const_cast<char* const*>(job.env.data()));
    const int error = errno;
    if (error == EACCES) {
      if (result == ENOENT) {
        result = EACCES;
        about = i;
      }
    } else if (error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV &&
               error != ETIMEDOUT && error != ENAMETOOLONG && error != ELOOP) {
      result = error;
      about = i;
      break;
    } else if (job.candidates.size() == 1) {
      result = error;
    }
  }
  errno = result;
  job.failed_candidate = about;
}

SpawnStage Prepare(SpawnJob& job) {
  if (::setsid() < 0) return SpawnStage::kSession;
  if (!PlaceStdio(job)) return SpawnStage::kStdio;
  if (job.terminal && ::ioctl(*job.terminal, TIOCSCTTY, 0) < 0) return SpawnStage::kTerminal;
  if (::syscall(SYS_close_range, 3, ~0U, 0) < 0) return SpawnStage::kStdio;
  for (const ChildRlimit& limit : job.rlimits) {
    if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) < 0) {
      return SpawnStage::kLimits;
    }
  }
  ::umask(022);
  if (job.change_ids && !LowerBoundingSet(job.capabilities)) return SpawnStage::kIds;
  if (job.change_ids && !ChangeIds(job.account)) return SpawnStage::kIds;
  if (!KeepCapabilities(job.capabilities)) return SpawnStage::kIds;
  if (::chdir(job.cwd.c_str()) < 0) return SpawnStage::kCwd;
  return SpawnStage::kNone;
}

int ChildMain(void* argument) {
  SpawnJob& job = *static_cast<SpawnJob*>(argument);
  job.failed = Prepare(job);
  if (job.failed == SpawnStage::kNone) {
    // Dispositions are the defaults: the guest handles no signal, it blocks them.
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ExecFirst(job);
    job.failed = SpawnStage::kExec;
  }
  job.sys_errno = errno;
  ::_exit(127);
}

constexpr size_t kStackBytes = 16 * 1024;

// When the command has memory of its own: before, it shares the guest's, and the file cannot be
// opened without making that dumpable, which opens the guest's own files in /proc to commands of
// its user id. What the command forks in the microseconds until then stands where the guest stands;
// so does what sets its own score back, which the kernel allows. Best effort: a command that ended
// already has no file.
void RaiseOomScore(const SpawnJob& job) {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "%d/oom_score_adj", job.pid.load());
  const int fd = ::openat(job.proc_fd, path.data(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  static_assert(kOomScoreOfCommands == 500);
  [[maybe_unused]] const ssize_t written = ::write(fd, "500", 3);
  ::close(fd);
}

}  // namespace

void Spawn(SpawnJob& job) {
  // One child at a time, and its caller waits: one stack is enough.
  alignas(16) static std::array<char, kStackBytes> stack;
  const int pid = ::clone(&ChildMain, stack.data() + stack.size(),
                          CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, &job, &job.pid);
  if (pid < 0) {
    job.failed = SpawnStage::kFork;
    job.sys_errno = errno;
  }
  if (job.failed == SpawnStage::kNone) RaiseOomScore(job);
}

}  // namespace cay::guest
