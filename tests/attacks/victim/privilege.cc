// Capabilities, identities, and the guest (process 1) as a target.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

constexpr pid_t kGuest = 1;

Verdict CapSet(Arguments) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  data[0].effective = data[0].permitted = 1U << CAP_SYS_ADMIN;
  return OfCall(::syscall(SYS_capset, &header, data));
}

Verdict Ambient(Arguments) {
  return OfCall(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
}

// Keep capabilities over a change of user: there must be none to keep.
Verdict KeepCaps(Arguments) {
  return InChild([] -> Verdict {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return Refused();
    return OfCall(::setuid(0));
  });
}

Verdict SetUid(Arguments) {
  return InChild([] { return OfCall(::setresuid(0, 0, 0)); });
}
Verdict SetGid(Arguments) {
  return InChild([] { return OfCall(::setresgid(0, 0, 0)); });
}
// Giving up a group that an ACL denies something to.
Verdict SetGroups(Arguments) {
  return InChild([] { return OfCall(::setgroups(0, nullptr)); });
}

Verdict SecureBits(Arguments) { return OfCall(::prctl(PR_SET_SECUREBITS, 1, 0, 0, 0)); }

Verdict UnsetNoNewPrivileges(Arguments) { return OfCall(::prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)); }

// A setuid root program of a layer: whom it runs as. Called as "whoami_effective".
Verdict EffectiveUser(Arguments) {
  return "uid " + std::to_string(::geteuid()) + " gid " + std::to_string(::getegid());
}

// Makes a copy of oneself setuid and runs it; as root outside this is root anyway.
Verdict Kill(Arguments arguments) {
  const pid_t target = ::atoi(arguments[0]);
  const int signal = ::atoi(arguments[1]);
  return OfCall(::kill(target, signal));
}

// kill(-1): whoever can be signalled, but not the guest, which goes on serving.
Verdict KillAll(Arguments) {
  const pid_t neighbour = ::fork();
  if (neighbour == 0) {
    for (;;) ::pause();
  }
  ::kill(-1, SIGKILL);
  int status = 0;
  ::waitpid(neighbour, &status, 0);
  return WIFSIGNALED(status) ? "killed only its own" : "killed nobody";
}

// Every thread of the guest by itself: some of them may be in the code's own Landlock domain.
Verdict KillThreads(Arguments arguments) {
  const int signal = ::atoi(arguments[0]);
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir("/proc/1/task"), ::closedir);
  std::vector<pid_t> ids;
  if (threads) {
    while (const dirent* entry = ::readdir(threads.get())) {
      if (entry->d_name[0] != '.') ids.push_back(::atoi(entry->d_name));
    }
  }
  for (pid_t id = 1; id < 16; ++id) ids.push_back(id);  // hidden ones can be guessed
  for (const pid_t id : ids) {
    if (::syscall(SYS_tgkill, kGuest, id, signal) == 0) return Through(std::to_string(id));
    if (errno == ESRCH) continue;
    if (errno != EPERM) return Refused();
  }
  return Refused(EPERM);
}

Verdict SignalByPidfd(Arguments arguments) {
  const long fd = ::syscall(SYS_pidfd_open, kGuest, 0);
  if (fd < 0) return Refused();
  return OfCall(::syscall(SYS_pidfd_send_signal, fd, ::atoi(arguments[0]), nullptr, 0));
}

