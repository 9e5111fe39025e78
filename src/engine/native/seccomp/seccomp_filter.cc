#include "engine/native/seccomp/seccomp_filter.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/bpf/bpf_compiler.h"
#include "base/os/sys.h"
#include "engine/native/seccomp/sandbox_policy.h"

namespace cay::engine::native {
namespace {

// Compiled by the compiler: no start-up cost, and a policy that contradicts itself does not build.
template <Policy (*MakePolicy)()>
consteval auto MakeFilter() {
  constexpr size_t kLength = seccomp::CompileFilter(MakePolicy()).size();
  const std::vector<sock_filter> program = seccomp::CompileFilter(MakePolicy());
  std::array<sock_filter, kLength> filter{};
  std::copy(program.begin(), program.end(), filter.begin());
  return filter;
}

constexpr auto kFilter = MakeFilter<&SandboxPolicy>();
constexpr auto kNoexecFilter = MakeFilter<&NoexecPolicy>();
static_assert(kFilter.size() <= BPF_MAXINSNS);

Result<void> Install(std::span<const sock_filter> filter) {
  constexpr std::string_view kWhat = "install the seccomp filter";
  if (const int injected = sys::TakeFault(sys::Call::kSeccomp); injected != 0) [[unlikely]] {
    return Failure(Error::FromErrno(kWhat, injected));
  }
  // The kernel only reads the program; its type is not const for historical reasons.
  const sock_fprog program = {.len = static_cast<unsigned short>(filter.size()),
                              .filter = const_cast<sock_filter*>(filter.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) != 0) {
    return Failure(Error::FromErrno(kWhat));
  }
  return {};
}

}  // namespace

std::span<const sock_filter> SandboxFilter() { return kFilter; }
std::span<const sock_filter> NoexecFilter() { return kNoexecFilter; }

Result<void> InstallSandboxFilter() { return Install(kFilter); }
Result<void> InstallNoexecFilter() { return Install(kNoexecFilter); }

}  // namespace cay::engine::native
