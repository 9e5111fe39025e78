#include "engine/native/spawn/caller_state.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/os/file.h"
#include "base/os/linux_abi.h"
#include "base/os/log.h"

namespace cay::engine::native {
namespace {

constexpr unsigned long kDefaultTimerSlackNs = 50'000;  // init/init_task.c
constexpr size_t kMaxProcessors = 8192;  // the most that a kernel for x86-64 can have

void ShedScheduling() {
  ::setpriority(PRIO_PROCESS, 0, 0);
  const sched_param parameter{.sched_priority = 0};
  ::sched_setscheduler(0, SCHED_OTHER, &parameter);
  ::syscall(SYS_ioprio_set, abi::kIoprioWhoProcess, 0, abi::IoprioOf(abi::IoprioClass::kNone));
  std::array<unsigned char, kMaxProcessors / 8> all{};
  all.fill(0xff);
  ::syscall(SYS_sched_setaffinity, 0, all.size(), all.data());
  ::syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0);
  ::prctl(PR_SET_TIMERSLACK, kDefaultTimerSlackNs, 0, 0, 0);
}

bool MaySetLowestOomScore() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) < 0) return false;
  return (data[0].effective & (1U << CAP_SYS_RESOURCE)) != 0;
}

// Lowering a score takes CAP_SYS_RESOURCE; whoever has it also sets the lowest that the process and
// its children may choose for themselves.
void ShedOomScore() {
  const char* const path = "/proc/self/oom_score_adj";
  const auto score = ReadFile(path, 64);
  const bool protected_before = score && score->starts_with('-');
  const auto set = WriteKnobAt(AT_FDCWD, path, "0");
  if (protected_before && (!set || !MaySetLowestOomScore())) {
    LogWarning(
        "this process is protected from the out-of-memory killer, and code in its sandboxes can "
        "be, too: start it with "
        "an OOM score adjustment of 0 or more, or with CAP_SYS_RESOURCE");
  }
}

}  // namespace

void ShedCaller() {
  ShedScheduling();
  ShedOomScore();
  ::personality(PER_LINUX);
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  ::umask(0);
}

Result<void> CheckSuidDumpable(const Fd& setting) {
  char first = 0;
  if (::pread(setting.get(), &first, 1, 0) < 0)
    return Failure(Error::FromErrno("reading fs.suid_dumpable"));
  if (first != '1') return {};
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kMachine,
            "fs.suid_dumpable is 1 on this machine, with which code inside can reach its guest")
          .WithRemedy("sysctl fs.suid_dumpable=2, or 0"));
}

}  // namespace cay::engine::native
