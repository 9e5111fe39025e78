#include "victim/spent.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace cay::attacks {

Verdict Hold(const Verdict& verdict, long held) {
  Announce("spent");
  WaitForEndOfInput();
  return verdict + " holding " + std::to_string(held);
}

Verdict InProcesses(int most, Until until, const std::function<Share()>& body) {
  std::vector<pid_t> children;
  Share sum{0, 0};
  for (int i = 0; i < most && (until == Until::kAllHave || sum.refused == 0); ++i) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return Refused();
    const pid_t child = ::fork();
    if (child < 0) {
      sum.refused = errno;
      break;
    }
    if (child == 0) {
      // Where queues count against the memory limit, it is this one that ends for it.
      TryWrite("/proc/self/oom_score_adj", "1000");
      const Share share = body();
      if (::write(ends[1], &share, sizeof share) != sizeof share) ::_exit(1);
      for (;;) ::pause();
    }
    children.push_back(child);
    ::close(ends[1]);
    Share share{0, ENOMEM};  // unless it lives to say something else
    if (::read(ends[0], &share, sizeof share) < 0) return Refused();
    ::close(ends[0]);
    sum.held += share.held;
    if (share.refused != 0) sum.refused = share.refused;
  }
  const Verdict verdict = Hold(sum.refused == 0 ? Through() : Refused(sum.refused), sum.held);
  for (const pid_t child : children) ::kill(child, SIGKILL);
  return verdict;
}

long InstallLongFilter() {
  static std::vector<sock_filter> program(BPF_MAXINSNS,
                                          sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0});
  program.back() = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  const sock_fprog filter = {.len = static_cast<unsigned short>(program.size()),
                             .filter = program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &filter);
}

