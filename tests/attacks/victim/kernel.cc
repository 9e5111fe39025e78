// System calls that reach into the kernel itself, and other ABIs.
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

Verdict IoUring(Arguments) {
  std::array<char, 256> parameters{};
  return OfCall(::syscall(SYS_io_uring_setup, 4, parameters.data()));
}

Verdict Aio(Arguments) {
  unsigned long context = 0;
  return OfCall(::syscall(SYS_io_setup, 1, &context));
}

Verdict Bpf(Arguments) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return OfCall(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

Verdict PerfEvent(Arguments) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  return OfCall(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

Verdict UserFaultFd(Arguments) { return OfCall(::syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY)); }

Verdict AddKey(Arguments) {
  return OfCall(::syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

Verdict KeyCtl(Arguments) {
  return OfCall(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 1));
}

Verdict RequestKey(Arguments) {
  const long result = ::syscall(SYS_request_key, "user", "attack", nullptr, 0);
  return result == -1 && errno == ENOKEY ? Through() : OfCall(result);
}

Verdict Socket(Arguments arguments) {
  return OfCall(::socket(::atoi(arguments[0]), ::atoi(arguments[1]), ::atoi(arguments[2])));
}

// getpid of the i386 ABI.
Verdict Int80(Arguments) {
  return InChild([] -> Verdict {
    long result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return result == -ENOSYS ? Refused(ENOSYS) : Through();
  });
}

// socketcall(SYS_SOCKET, {AF_ALG, SOCK_SEQPACKET, 0}) of the i386 ABI: its arguments are behind a
// pointer.
Verdict Int80SocketCall(Arguments) {
  return InChild([] -> Verdict {
    auto* arguments = static_cast<unsigned*>(::mmap(
        nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
    arguments[0] = AF_ALG;
    arguments[1] = SOCK_SEQPACKET;
    arguments[2] = 0;
    long result = 102;
    asm volatile("int $0x80" : "+a"(result) : "b"(1L), "c"(arguments) : "memory");
    return result == -ENOSYS ? Refused(ENOSYS) : Through();
  });
}

Verdict X32(Arguments) {
  return InChild([] { return OfCall(::syscall(SYS_getpid | 0x40000000)); });
}

Verdict Personality(Arguments) { return OfCall(::personality(READ_IMPLIES_EXEC)); }

Verdict ModifyLdt(Arguments) {
  user_desc descriptor{};
  descriptor.entry_number = 0;
  descriptor.limit = 1;
  return OfCall(::syscall(SYS_modify_ldt, 1, &descriptor, sizeof descriptor));
}

Verdict Iopl(Arguments) { return OfCall(::iopl(3)); }
Verdict IoPerm(Arguments) { return OfCall(::ioperm(0x80, 1, 1)); }

Verdict KexecLoad(Arguments) { return OfCall(::syscall(SYS_kexec_load, 0, 0, nullptr, 0)); }
Verdict KexecFileLoad(Arguments) {
  const long result = ::syscall(SYS_kexec_file_load, -1, -1, 0, nullptr, 0);
  return result == -1 && errno == EBADF ? Through() : OfCall(result);
}

Verdict InitModule(Arguments) {
  const long result = ::syscall(SYS_init_module, nullptr, 0, "");
  return result == -1 && (errno == ENOEXEC || errno == EFAULT) ? Through() : OfCall(result);
}
Verdict FinitModule(Arguments) {
  const long result = ::syscall(SYS_finit_module, -1, "", 0);
  return result == -1 && errno == EBADF ? Through() : OfCall(result);
}
Verdict DeleteModule(Arguments) {
  const long result = ::syscall(SYS_delete_module, "attack_no_such_module", O_NONBLOCK);
  return result == -1 && errno == ENOENT ? Through() : OfCall(result);
}

Verdict Reboot(Arguments) { return OfCall(::reboot(RB_DISABLE_CAD)); }

Verdict SwapOn(Arguments) {
  const int result = ::swapon("/dev/null", 0);
  return result == -1 && errno == EINVAL ? Through() : OfCall(result);
}
Verdict SwapOff(Arguments) {
  const int result = ::swapoff("/dev/null");
  return result == -1 && errno == EINVAL ? Through() : OfCall(result);
}

Verdict QuotaCtl(Arguments) {
  const int result = ::quotactl(QCMD(Q_SYNC, USRQUOTA), nullptr, 0, nullptr);
  return result == -1 && errno == ENODEV ? Through() : OfCall(result);
}

// To the time that it is: harmless where it works.
Verdict SetTimeOfDay(Arguments) {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  return OfCall(::settimeofday(&now, nullptr));
}
Verdict ClockSetTime(Arguments) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return OfCall(::clock_settime(CLOCK_REALTIME, &now));
}
Verdict AdjTimex(Arguments) {
  timex now{};
  now.modes = ADJ_OFFSET_SINGLESHOT;
  return OfCall(::adjtimex(&now));
}

Verdict FanotifyInit(Arguments) { return OfCall(::fanotify_init(FAN_CLASS_NOTIF, O_RDONLY)); }

Verdict Acct(Arguments) { return OfCall(::acct(nullptr)); }
Verdict Syslog(Arguments) { return OfCall(::syscall(SYS_syslog, 10, nullptr, 0)); }
Verdict SetHostName(Arguments) { return OfCall(::sethostname("attack", 6)); }
Verdict Vhangup(Arguments) {
  return InChild([] {
    ::setsid();
    return OfCall(::vhangup());
  });
}
Verdict SetMempolicy(Arguments) { return OfCall(::syscall(SYS_set_mempolicy, 0, nullptr, 0)); }
Verdict Sync(Arguments) { return OfCall(::syscall(SYS_sync)); }

Verdict TypeIntoTerminal(Arguments) {
  return InChild([] -> Verdict {
    const int pty = ::posix_openpt(O_RDWR | O_CLOEXEC);
    if (pty < 0 || ::grantpt(pty) != 0 || ::unlockpt(pty) != 0) return "no terminal: " + Refused();
    ::setsid();
    const int terminal = ::open(::ptsname(pty), O_RDWR);
    if (terminal < 0) return "no terminal: " + Refused();
    if (::ioctl(terminal, TIOCSCTTY, 0) != 0) return "no controlling terminal: " + Refused();
    return OfCall(::ioctl(terminal, TIOCSTI, "x"));
  });
}

Verdict Ioctl(Arguments arguments) {
  const unsigned long request = ::strtoul(arguments[0], nullptr, 0);
  int value = 0;
  const int pty = ::posix_openpt(O_RDWR | O_CLOEXEC);
  const int result = ::ioctl(pty, request, &value);
  return result == -1 && (errno == EINVAL || errno == ENOTTY) ? Through() : OfCall(result);
}

// Random arguments, of the kind that find bugs: edges, small numbers, good and bad pointers.
long RandomArgument(std::mt19937_64& random, char* memory) {
  static constexpr long kEdges[] = {0, 1, 2, 3, -1, -2, 4096, 0x7fffffff, 0x80000000L, 1L << 62};
  switch (random() % 5) {
    case 0:
      return kEdges[random() % std::size(kEdges)];
    case 1:
      return static_cast<long>(random() % 64);
    case 2:
      return reinterpret_cast<long>(memory) + static_cast<long>(random() % 4096);
    case 3:
      return static_cast<long>(random());
    default:
      return 0;
  }
}

// What would only end the prober itself, which is not what is asked here.
bool IsForOthers(long number, const long (&arguments)[6]) {
  static constexpr long kSignals[] = {SYS_kill,
                                      SYS_tkill,
                                      SYS_tgkill,
                                      SYS_rt_sigqueueinfo,
                                      SYS_rt_tgsigqueueinfo,
                                      SYS_pidfd_send_signal};
  if (std::ranges::find(kSignals, number) == std::end(kSignals)) return false;
  return static_cast<int>(arguments[0]) <= 1;
}

// Every number from FIRST to LAST, ROUNDS times each, with random arguments, each in a child of its
// own, which has a tenth of a second.
Verdict RandomCalls(Arguments arguments) {
  const long first = ::atol(arguments[0]);
  const long last = ::atol(arguments[1]);
  const long rounds = ::atol(arguments[2]);
  std::mt19937_64 random(static_cast<uint64_t>(::atol(arguments[3])));
  auto* memory = static_cast<char*>(
      ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 8192; ++i) memory[i] = static_cast<char>(random());
  for (long number = first; number <= last; ++number) {
    for (long round = 0; round < rounds; ++round) {
      long values[6];
      for (long& value : values) value = RandomArgument(random, memory);
      if (IsForOthers(number, values)) values[0] = 0x7ffffff0;
      const pid_t child = ::fork();
      if (child < 0) return "no child: " + Refused();
      if (child == 0) {
        ::setsid();
        const itimerval deadline = {.it_interval = {0, 10'000}, .it_value = {0, 100'000}};
        ::signal(SIGALRM, SIG_DFL);
        ::setitimer(ITIMER_REAL, &deadline, nullptr);
        ::syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
        ::_exit(0);
      }
      for (int waited = 0; ::waitpid(child, nullptr, WNOHANG) == 0; ++waited) {
        if (waited > 300) ::kill(child, SIGKILL);
        ::usleep(waited < 20 ? 100 : 1000);
      }
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
  }
  return "alive";
}

constexpr std::array kProbes = {
    Probe{"io_uring", IoUring},
    Probe{"aio", Aio},
    Probe{"bpf", Bpf},
    Probe{"perf_event_open", PerfEvent},
    Probe{"userfaultfd", UserFaultFd},
    Probe{"add_key", AddKey},
    Probe{"keyctl", KeyCtl},
    Probe{"request_key", RequestKey},
    Probe{"socket", Socket},
    Probe{"int80", Int80},
    Probe{"int80_socketcall", Int80SocketCall},
    Probe{"x32", X32},
    Probe{"personality", Personality},
    Probe{"modify_ldt", ModifyLdt},
    Probe{"iopl", Iopl},
    Probe{"ioperm", IoPerm},
    Probe{"kexec_load", KexecLoad},
    Probe{"kexec_file_load", KexecFileLoad},
    Probe{"init_module", InitModule},
    Probe{"finit_module", FinitModule},
    Probe{"delete_module", DeleteModule},
    Probe{"reboot", Reboot},
    Probe{"swapon", SwapOn},
    Probe{"swapoff", SwapOff},
    Probe{"quotactl", QuotaCtl},
    Probe{"settimeofday", SetTimeOfDay},
    Probe{"clock_settime", ClockSetTime},
    Probe{"adjtimex", AdjTimex},
    Probe{"fanotify_init", FanotifyInit},
    Probe{"acct", Acct},
    Probe{"syslog", Syslog},
    Probe{"sethostname", SetHostName},
    Probe{"vhangup", Vhangup},
    Probe{"set_mempolicy", SetMempolicy},
    Probe{"sync", Sync},
    Probe{"tiocsti", TypeIntoTerminal},
    Probe{"ioctl", Ioctl},
    Probe{"random_calls", RandomCalls},
};

}  // namespace

std::span<const Probe> KernelProbes() { return kProbes; }

}  // namespace cay::attacks
