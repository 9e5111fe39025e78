// What a file of the host can be used for beside reading it: its pages in memory, a process at its
// other end, a program that is in no file.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

constexpr size_t kPage = 4096;

// A file, mapped and open.
class Mapped {
 public:
  explicit Mapped(const char* path) : fd_(::open(path, O_RDONLY | O_CLOEXEC)) {
    struct stat info{};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0 || info.st_size == 0) return;
    size_ = static_cast<size_t>(info.st_size);
    start_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
  }
  bool ok() const { return start_ != MAP_FAILED; }
  int fd() const { return fd_; }
  void* start() const { return start_; }
  size_t size() const { return size_; }
  void Touch() const {
    volatile const char* const bytes = static_cast<const char*>(start_);
    for (size_t at = 0; at < size_; at += kPage) static_cast<void>(bytes[at]);
  }

 private:
  int fd_;
  size_t size_ = 0;
  void* start_ = MAP_FAILED;
};

// Everything that might take the pages of a file out of the machine's memory. evict PATH
Verdict Evict(Arguments arguments) {
  const Mapped file(arguments[0]);
  if (!file.ok()) return "no file: " + Refused();
  file.Touch();
  std::string said;
  const auto note = [&](const char* what, long result) {
    said += std::string(said.empty() ? "" : ", ") + what + " " + (result == 0 ? "done" : Refused());
  };
  note("cold", ::madvise(file.start(), file.size(), MADV_COLD));
  note("pageout", ::madvise(file.start(), file.size(), MADV_PAGEOUT));
  ::madvise(file.start(), file.size(), MADV_DONTNEED);
  ::munmap(file.start(), file.size());
  note("dontneed", ::syscall(SYS_fadvise64, file.fd(), 0, 0, POSIX_FADV_DONTNEED));
  return said;
}

Verdict MinCore(Arguments arguments) {
  const Mapped file(arguments[0]);
  if (!file.ok()) return "no file: " + Refused();
  std::vector<unsigned char> pages(file.size() / kPage + 1);
  return OfCall(::mincore(file.start(), file.size(), pages.data()));
}

// cachestat(2), and a read that must not wait for a disk.
Verdict CacheStat(Arguments arguments) {
  const int fd = ::open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "no file: " + Refused();
  std::array<unsigned long long, 2> range{};
  std::array<unsigned long long, 5> found{};
  constexpr long kSysCachestat = 451;
  return OfCall(::syscall(kSysCachestat, fd, range.data(), found.data(), 0));
}
Verdict ReadNoWait(Arguments arguments) {
  const int fd = ::open(arguments[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "no file: " + Refused();
  std::array<char, 16> bytes{};
  const iovec piece = {bytes.data(), bytes.size()};
  return OfCall(::preadv2(fd, &piece, 1, 0, RWF_NOWAIT));
}

Verdict Merge(Arguments) {
  void* const memory =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return OfCall(::madvise(memory, kPage, MADV_MERGEABLE));
}

// As a whole process can, too.
Verdict MergeAll(Arguments) {
  constexpr int kPrSetMemoryMerge = 67;
  return OfCall(::prctl(kPrSetMemoryMerge, 1, 0, 0, 0));
}

// Opens a FIFO in every way; what opens is named.
Verdict Fifo(Arguments arguments) {
  struct Way {
    const char* name;
    int flags;
  };
  constexpr std::array kWays = {Way{"read", O_RDONLY}, Way{"write", O_WRONLY}, Way{"both", O_RDWR}};
  std::string opened;
  int error = 0;
  for (const Way& way : kWays) {
    const int fd = ::open(arguments[0], way.flags | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) opened += std::string(opened.empty() ? "" : " ") + way.name;
    if (fd < 0) error = errno;
    if (fd >= 0) ::close(fd);
  }
  return opened.empty() ? Refused(error) : Through(opened);
}

// hold_fifo PATH: the same when the input has ended.
Verdict HoldFifo(Arguments arguments) {
  Announce("ready");
  WaitForEndOfInput();
  return Fifo(arguments);
}

std::string OwnProgram() {
  std::string bytes;
  const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; fd >= 0 && (got = ::read(fd, piece.data(), piece.size())) > 0;) {
    bytes.append(piece.data(), static_cast<size_t>(got));
  }
  return bytes;
}

// Writes a copy of this program to a descriptor and executes it. In the child, which says nothing
// when it works: the program's exit status does.
Verdict ExecuteCopy(int fd) {
  const std::string program = OwnProgram();
  if (program.empty() || ::write(fd, program.data(), program.size()) < 0) return Refused();
  ::fchmod(fd, 0755);
  // Open for reading only: a file that is open for writing is not executed (ETXTBSY).
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int readable = ::open(path.c_str(), O_RDONLY);
  if (readable < 0) return Refused();
  ::close(fd);
  const pid_t child = ::fork();
  if (child == 0) {
    std::array<const char*, 3> argv = {"attack-victim", "execute_ok", nullptr};
    std::array<char*, 1> env = {nullptr};
    ::syscall(SYS_execveat, readable, "", const_cast<char**>(argv.data()), env.data(),
              AT_EMPTY_PATH);
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return "killed";
  return WEXITSTATUS(status) == 0 ? Through() : Refused(WEXITSTATUS(status));
}

Verdict ExecuteOk(Arguments) { return "executed"; }

// execute_memfd FLAGS
Verdict ExecuteMemfd(Arguments arguments) {
  const auto flags = static_cast<unsigned>(::strtoul(arguments[0], nullptr, 0));
  const long fd = ::syscall(SYS_memfd_create, "attack", flags);
  if (fd < 0) return Refused();
  return ExecuteCopy(static_cast<int>(fd));
}
Verdict MakeMemfd(Arguments arguments) {
  return OfCall(::syscall(SYS_memfd_create, "attack",
                          static_cast<unsigned>(::strtoul(arguments[0], nullptr, 0))));
}

// execute_written DIRECTORY…: the first of them in which a program that was just written can be
// executed.
Verdict ExecuteWritten(Arguments arguments) {
  std::string last = "nowhere to write";
  for (const char* directory : arguments) {
    const std::string path = std::string(directory) + "/attack-program";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0755);
    if (fd < 0) continue;
    last = ExecuteCopy(fd);
    ::unlink(path.c_str());
    if (last == Through()) return Through(directory);
  }
  return last;
}

constexpr std::array kProbes = {
    Probe{"evict", Evict},
    Probe{"mincore", MinCore},
    Probe{"cachestat", CacheStat},
    Probe{"read_no_wait", ReadNoWait},
    Probe{"merge_memory", Merge},
    Probe{"merge_all_memory", MergeAll},
    Probe{"fifo", Fifo},
    Probe{"hold_fifo", HoldFifo},
    Probe{"execute_ok", ExecuteOk},
    Probe{"execute_memfd", ExecuteMemfd},
    Probe{"make_memfd", MakeMemfd},
    Probe{"execute_written", ExecuteWritten},
};

}  // namespace

std::span<const Probe> HostFileProbes() { return kProbes; }

}  // namespace cay::attacks