// By a descriptor's owner: F_SETOWN, and SIGIO when it becomes readable.
Verdict SignalByOwner(Arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Refused();
  // The kernel checks when it delivers, not here: nothing to see but that the guest is there later.
  ::fcntl(ends[0], F_SETOWN, kGuest);
  ::fcntl(ends[0], F_SETSIG, SIGKILL);
  ::fcntl(ends[0], F_SETFL, O_ASYNC);
  if (::write(ends[1], "x", 1) != 1) return Refused();
  ::usleep(50'000);
  return ::kill(kGuest, 0) == 0 || errno == EPERM ? "the guest is there" : "the guest is gone";
}

Verdict PtraceAttach(Arguments) {
  return InChild([] -> Verdict {
    if (::ptrace(PTRACE_ATTACH, kGuest, nullptr, nullptr) != 0) return Refused();
    ::waitpid(kGuest, nullptr, __WALL);
    ::ptrace(PTRACE_DETACH, kGuest, nullptr, nullptr);
    ::kill(kGuest, SIGCONT);
    return Through();
  });
}
Verdict PtraceSeize(Arguments) {
  return InChild([] -> Verdict {
    for (pid_t id = 1; id < 8; ++id) {
      if (id == ::getpid() || id == ::getppid()) continue;
      if (::ptrace(PTRACE_SEIZE, id, nullptr, nullptr) == 0) return Through(std::to_string(id));
      if (id == kGuest && errno != EPERM) return Refused();
    }
    return Refused(EPERM);
  });
}

// strace and gdb on a child of one's own must go on working.
Verdict PtraceOwnChild(Arguments) {
  return InChild([] -> Verdict {
    const pid_t child = ::fork();
    if (child == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return "not traced";
    const long result = ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
    return result == 0 ? "works" : Refused();
  });
}

Verdict ReadMemory(Arguments) {
  char byte = 0;
  iovec local = {&byte, 1};
  iovec remote = {reinterpret_cast<void*>(0x400000), 1};
  const ssize_t got = ::process_vm_readv(kGuest, &local, 1, &remote, 1, 0);
  return got == -1 && errno == EFAULT ? Through() : OfCall(got);
}
Verdict WriteMemory(Arguments) {
  char byte = 0;
  iovec local = {&byte, 1};
  iovec remote = {reinterpret_cast<void*>(0x400000), 1};
  const ssize_t got = ::process_vm_writev(kGuest, &local, 1, &remote, 1, 0);
  return got == -1 && errno == EFAULT ? Through() : OfCall(got);
}

Verdict PidfdGetFd(Arguments) {
  const long pidfd = ::syscall(SYS_pidfd_open, kGuest, 0);
  if (pidfd < 0) return Refused();
  const long fd = ::syscall(SYS_pidfd_getfd, pidfd, 0, 0);
  return fd == -1 && errno == EBADF ? Through() : OfCall(fd);
}

Verdict Kcmp(Arguments) { return OfCall(::syscall(SYS_kcmp, ::getpid(), kGuest, KCMP_VM, 0, 0)); }

// slow_guest CALL: of its process and its second thread, and of all processes of a user or a group.
// "refused EPERM" when every attempt was.
Verdict SlowGuest(Arguments arguments) {
  const std::string_view call = arguments[0];
  constexpr int kIdle = 3 << 13;  // linux/ioprio.h: IOPRIO_CLASS_IDLE
  const sched_param parameter{.sched_priority = 0};
  const unsigned long first_processor = 1;
  struct Attributes {  // linux/sched/types.h
    uint32_t size = 48;
    uint32_t policy = SCHED_IDLE;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 0;
    uint64_t deadline = 0;
    uint64_t period = 0;
  } attributes;
  std::string through;
  for (const long id : {1L, 2L, 1L | 1L << 32}) {
    long result = -1;
    errno = EINVAL;
    if (call == "nice") result = ::syscall(SYS_setpriority, PRIO_PROCESS, id, 19);
    if (call == "nice_group") result = ::syscall(SYS_setpriority, PRIO_PGRP, id, 19);
    if (call == "nice_user") result = ::syscall(SYS_setpriority, PRIO_USER, 0, 19);
    if (call == "ioprio") result = ::syscall(SYS_ioprio_set, 1, id, kIdle);
    if (call == "ioprio_user") result = ::syscall(SYS_ioprio_set, 3, ::getuid(), kIdle);
    if (call == "affinity") {
      result = ::syscall(SYS_sched_setaffinity, id, sizeof first_processor, &first_processor);
    }
    if (call == "policy") result = ::syscall(SYS_sched_setscheduler, id, SCHED_IDLE, &parameter);
    if (call == "parameter") result = ::syscall(SYS_sched_setparam, id, &parameter);
    if (call == "attributes") result = ::syscall(SYS_sched_setattr, id, &attributes, 0);
    if (result == 0) through += " " + std::to_string(id);
    if (result != 0 && errno != EPERM) return Refused();
  }
  return through.empty() ? Refused(EPERM) : Through("of" + through);
}

// The same for oneself and one's children works.
Verdict SlowOneself(Arguments) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const unsigned long first_processor = 1;
  const bool done =
      ::setpriority(PRIO_PROCESS, 0, 5) == 0 &&
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(child), 6) == 0 &&
      ::setpriority(PRIO_PGRP, 0, 7) == 0 &&
      ::syscall(SYS_sched_setaffinity, 0, sizeof first_processor, &first_processor) == 0 &&
      ::syscall(SYS_sched_setaffinity, child, sizeof first_processor, &first_processor) == 0;
  const Verdict verdict = done ? "works" : Refused();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return verdict;
}