namespace {

Verdict SpendFilters(Arguments) {
  return InProcesses(200, Until::kRefused, [] {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const int refused = InstallLongFilter() == 0 ? 0 : errno;
    return Share{refused == 0 ? 1 : 0, refused};
  });
}

// All at the same time: what is granted and not seen yet counts.
Verdict SpendFiltersAtOnce(Arguments) {
  int go[2];
  int done[2];
  if (::pipe2(go, O_CLOEXEC) != 0 || ::pipe2(done, O_CLOEXEC) != 0) return Refused();
  std::vector<pid_t> children;
  for (int i = 0; i < 150; ++i) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      char byte = 0;
      ::close(go[1]);
      if (::read(go[0], &byte, 1) < 0) ::_exit(1);
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      byte = InstallLongFilter() == 0 ? 1 : 0;
      if (::write(done[1], &byte, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    children.push_back(child);
  }
  ::close(go[1]);
  long held = 0;
  for (size_t i = 0; i < children.size(); ++i) {
    char byte = 0;
    if (::read(done[0], &byte, 1) == 1) held += byte;
  }
  const Verdict verdict = Hold("done", held);
  for (const pid_t child : children) ::kill(child, SIGKILL);
  return verdict;
}

Verdict SpendFiltersOnOneThread(Arguments) {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long held = 0;
  while (held < 1000 && InstallLongFilter() == 0) ++held;
  return Hold(Refused(), held);
}

template <class Take>
Verdict SpendUntilRefused(long most, Take take) {
  long held = 0;
  while (held < most && take()) ++held;
  return Hold(held == most ? Through() : Refused(), held);
}

Verdict SpendHugePages(Arguments arguments) {
  const std::string way = arguments[0];
  constexpr size_t kSize = 2 << 20;
  long held = 0;
  long result = -1;
  if (way == "mmap") {
    result = ::syscall(SYS_mmap, nullptr, kSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
  } else if (way == "memfd") {
    result = ::memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
  } else {
    result = ::shmget(IPC_PRIVATE, kSize, IPC_CREAT | 0600 | SHM_HUGETLB);
  }
  const Verdict verdict = OfCall(result);
  if (result != -1) ++held;
  return Hold(verdict, held);
}

// Every process opens as many as it may.
Verdict SpendFiles(Arguments arguments) {
  return InProcesses(::atoi(arguments[0]), Until::kAllHave, [] {
    Share share{0, 0};
    while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) ++share.held;
    share.refused = errno;
    return share;
  });
}

Verdict SpendPids(Arguments) {
  return InProcesses(100'000, Until::kRefused, [] { return Share{1, 0}; });
}

Verdict SpendPtys(Arguments) {
  return SpendUntilRefused(3000, [] { return ::posix_openpt(O_RDWR | O_NOCTTY) >= 0; });
}

Verdict SpendInotify(Arguments) {
  return SpendUntilRefused(3000, [] { return ::inotify_init1(IN_CLOEXEC) >= 0; });
}

Verdict SpendMessageQueues(Arguments) {
  long number = 0;
  return SpendUntilRefused(3000, [&number] {
    mq_attr attributes{};
    attributes.mq_maxmsg = 10;
    attributes.mq_msgsize = 8192;
    const std::string name = "/spent" + std::to_string(number++);
    return ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600, &attributes) >= 0;
  });
}

Verdict SpendSignals(Arguments) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  return SpendUntilRefused(
      100'000, [] { return ::sigqueue(::getpid(), SIGRTMIN + 1, sigval{.sival_int = 1}) == 0; });
}

Verdict SpendTimers(Arguments) {
  return SpendUntilRefused(100'000, [] {
    timer_t timer = nullptr;
    return ::timer_create(CLOCK_MONOTONIC, nullptr, &timer) == 0;
  });
}

Verdict SpendAio(Arguments) {
  unsigned long context = 0;
  const Verdict verdict = OfCall(::syscall(SYS_io_setup, 128, &context));
  return Hold(verdict, context == 0 ? 0 : 1);
}

Verdict SpendKeys(Arguments) {
  const long key = ::syscall(SYS_add_key, "user", "spent", "x", 1UL, -3L);
  return Hold(OfCall(key), key > 0 ? 1 : 0);
}

Verdict SpendNamesOfMappings(Arguments) {
  constexpr unsigned long kPrSetVma = 0x5356'4d41;
  constexpr size_t kSize = 4096;
  void* const memory = ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int named = ::prctl(kPrSetVma, 0, memory, kSize, "a name that is charged to nobody");
  return Hold(OfCall(named), named == 0 ? 1 : 0);
}

Verdict SpendLoopDevices(Arguments) {
  const int fd = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  return Hold(OfCall(fd), fd >= 0 ? 1 : 0);
}

Verdict SpendMounts(Arguments) {
  const int mounted = ::mount("none", "/tmp", "tmpfs", 0, nullptr);
  return Hold(OfCall(mounted), mounted == 0 ? 1 : 0);
}

// Names that are not there, of the longest kind.
Verdict SpendDentries(Arguments) {
  const std::string path = "/tmp/" + std::string(200, 'n');
  long count = 0;
  for (; count < 100'000; ++count) {
    struct stat status{};
    if (::stat((path + std::to_string(count)).c_str(), &status) == 0) return "found";
  }
  return Hold("done", count);
}

// What each descriptor of these kinds has beside its file.
Verdict SpendContexts(Arguments) {
  return InProcesses(16, Until::kAllHave, [] {
    Share share{0, 0};
    while ((share.held % 2 == 0 ? ::epoll_create1(EPOLL_CLOEXEC)
                                : ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) >= 0) {
      ++share.held;
    }
    share.refused = errno;
    return share;
  });
}

// In each directory of the template that may be written to: 4,000 names of half a KiB, which 20
// descriptors have listed, each of them another version.
Verdict SpendListsOfDirectories(Arguments) {
  constexpr std::array kPlaces = {"/tmp", "/var/tmp", "/home/user", "/workspace", "/run/lock"};
  static std::array<char, 64 << 10> entries;
  long held = 0;
  for (const char* place : kPlaces) {
    const int directory = ::open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::string padding(240, 'x');
    for (int i = 0; i < 4000; ++i) {
      const int made = ::openat(directory, (std::to_string(i) + padding).c_str(),
                                O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (made < 0) return Refused();
      ::close(made);
    }
    for (int i = 0; i < 20; ++i) {
      const int list = ::open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (::syscall(SYS_getdents64, list, entries.data(), entries.size()) <= 0) return Refused();
      const std::string name = "another" + std::to_string(i);
      const int made = ::openat(directory, name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (made < 0) return Refused();
      ::close(made);
      ++held;
    }
  }
  return Hold(Through(), held);
}

constexpr std::array kProbes = {
    Probe{"spend_lists_of_directories", SpendListsOfDirectories},
    Probe{"spend_filters", SpendFilters},
    Probe{"spend_filters_at_once", SpendFiltersAtOnce},
    Probe{"spend_filters_on_one_thread", SpendFiltersOnOneThread},
    Probe{"spend_huge_pages", SpendHugePages},
    Probe{"spend_files", SpendFiles},
    Probe{"spend_pids", SpendPids},
    Probe{"spend_ptys", SpendPtys},
    Probe{"spend_inotify", SpendInotify},
    Probe{"spend_message_queues", SpendMessageQueues},
    Probe{"spend_signals", SpendSignals},
    Probe{"spend_timers", SpendTimers},
    Probe{"spend_aio", SpendAio},
    Probe{"spend_keys", SpendKeys},
    Probe{"spend_names_of_mappings", SpendNamesOfMappings},
    Probe{"spend_loop_devices", SpendLoopDevices},
    Probe{"spend_mounts", SpendMounts},
    Probe{"spend_dentries", SpendDentries},
    Probe{"spend_contexts", SpendContexts},
};

}  // namespace

std::span<const Probe> SpentProbes() { return kProbes; }

}  // namespace cay::attacks
