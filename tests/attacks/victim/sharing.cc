// What two sandboxes might share: locks, watches, leases and markers on the same lower files, and
// counters of the machine that one of them could use up.
//
// A probe that HOLDS announces what it got and waits for the end of its input, while the test runs
// another one beside it.
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

Verdict TakeLock(Arguments arguments) {
  const int fd = ::open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Refused();
  return OfCall(::flock(fd, LOCK_EX | LOCK_NB));
}

Verdict HoldLock(Arguments arguments) {
  const int fd = ::open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0) return Refused();
  Announce("ready");
  WaitForEndOfInput();
  return "held";
}

// Says whether anything was seen of what happened to a file or directory meanwhile.
Verdict HoldWatch(Arguments arguments) {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return Refused();
  if (::inotify_add_watch(fd, arguments[0], IN_ALL_EVENTS) < 0) return Refused();
  Announce("ready");
  WaitForEndOfInput();
  char events[4096];
  return ::read(fd, events, sizeof events) > 0 ? "saw something" : "saw nothing";
}

Verdict Lease(Arguments arguments) {
  const int fd = ::open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Refused();
  return OfCall(::fcntl(fd, F_SETLEASE, F_RDLCK));
}

// Takes all of one thing. hold_all inotify|pty|mqueue|watch|descriptor
long MakeOne(std::string_view what, long number) {
  if (what == "inotify") return ::inotify_init1(IN_CLOEXEC);
  if (what == "pty") return ::posix_openpt(O_RDWR | O_CLOEXEC);
  if (what == "descriptor") return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (what == "mqueue") {
    const std::string name = "/attack" + std::to_string(number);
    return ::mq_open(name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600, nullptr);
  }
  if (what == "pipe") {
    int ends[2];
    return ::pipe2(ends, O_CLOEXEC);
  }
  errno = EINVAL;
  return -1;
}

// Several children, so that the limit of open files is not what ends it.
Verdict HoldAll(Arguments arguments) {
  const std::string_view what = arguments[0];
  constexpr int kChildren = 8;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Refused();
  for (int child = 0; child < kChildren; ++child) {
    const pid_t pid = ::fork();
    if (pid < 0) return "no child: " + Refused();
    if (pid != 0) continue;
    for (long number = 0; number < 1'000'000; ++number) {
      if (MakeOne(what, child * 1'000'000 + number) < 0) break;
    }
    if (::write(ends[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  for (int child = 0; child < kChildren; ++child) {
    char byte = 0;
    if (::read(ends[0], &byte, 1) != 1) return Refused();
  }
  Announce("ready");
  WaitForEndOfInput();
  ::signal(SIGTERM, SIG_IGN);
  ::kill(0, SIGTERM);
  return "held";
}

Verdict MakeOneThing(Arguments arguments) { return OfCall(MakeOne(arguments[0], 0)); }

constexpr key_t kKey = 0x0ca7'a77a;

// Leaves a marker wherever something might outlive a sandbox. leave_marker TEXT
Verdict LeaveMarker(Arguments arguments) {
  const std::string text = arguments[0];
  for (const char* directory : {"/tmp", "/dev/shm", "/var/tmp", "/workspace", "/home/user", "."}) {
    const std::string path = std::string(directory) + "/attack-marker";
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) continue;
    if (::write(fd, text.data(), text.size()) < 0) return Refused();
    ::close(fd);
  }
  const int segment = ::shmget(kKey, 4096, IPC_CREAT | 0666);
  if (segment < 0) return "no shared memory: " + Refused();
  std::strncpy(static_cast<char*>(::shmat(segment, nullptr, 0)), text.c_str(), 4095);
  const mqd_t queue = ::mq_open("/attack-marker", O_CREAT | O_RDWR, 0666, nullptr);
  if (queue >= 0) ::mq_send(queue, text.data(), text.size(), 0);
  ::syscall(SYS_add_key, "user", "attack-marker", text.data(), text.size(), -4);
  return "left";
}

Verdict FindMarker(Arguments) {
  std::string found;
  for (const char* directory : {"/tmp", "/dev/shm", "/var/tmp", "/workspace", "/home/user", "."}) {
    const std::string path = std::string(directory) + "/attack-marker";
    if (::access(path.c_str(), F_OK) == 0) found += " " + path;
  }
  if (::shmget(kKey, 4096, 0) >= 0) found += " shm";
  if (::mq_open("/attack-marker", O_RDONLY) >= 0) found += " mqueue";
  if (::syscall(SYS_request_key, "user", "attack-marker", nullptr, -4) >= 0) found += " key";
  return found.empty() ? "nothing" : "found" + found;
}

constexpr std::array kProbes = {
    Probe{"take_lock", TakeLock},       Probe{"hold_lock", HoldLock},
    Probe{"hold_watch", HoldWatch},     Probe{"lease", Lease},
    Probe{"hold_all", HoldAll},         Probe{"make_one", MakeOneThing},
    Probe{"leave_marker", LeaveMarker}, Probe{"find_marker", FindMarker},
};

}  // namespace

std::span<const Probe> SharingProbes() { return kProbes; }

}  // namespace cay::attacks
