#include "sandbox/projects/compute_only.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/bpf/bpf_compiler.h"
#include "base/testing/sanitized.h"

namespace cay::sandbox {
namespace {

constexpr rlim_t kProcessorSeconds = 2;
constexpr rlim_t kMemoryBytes = 256UL << 20;  // of addresses, what it began with included

// What a computation needs: memory that is not executable, and one descriptor to write to.
constexpr std::vector<sock_filter> MakeProgram() {
  using seccomp::Action;
  seccomp::Policy policy(Action::Errno(EPERM));
  policy.Add({"result",
              "its type, to one pipe",
              Action::Errno(EPERM),
              {SYS_write},
              {{{seccomp::Low32(0, kComputedFd)}, Action::Allow()}}});
  policy.Add({"memory",
              "anonymous, never executable",
              Action::Allow(),
              {SYS_mmap, SYS_mprotect},
              {{{seccomp::Masked(2, PROT_EXEC, PROT_EXEC)}, Action::Errno(EPERM)}}});
  policy.Add(
      {"computing",
       "what has no effect on anybody else",
       Action::Allow(),
       {SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_rt_sigreturn, SYS_exit, SYS_exit_group}});
  // The address sanitizer looks for its stack before what does not return, and dies where it may
  // not.
  if (kSanitized) {
    policy.Add({"sanitizer", "which stack it is on", Action::Allow(), {SYS_sigaltstack}});
  }
  return seccomp::CompileFilter(policy);
}

constexpr size_t kProgramLength = MakeProgram().size();
constexpr std::array<sock_filter, kProgramLength> kProgram = [] {
  std::array<sock_filter, kProgramLength> program{};
  std::ranges::copy(MakeProgram(), program.begin());
  return program;
}();

bool Limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  return ::setrlimit(resource, &limit) == 0;
}

}  // namespace

bool ComputeOnly(int result) {
  if (result != kComputedFd && ::dup2(result, kComputedFd) < 0) return false;
  if (::close_range(0, kComputedFd - 1, 0) < 0 || ::close_range(kComputedFd + 1, ~0U, 0) < 0) {
    return false;
  }
  if (!Limit(RLIMIT_CPU, kProcessorSeconds) || (!kSanitized && !Limit(RLIMIT_AS, kMemoryBytes)) ||
      !Limit(RLIMIT_CORE, 0) || !Limit(RLIMIT_FSIZE, 0)) {
    return false;
  }
  // A crash of it starts no core dump helper, which a limit of 0 does not prevent.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return false;
  // Nobody would end it otherwise, if whoever forked it is killed meanwhile.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return false;
  auto filter = kProgram;
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) == 0;
}

}  // namespace cay::sandbox
