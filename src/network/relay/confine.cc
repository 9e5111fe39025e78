#include "network/relay/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "base/bpf/bpf_compiler.h"
#include "base/os/fd.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "base/testing/sanitized.h"

namespace cay::network {
namespace {

constexpr std::vector<sock_filter> MakeProgram(bool cache) {
  using seccomp::Action;
  using seccomp::Low32;
  using seccomp::Masked;
  const Action no = Action::Errno(EPERM);
  seccomp::Policy policy(no);
  policy.Add({"sockets of the internet",
              "what it is for, and netlink for the machine's addresses",
              no,
              {SYS_socket},
              {{{Low32(0, AF_INET)}, Action::Allow()},
               {{Low32(0, AF_INET6)}, Action::Allow()},
               {{Low32(0, AF_NETLINK), Low32(2, 0)}, Action::Allow()}}});
  policy.Add({"connections",
              "taken and made, and what goes over them",
              Action::Allow(),
              {SYS_connect, SYS_accept4, SYS_bind, SYS_getsockname, SYS_getpeername, SYS_getsockopt,
               SYS_setsockopt, SYS_shutdown, SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg,
               SYS_splice, SYS_pipe2, SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close}});
  policy.Add({"waiting",
              "",
              Action::Allow(),
              {SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_poll,
               SYS_ppoll, SYS_clock_gettime, SYS_gettimeofday, SYS_futex, SYS_restart_syscall}});
  if (cache) {
    policy.Add({"files of a package cache",
                "Landlock says which",
                Action::Allow(),
                {SYS_openat, SYS_renameat, SYS_renameat2, SYS_unlinkat, SYS_flock, SYS_utimensat,
                 SYS_getdents64, SYS_fstatfs}});
  } else {
    policy.Add({"files of a resolver",
                "read; Landlock says which",
                no,
                {SYS_openat},
                {{{Masked(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)}, Action::Allow()}}});
  }
  policy.Add({"names that outlive it",
              "in files without a place",
              Action::Allow(),
              {SYS_memfd_create, SYS_ftruncate, SYS_pread64, SYS_pwrite64}});
  policy.Add({"looking at files",
              "",
              Action::Allow(),
              {SYS_newfstatat, SYS_fstat, SYS_lseek, SYS_fcntl, SYS_readlink}});
  policy.Add({"memory",
              "never executable",
              Action::Allow(),
              {SYS_mmap, SYS_mprotect},
              {{{Masked(2, PROT_EXEC, PROT_EXEC)}, no}}});
  policy.Add(
      {"itself",
       "what has no effect on anybody else",
       Action::Allow(),
       {SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_getrandom, SYS_getpid, SYS_gettid,
        SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_rt_sigreturn, SYS_rt_sigprocmask,
        SYS_rt_sigaction, SYS_tgkill, SYS_sched_yield, SYS_uname, SYS_exit, SYS_exit_group}});
  return seccomp::CompileFilter(policy);
}

template <bool kCache>
constexpr auto kProgram = [] {
  std::array<sock_filter, MakeProgram(kCache).size()> program{};
  std::ranges::copy(MakeProgram(kCache), program.begin());
  return program;
}();

Result<void> RaiseOpenFiles() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return Failure(Error::FromErrno("getrlimit"));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) return Failure(Error::FromErrno("setrlimit"));
  return {};
}

Result<void> BecomeNobodyElse() {
  if (::geteuid() != 0) return {};  // an ordinary user's is that user
  if (::setgroups(0, nullptr) < 0) return Failure(Error::FromErrno("setgroups"));
  if (::setresgid(kRelayUid, kRelayUid, kRelayUid) < 0)
    return Failure(Error::FromErrno("setresgid"));
  if (::setresuid(kRelayUid, kRelayUid, kRelayUid) < 0)
    return Failure(Error::FromErrno("setresuid"));
  return {};
}

Result<void> Allow(const Fd& ruleset, const Fd& directory, uint64_t access) {
  const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = directory.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
    return Failure(Error::FromErrno("landlock_add_rule"));
  return {};
}

// resolv.conf is often a link to a directory of the service that writes it.
Result<void> AllowReading(const Fd& ruleset, const std::string& directory) {
  auto opened = sys::OpenAt(AT_FDCWD, directory.c_str(), O_PATH | O_DIRECTORY);
  if (!opened) return {};
  return Allow(ruleset, *opened, LANDLOCK_ACCESS_FS_READ_FILE);
}

std::string DirectoryOfResolvConf() {
  char* const real = ::realpath("/etc/resolv.conf", nullptr);
  if (real == nullptr) return "/etc";
  const std::string path(real);
  std::free(real);
  return path.substr(0, path.rfind('/'));
}

Result<void> SeeOnlyOwnFiles(std::optional<Fd>& cache) {
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
    if (cache) LogWarning("the kernel has no Landlock, and so there is no package cache");
    cache.reset();
    return {};
  }
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // all of version 1
  const long raw = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (raw < 0) return Failure(Error::FromErrno("landlock_create_ruleset"));
  const Fd ruleset = Fd::Adopt(static_cast<int>(raw));
  TRY(AllowReading(ruleset, "/etc"));
  if (const std::string real = DirectoryOfResolvConf(); real.starts_with("/run/"))
    TRY(AllowReading(ruleset, real));
  if (cache) {
    TRY(Allow(ruleset, *cache,
              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                  LANDLOCK_ACCESS_FS_REMOVE_FILE));
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) < 0)
    return Failure(Error::FromErrno("landlock_restrict_self"));
  return {};
}

Result<void> Filter(auto filter) {
  if (kSanitized) return {};  // its run time does much that this does not
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) != 0)
    return Failure(Error::FromErrno("seccomp"));
  return {};
}

}  // namespace

Result<void> ConfineRelay(std::optional<Fd>& cache) {
  TRY(RaiseOpenFiles());
  TRY(BecomeNobodyElse());
  TRY(sys::Prctl(PR_SET_DUMPABLE, 0, 0, "making the relay not dumpable"));
  TRY(sys::Prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "setting no_new_privs"));
  TRY(SeeOnlyOwnFiles(cache));
  return cache ? Filter(kProgram<true>) : Filter(kProgram<false>);
}

}  // namespace cay::network
