// Using up what there is. Each of these goes on until something stops it; what must stop it is said
// in the table.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

// Forks until it cannot: what a bomb meets. The children wait.
Verdict ForkUntilRefused(Arguments) {
  for (int children = 0; children < 100'000; ++children) {
    const pid_t child = ::fork();
    if (child < 0) {
      const Verdict verdict = Refused();
      ::signal(SIGTERM, SIG_IGN);
      ::kill(0, SIGTERM);
      return verdict;
    }
    if (child == 0) {
      for (;;) ::pause();
    }
  }
  return Through();
}

// Never stops by itself.
Verdict ForkBomb(Arguments) {
  for (;;) ::fork();
}

void* Sleep(void*) {
  for (;;) ::pause();
}

Verdict ThreadsUntilRefused(Arguments) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 64 * 1024);
  for (int threads = 0; threads < 100'000; ++threads) {
    pthread_t thread{};
    const int error = ::pthread_create(&thread, &attributes, Sleep, nullptr);
    if (error != 0) return Refused(error);
  }
  return Through();
}

// Touches memory without end.
Verdict MemoryBomb(Arguments) {
  constexpr size_t kChunk = 16 << 20;
  for (;;) {
    void* chunk = ::mmap(nullptr, kChunk, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (chunk == MAP_FAILED) return Refused();
    std::memset(chunk, 1, kChunk);
  }
}

// Kernel memory, which must be counted too: full pipes and sockets without end, in many processes.
Verdict PipeBomb(Arguments) {
  const std::vector<char> data(1 << 20, 'x');
  for (;;) {
    const pid_t child = ::fork();
    if (child < 0) ::pause();
    if (child > 0) continue;
    for (;;) {
      int ends[2];
      if (::pipe2(ends, O_NONBLOCK) != 0) ::pause();
      ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
      while (::write(ends[1], data.data(), data.size()) > 0) {
      }
    }
  }
}

Verdict SocketBomb(Arguments) {
  const std::vector<char> data(64 << 10, 'x');
  for (;;) {
    const pid_t child = ::fork();
    if (child < 0) ::pause();
    if (child > 0) continue;
    for (;;) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) ::pause();
      while (::write(ends[0], data.data(), data.size()) > 0) {
      }
      while (::write(ends[1], data.data(), data.size()) > 0) {
      }
    }
  }
}

// Names that are not there: each leaves a negative dentry. Returns after COUNT.
Verdict DentryBomb(Arguments arguments) {
  const long count = ::atol(arguments[0]);
  std::string path = "/tmp/" + std::string(200, 'n');
  for (long i = 0; i < count; ++i) {
    const std::string name = path + std::to_string(i);
    struct stat status{};
    if (::stat(name.c_str(), &status) == 0) return "found";
  }
  return "done";
}

Verdict TmpfsBomb(Arguments arguments) {
  const std::vector<char> data(1 << 20, 'x');
  const std::string path = std::string(arguments[0]) + "/bomb";
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return Refused();
  for (;;) {
    if (::write(fd, data.data(), data.size()) < 0) return Refused();
  }
}

// spin THREADS SECONDS
Verdict Spin(Arguments arguments) {
  const int threads = ::atoi(arguments[0]);
  const int seconds = ::atoi(arguments[1]);
  for (int i = 1; i < threads; ++i) {
    if (::fork() == 0) break;
  }
  const time_t end = ::time(nullptr) + seconds;
  while (::time(nullptr) < end) {
  }
  return "spun";
}

volatile sig_atomic_t g_signals = 0;

// A child and its parent signal each other as fast as they can. signal_storm SECONDS
Verdict SignalStorm(Arguments arguments) {
  ::signal(SIGUSR1, [](int) { g_signals = g_signals + 1; });
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  const pid_t other = child == 0 ? parent : child;
  const time_t end = ::time(nullptr) + ::atoi(arguments[0]);
  while (::time(nullptr) < end) ::kill(other, SIGUSR1);
  if (child == 0) ::_exit(0);
  ::signal(SIGUSR1, SIG_IGN);
  ::kill(child, SIGKILL);
  return "stormed";
}

// fsync_storm DIRECTORY SECONDS
Verdict FsyncStorm(Arguments arguments) {
  const std::string path = std::string(arguments[0]) + "/storm";
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return Refused();
  const time_t end = ::time(nullptr) + ::atoi(arguments[1]);
  while (::time(nullptr) < end) {
    if (::pwrite(fd, "x", 1, 0) != 1 || ::fsync(fd) != 0) return Refused();
  }
  return "stormed";
}

// Two forks and a new session, with stdout kept open.
Verdict Daemon(Arguments) {
  if (::fork() != 0) return "started";
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  for (;;) ::pause();
}

Verdict StopSelf(Arguments) {
  ::kill(0, SIGSTOP);
  return "went on";
}

Verdict IgnoreEverything(Arguments) {
  for (int signal = 1; signal < 64; ++signal) ::signal(signal, SIG_IGN);
  for (;;) ::pause();
}

Verdict OpenFiles(Arguments) {
  for (long count = 0; count < 10'000'000; ++count) {
    if (::open("/dev/null", O_RDONLY) < 0) return Refused();
  }
  return Through();
}

// Writes to stdout without end.
Verdict Flood(Arguments) {
  const std::vector<char> data(64 << 10, 'y');
  for (;;) {
    if (::write(STDOUT_FILENO, data.data(), data.size()) < 0) return Refused();
  }
}

constexpr std::array kProbes = {
    Probe{"fork_until_refused", ForkUntilRefused},
    Probe{"fork_bomb", ForkBomb},
    Probe{"threads_until_refused", ThreadsUntilRefused},
    Probe{"memory_bomb", MemoryBomb},
    Probe{"pipe_bomb", PipeBomb},
    Probe{"socket_bomb", SocketBomb},
    Probe{"dentry_bomb", DentryBomb},
    Probe{"tmpfs_bomb", TmpfsBomb},
    Probe{"spin", Spin},
    Probe{"signal_storm", SignalStorm},
    Probe{"fsync_storm", FsyncStorm},
    Probe{"daemon", Daemon},
    Probe{"stop_self", StopSelf},
    Probe{"ignore_everything", IgnoreEverything},
    Probe{"open_files", OpenFiles},
    Probe{"flood", Flood},
};

}  // namespace

std::span<const Probe> ResourceProbes() { return kProbes; }

}  // namespace cay::attacks
