#include "guest/confinement/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os/fd.h"
#include "base/os/linux_abi.h"
#include "base/os/sys.h"
#include "guest/confinement/command_filter.h"

namespace cay::guest {
namespace {

// Without SETPCAP (an ordinary user's sandbox) there is nothing in the set that an exec could give:
// that guest has no capabilities and no id 0.
Result<void> LowerBoundingSet(uint64_t kept) {
  for (unsigned long capability = 0; capability <= 63; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    const int present = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present < 0) break;  // EINVAL: past the last that the kernel has
    if (present == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM) {
      return Failure(Error::FromErrno("dropping a capability from the bounding set"));
    }
  }
  return {};
}

// Programs are executed from the sandbox's own filesystems, and not from the file of the guest's
// program, which is the host's: /proc/self/exe of a process that is about to execute something
// leads there. To move and link files between directories must be allowed by name as soon as
// anything of the filesystem is handled (landlock(7), LANDLOCK_ACCESS_FS_REFER).
constexpr int kLandlockAbiWithRefer = 2;
constexpr __u64 kBeneathRoot = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REFER;

Result<void> AllowBeneathRoot(const Fd& ruleset) {
  const Fd root = TRY(sys::OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  const landlock_path_beneath_attr rule{.allowed_access = kBeneathRoot, .parent_fd = root.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
    return Failure(Error::FromErrno("landlock_add_rule"));
  }
  return {};
}

Result<void> EnterLandlockDomain() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < kLandlockAbiWithRefer) return {};  // `cay doctor` says so, also of the scopes
  const abi::LandlockRulesetAttr attributes{
      // Nothing allows it: sockets of commands of this sandbox can be connected to all the same,
      // those of the host that lie in a mounted directory cannot.
      .handled_access_fs = version < abi::kLandlockAbiWithResolveUnix
                               ? kBeneathRoot
                               : kBeneathRoot | abi::kLandlockAccessFsResolveUnix,
      .handled_access_net = 0,
      .scoped = version < abi::kLandlockAbiWithScopes
                    ? 0
                    : abi::kLandlockScopeSignal | abi::kLandlockScopeAbstractUnixSocket};
  const long raw = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (raw < 0) return Failure(Error::FromErrno("landlock_create_ruleset"));
  const Fd ruleset = Fd::Adopt(static_cast<int>(raw));
  TRY(AllowBeneathRoot(ruleset));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) < 0) {
    return Failure(Error::FromErrno("landlock_restrict_self"));
  }
  return {};
}

}  // namespace

Result<void> ConfineGuest(unsigned first_fd) {
  TRY(sys::Prctl(PR_SET_DUMPABLE, 0, 0, "making the guest not dumpable"));
  // Not 0: a core pattern that is a pipe takes no notice of that, but 1 is its sign for "no core"
  // (core(5), do_coredump in fs/coredump.c).
  const rlimit no_core{.rlim_cur = 1, .rlim_max = 1};
  if (::setrlimit(RLIMIT_CORE, &no_core) < 0) return Failure(Error::FromErrno("setrlimit"));
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction known{};
    if (::sigaction(signal, nullptr, &known) == 0 && known.sa_handler != SIG_DFL) {
      ::signal(signal, SIG_DFL);
    }
  }
  sigset_t all;
  ::sigfillset(&all);
  if (::sigprocmask(SIG_SETMASK, &all, nullptr) < 0)
    return Failure(Error::FromErrno("sigprocmask"));
  if (::syscall(SYS_close_range, first_fd, ~0U, 0) < 0) {
    return Failure(Error::FromErrno("close_range"));
  }
  return {};
}

Result<std::optional<Fd>> ConfineSpawner(Privileges privileges) {
  TRY(sys::Prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "setting no_new_privs"));
  TRY(LowerBoundingSet(privileges == Privileges::kRoot ? kRootCapabilities : 0));
  TRY(sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, "clearing ambient capabilities"));
  TRY(EnterLandlockDomain());
  return InstallCommandFilter();
}

}  // namespace cay::guest
