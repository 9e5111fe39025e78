// What the arbiter is asked (guest/confinement/arbiter.h), by those who would have another answer.
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "victim/spent.h"

namespace cay::attacks {
namespace {

// Doubled by the kernel; of a netlink socket, and the default of one of the internet.
constexpr int kMostOfNetlink = 16 * 1024;
constexpr int kMostOfInternet = 212'992;
constexpr int kMuch = 32 << 20;

int NetlinkSocket() { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }

int BufferOf(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

int Ask(int fd, int option, int value) {
  return ::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

// "bounded" when every buffer that has a bound has it, and those of Unix sockets have none.
Verdict RaiseAll() {
  const int netlink = NetlinkSocket();
  const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int datagram = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int local = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (netlink < 0 || stream < 0 || datagram < 0 || local < 0) return Refused();
  for (const int fd : {netlink, stream, datagram, local}) {
    for (const int value : {kMuch, -1}) {
      if (Ask(fd, SO_RCVBUF, value) != 0 || Ask(fd, SO_SNDBUF, value) != 0) return Refused();
    }
  }
  // With bits that the kernel does not look at.
  const int value = kMuch;
  ::syscall(SYS_setsockopt, netlink, SOL_SOCKET | 1L << 32, SO_RCVBUF | 1L << 32, &value,
            sizeof value);
  ::setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof value);
  ::setsockopt(netlink, SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof value);
  const bool bounded = BufferOf(netlink, SO_RCVBUF) <= kMostOfNetlink &&
                       BufferOf(netlink, SO_SNDBUF) <= kMostOfNetlink &&
                       BufferOf(stream, SO_RCVBUF) <= kMostOfInternet &&
                       BufferOf(datagram, SO_RCVBUF) <= kMostOfInternet;
  if (!bounded) return Through();
  // Less is what was asked for, and what has no bound grows.
  const bool obeyed = Ask(datagram, SO_RCVBUF, 10'000) == 0 &&
                      BufferOf(datagram, SO_RCVBUF) == 20'000 &&
                      BufferOf(local, SO_RCVBUF) >= kMostOfInternet;
  return obeyed ? "bounded" : "not as asked";
}

Verdict RaiseBuffers(Arguments) { return RaiseAll(); }

Verdict RaiseBuffersUndumpable(Arguments) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return RaiseAll();
}

// A filter that gives every setsockopt to a tracer, or to a listener: there is none of either.
Verdict RaiseBuffersBehindAFilter(Arguments arguments) {
  const uint32_t action =
      std::string(arguments[0]) == "trace" ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF;
  std::array<sock_filter, 4> program = {{{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                                         {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_setsockopt},
                                         {BPF_RET | BPF_K, 0, 0, action},
                                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &filter) != 0) return Refused();
  return RaiseAll();
}

Verdict ListenerOfItsOwn(Arguments) {
  std::array<sock_filter, 1> program = {{{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
  const sock_fprog filter = {.len = 1, .filter = program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return OfCall(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
}

// While one thread asks for a descriptor's buffer, another makes it stand for a netlink socket and
// for something else in turn, and the value is another each time it is read.
Verdict SwapWhileRaising(Arguments) {
  const int netlink = NetlinkSocket();
  const int local = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int target = ::dup(local);
  if (netlink < 0 || local < 0 || target < 0) return Refused();
  std::atomic<bool> done = false;
  static std::atomic<int> value = 1024;
  std::thread swapper([&] {
    while (!done) {
      ::dup2(netlink, target);
      value = kMuch;
      ::dup2(local, target);
      value = 1024;
    }
  });
  int most = 0;
  for (int i = 0; i < 3000; ++i) {
    ::setsockopt(target, SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
    most = std::max(most, BufferOf(netlink, SO_RCVBUF));
  }
  done = true;
  swapper.join();
  return most <= kMostOfNetlink ? "bounded" : Through();
}

// As the kernel answers them.
Verdict WrongQuestions(Arguments) {
  const int netlink = NetlinkSocket();
  const int file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int value = 4096;
  const auto ask = [](int fd, const void* where, socklen_t size) {
    return OfCall(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, where, size)) + " ";
  };
  const void* const nowhere = nullptr;
  return ask(-1, &value, sizeof value) + ask(file, &value, sizeof value) +
         ask(netlink, nowhere, sizeof value) + ask(netlink, &value, 3) +
         OfCall(::socket(AF_NETLINK, 6, NETLINK_ROUTE));
}

// interfaces_at_once PROCESSES
Verdict InterfacesAtOnce(Arguments arguments) {
  int go[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return Refused();
  std::vector<pid_t> children;
  for (int i = 0; i < ::atoi(arguments[0]); ++i) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      ::close(go[1]);
      char byte = 0;
      if (::read(go[0], &byte, 1) < 0) ::_exit(2);
      ifaddrs* list = nullptr;
      ::_exit(::getifaddrs(&list) == 0 && list != nullptr ? 0 : 1);
    }
    children.push_back(child);
  }
  ::close(go[1]);
  long listed = 0;
  for (const pid_t child : children) {
    int status = 0;
    if (::waitpid(child, &status, 0) == child && status == 0) ++listed;
  }
  return std::to_string(listed) + " of " + std::to_string(children.size());
}

// Takes netlink sockets until there are no more, whoever has the others.
Verdict UntilRefusedNetlink(Arguments) {
  for (int i = 0; i < 4000; ++i) {
    if (NetlinkSocket() < 0) return Refused();
  }
  return Through();
}

// Nobody may be left waiting where the guest cannot have the thread that answers.
Verdict AskWithoutProcesses(Arguments) {
  std::vector<pid_t> children;
  while (true) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      for (;;) ::pause();
    }
    children.push_back(child);
  }
  const Verdict verdict = OfCall(NetlinkSocket());
  for (const pid_t child : children) ::kill(child, SIGKILL);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  const Verdict after = OfCall(NetlinkSocket());
  return verdict + ", then " + after;
}

// Asks without a pause until its input ends.
Verdict AskOnAndOn(Arguments) {
  std::atomic<bool> done = false;
  long asked = 0;
  std::thread reader([&done] {
    Announce("asking");
    WaitForEndOfInput();
    done = true;
  });
  Verdict verdict = Through();
  while (!done) {
    const int fd = NetlinkSocket();
    if (fd < 0 || Ask(fd, SO_RCVBUF, kMuch) != 0) {
      verdict = Refused();
      break;
    }
    ::close(fd);
    ++asked;
  }
  done = true;
  reader.join();
  return verdict;
}

void RaiseIn(long us) {
  itimerval once{};
  once.it_value.tv_usec = us;
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

// A question's length here and now, in µs: the shortest of some.
long LengthOfAQuestion() {
  long shortest = 1'000;
  for (int i = 0; i < 20; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    ::close(NetlinkSocket());
    const auto took = std::chrono::steady_clock::now() - begun;
    shortest = std::min<long>(shortest,
                              std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }
  return shortest;
}

// A signal that is handled, for each netlink socket that is made, at another moment each time: from
// the question's beginning on, for twenty times its length, so that one in twenty meets it. The
// kernel loses an answer that was given at the very moment of a signal: so a few may be left open,
// at most one in twenty rounds, whatever part of a question that moment is here, and never so many
// that the sandbox has no more of them.
Verdict AskUnderSignals(Arguments) {
  constexpr int kRounds = 6000;
  constexpr int kMoments = 1000;
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, nullptr);
  const long last = 20 * LengthOfAQuestion();
  Verdict verdict = Through();
  for (int i = 0; i < kRounds && verdict == Through(); ++i) {
    RaiseIn(1 + last * (i % kMoments) / kMoments);
    const int fd = NetlinkSocket();
    if (fd < 3 || BufferOf(fd, SO_RCVBUF) != kMostOfNetlink)
      verdict = Refused() + " at " + std::to_string(fd);
    ::close(fd);
  }
  RaiseIn(0);
  long open = 0;
  for (int fd = 3; fd < 4096; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) ++open;
  }
  if (verdict != Through()) return verdict;
  return open <= kRounds / 20 ? "few left" : std::to_string(open) + " left";
}

constexpr std::array kProbes = {
    Probe{"raise_buffers", RaiseBuffers},
    Probe{"raise_buffers_undumpable", RaiseBuffersUndumpable},
    Probe{"raise_buffers_behind_a_filter", RaiseBuffersBehindAFilter},
    Probe{"listener_of_its_own", ListenerOfItsOwn},
    Probe{"swap_while_raising", SwapWhileRaising},
    Probe{"wrong_questions", WrongQuestions},
    Probe{"interfaces_at_once", InterfacesAtOnce},
    Probe{"until_refused_netlink", UntilRefusedNetlink},
    Probe{"ask_without_processes", AskWithoutProcesses},
    Probe{"ask_under_signals", AskUnderSignals},
    Probe{"ask_on_and_on", AskOnAndOn},
};

}  // namespace

std::span<const Probe> QuestionProbes() { return kProbes; }

}  // namespace cay::attacks
