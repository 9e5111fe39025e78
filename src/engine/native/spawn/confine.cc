#include "engine/native/spawn/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/os/sys.h"
#include "engine/native/seccomp/seccomp_filter.h"

namespace cay::engine::native {
namespace {

// What the guest does with each: start processes as other users, without capabilities (SETUID,
// SETGID, SETPCAP); signal them (KILL); serve files in their name (CHOWN, DAC_OVERRIDE, FOWNER,
// FSETID); set the buffers of their sockets (SYS_PTRACE, for pidfd_getfd(2)).
constexpr std::array<int, 9> kGuestCapabilities = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
                                                   CAP_FSETID, CAP_KILL,         CAP_SETGID,
                                                   CAP_SETUID, CAP_SETPCAP,      CAP_SYS_PTRACE};

// Every namespace type has a count of its own for each user namespace. user goes last: the knobs
// are its property.
constexpr std::array<const char*, 8> kNamespaceKnobs = {
    "max_cgroup_namespaces", "max_ipc_namespaces",  "max_mnt_namespaces", "max_net_namespaces",
    "max_pid_namespaces",    "max_time_namespaces", "max_uts_namespaces", "max_user_namespaces"};

constexpr rlim_t kMaxPendingSignals = 1024;
constexpr rlim_t kMaxMessageQueueBytes = 256 * kKiB;
constexpr rlim_t kMaxLockedBytes = 8 * kMiB;
constexpr rlim_t kStackBytes = 8 * kMiB;  // _STK_LIM, what the kernel starts with

// Never above the hard limit that is there: raising one takes CAP_SYS_RESOURCE. The caller has been
// told before (HighestOpenFiles) where that would weaken what was asked.
Result<void> Lower(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) < 0) return Failure(Error::FromErrno("getrlimit"));
  limit.rlim_max = std::min(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  if (const int injected = sys::TakeFault(sys::Call::kSetRlimit); injected != 0) {
    return Failure(Error::FromErrno("setrlimit", injected));
  }
  if (::setrlimit(resource, &limit) < 0) return Failure(Error::FromErrno("setrlimit"));
  return {};
}

// As near to it as the hard limit allows.
Result<void> SetSoft(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) < 0) return Failure(Error::FromErrno("getrlimit"));
  limit.rlim_cur = std::min(limit.rlim_max, value);
  if (::setrlimit(resource, &limit) < 0) return Failure(Error::FromErrno("setrlimit"));
  return {};
}

Result<void> SetResourceLimits(const ConfineOptions& options) {
  // 1 and not 0: a core dump helper (a core_pattern with "|") runs whatever the limit is, except
  // for 1, with which fs/coredump.c marks helpers that crash themselves. The filter keeps it so.
  TRY(Lower(RLIMIT_CORE, 1));
  TRY(Lower(RLIMIT_NOFILE, options.limits.open_files));
  TRY(Lower(RLIMIT_FSIZE, FileSizeLimit(options.limits)));
  TRY(Lower(RLIMIT_SIGPENDING, kMaxPendingSignals));
  TRY(Lower(RLIMIT_MSGQUEUE, kMaxMessageQueueBytes));
  TRY(Lower(RLIMIT_MEMLOCK, kMaxLockedBytes));
  TRY(Lower(RLIMIT_RTPRIO, 0));
  TRY(Lower(RLIMIT_NICE, 0));
  // What the caller had for itself is not the sandbox's.
  TRY(SetSoft(RLIMIT_STACK, kStackBytes));
  for (const auto resource : {RLIMIT_CPU, RLIMIT_DATA, RLIMIT_RSS, RLIMIT_AS, RLIMIT_RTTIME}) {
    TRY(SetSoft(resource, RLIM_INFINITY));
  }
  if (options.limit_nproc) {
    TRY(Lower(RLIMIT_NPROC, options.limits.pids));
  } else {
    TRY(SetSoft(RLIMIT_NPROC, RLIM_INFINITY));
  }
  return {};
}

// What it gives to root's commands it must have itself.
bool GuestKeeps(int capability, bool single_user, Privileges privileges) {
  if (single_user) return false;
  if (std::ranges::find(kGuestCapabilities, capability) != kGuestCapabilities.end()) return true;
  return privileges == Privileges::kRoot && capability < 32 &&
         (kRootCapabilities >> capability & 1) != 0;
}

Result<void> DropCapabilities(bool single_user, Privileges privileges) {
  uint64_t keep = 0;
  for (int capability = 0; capability <= 63; ++capability) {
    if (GuestKeeps(capability, single_user, privileges)) keep |= uint64_t{1} << capability;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (size_t word = 0; word < data.size(); ++word) {
    data[word].effective = data[word].permitted = static_cast<uint32_t>(keep >> (32 * word));
  }
  if (const int injected = sys::TakeFault(sys::Call::kCapSet); injected != 0) {
    return Failure(Error::FromErrno("capset", injected));
  }
  if (::syscall(SYS_capset, &header, data.data()) < 0) return Failure(Error::FromErrno("capset"));
  return {};
}

}  // namespace

uint64_t HighestOpenFiles() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_max;
}

Result<std::vector<Fd>> OpenNamespaceKnobs(const Fd& proc) {
  const Fd directory = TRY(sys::OpenAt(proc.get(), "sys/user", O_PATH | O_DIRECTORY));
  std::vector<Fd> knobs;
  for (const char* name : kNamespaceKnobs) {
    auto knob = sys::OpenAt(directory.get(), name, O_WRONLY);
    if (!knob && knob.error().sys_errno() == ENOENT) continue;  // no such namespaces here
    knobs.push_back(TRY(std::move(knob)));
  }
  return knobs;
}

Result<void> ForbidNamespaces(const std::vector<Fd>& knobs) {
  for (const Fd& knob : knobs) TRY(sys::Write(knob, "0", "forbidding namespaces"));
  return {};
}

Result<void> DropBoundingSet(bool single_user, Privileges privileges) {
  TRY(sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, "clearing ambient capabilities"));
  for (int capability = 0; capability <= 63; ++capability) {
    const int present = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present < 0) break;  // EINVAL: past the kernel's last one
    if (present == 0 || GuestKeeps(capability, single_user, privileges)) continue;
    TRY(sys::Prctl(PR_CAPBSET_DROP, static_cast<unsigned long>(capability), 0,
                   "dropping a bounding capability"));
  }
  return {};
}

Result<void> Confine(const ConfineOptions& options) {
  TRY(SetResourceLimits(options));
  TRY(DropCapabilities(options.single_user, options.privileges));
  TRY(sys::Prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "setting no_new_privs"));
  if (options.noexec) TRY(InstallNoexecFilter());
  return InstallSandboxFilter();
}

}  // namespace cay::engine::native
