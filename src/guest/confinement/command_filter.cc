#include "guest/confinement/command_filter.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/bpf/bpf_compiler.h"

namespace cay::guest {
namespace {

template <Undecided undecided>
consteval size_t FilterLength() {
  return seccomp::CompileFilter(CommandPolicy(undecided)).size();
}

template <Undecided undecided>
consteval std::array<sock_filter, FilterLength<undecided>()> MakeFilter() {
  const std::vector<sock_filter> program = seccomp::CompileFilter(CommandPolicy(undecided));
  std::array<sock_filter, FilterLength<undecided>()> filter{};
  std::copy(program.begin(), program.end(), filter.begin());
  return filter;
}

constexpr auto kAsking = MakeFilter<Undecided::kAskTheArbiter>();
constexpr auto kRefusing = MakeFilter<Undecided::kRefuse>();

long Install(std::span<const sock_filter> filter, unsigned flags) {
  // The kernel only reads the program; its type is not const for historical reasons.
  const sock_fprog program = {.len = static_cast<unsigned short>(filter.size()),
                              .filter = const_cast<sock_filter*>(filter.data())};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

}  // namespace

std::span<const sock_filter> CommandFilter(Undecided undecided) {
  if (undecided == Undecided::kRefuse) return kRefusing;
  return kAsking;
}

Result<std::optional<Fd>> InstallCommandFilter() {
  const long listener = Install(kAsking, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener >= 0) return Fd::Adopt(static_cast<int>(listener));
  if (errno != EINVAL && errno != EBUSY) {
    return Failure(Error::FromErrno("installing the commands' filter"));
  }
  if (Install(kRefusing, 0) != 0) {
    return Failure(Error::FromErrno("installing the commands' filter"));
  }
  return std::nullopt;
}

}  // namespace cay::guest