// Opens the guest's OOM score for writing, again and again until its input ends; the test makes the
// guest start processes and serve files meanwhile.
Verdict HoldOomHammer(Arguments) {
  ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  Announce("ready");
  char byte = 0;
  unsigned long tries = 0;
  while (::read(STDIN_FILENO, &byte, 1) != 0) {
    for (int round = 0; round < 64; ++round, ++tries) {
      for (const char* path : {"/proc/1/oom_score_adj", "/proc/2/oom_score_adj",
                               "/proc/1/coredump_filter", "/proc/1/clear_refs"}) {
        if (::open(path, O_WRONLY | O_CLOEXEC) >= 0) {
          return Through(std::string(path) + " after " + std::to_string(tries));
        }
      }
    }
  }
  return "never";
}

// One line of what a process inherits from whoever started Cay.
Verdict CallerState(Arguments) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  ::sched_getaffinity(0, sizeof processors, &processors);
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  rlimit cpu{};
  ::getrlimit(RLIMIT_CPU, &cpu);
  rlimit nice{};
  ::getrlimit(RLIMIT_NICE, &nice);
  const mode_t mask = ::umask(0);
  const int terminal = ::open("/dev/tty", O_RDONLY | O_CLOEXEC);
  const auto number = [](auto value) { return std::to_string(static_cast<long long>(value)); };
  return "nice " + number(::getpriority(PRIO_PROCESS, 0)) + " policy " +
         number(::sched_getscheduler(0)) + " io " + number(::syscall(SYS_ioprio_get, 1, 0) >> 13) +
         " processors " + number(CPU_COUNT(&processors)) + " slack " +
         number(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)) + " personality " +
         number(::personality(0xffffffff)) + " umask " + number(mask) + " stack " +
         number(stack.rlim_cur) + " cpu " + (cpu.rlim_cur == RLIM_INFINITY ? "free" : "limited") +
         " may-nice " + number(nice.rlim_max) + " terminal " + (terminal >= 0 ? "yes" : "no");
}

Verdict GuestLimits(Arguments) {
  const unsigned long limit[2] = {0, 0};
  return OfCall(::syscall(SYS_prlimit64, kGuest, 9 /* RLIMIT_AS */, limit, nullptr));
}

// The guest's listening socket and whatever else listens in the sandbox's file system or its
// abstract names.
Verdict ListeningSockets(Arguments) {
  const std::string text = ReadSome("/proc/net/unix");
  const size_t header_end = text.find('\n');
  std::string found;
  for (size_t at = header_end; at != std::string::npos && at + 1 < text.size();) {
    const size_t begin = at + 1;
    at = text.find('\n', begin);
    const std::string line = text.substr(begin, at - begin);
    const size_t name = line.find_first_of("@/");
    if (name != std::string::npos) found += " " + line.substr(name);
  }
  return found.empty() ? "none" : Through(found);
}

Verdict RealTime(Arguments) {
  const sched_param parameter = {.sched_priority = 1};
  return OfCall(::sched_setscheduler(0, SCHED_FIFO, &parameter));
}
Verdict NegativeNice(Arguments) { return OfCall(::syscall(SYS_setpriority, 0, 0, -5)); }

constexpr std::array kProbes = {
    Probe{"capset", CapSet},
    Probe{"ambient", Ambient},
    Probe{"keepcaps", KeepCaps},
    Probe{"setuid", SetUid},
    Probe{"setgid", SetGid},
    Probe{"setgroups", SetGroups},
    Probe{"securebits", SecureBits},
    Probe{"unset_no_new_privs", UnsetNoNewPrivileges},
    Probe{"effective_user", EffectiveUser},
    Probe{"kill", Kill},
    Probe{"kill_all", KillAll},
    Probe{"kill_threads", KillThreads},
    Probe{"pidfd_signal", SignalByPidfd},
    Probe{"owner_signal", SignalByOwner},
    Probe{"ptrace_attach", PtraceAttach},
    Probe{"ptrace_seize", PtraceSeize},
    Probe{"ptrace_own_child", PtraceOwnChild},
    Probe{"read_memory", ReadMemory},
    Probe{"write_memory", WriteMemory},
    Probe{"pidfd_getfd", PidfdGetFd},
    Probe{"kcmp", Kcmp},
    Probe{"slow_guest", SlowGuest},
    Probe{"slow_oneself", SlowOneself},
    Probe{"hold_oom_hammer", HoldOomHammer},
    Probe{"caller_state", CallerState},
    Probe{"guest_limits", GuestLimits},
    Probe{"listening_sockets", ListeningSockets},
    Probe{"real_time", RealTime},
    Probe{"negative_nice", NegativeNice},
};

}  // namespace

std::span<const Probe> PrivilegeProbes() { return kProbes; }

}  // namespace cay::attacks
