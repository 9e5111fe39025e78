#include "sandbox/projects/compute_only.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "base/os/fd.h"
#include "base/testing/sanitized.h"

namespace cay::sandbox {
namespace {

// What `attempt` gives in a child that only computes, as it tells itself.
std::string Told(std::string (*attempt)()) {
  Pipe pipe = *MakePipe();
  const pid_t child = ::fork();
  if (child == 0) {
    if (!ComputeOnly(pipe.write.get())) ::_exit(2);
    const std::string told = attempt();
    ::_exit(::write(kComputedFd, told.data(), told.size()) == static_cast<ssize_t>(told.size())
                ? 0
                : 3);
  }
  {
    const Fd theirs = std::move(pipe.write);
  }
  char space[256];
  const ssize_t got = ::read(pipe.read.get(), space, sizeof space);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return got < 0 ? "cannot be read" : std::string(space, static_cast<size_t>(got));
}

std::string Of(long result) { return result >= 0 ? "through" : errno == EPERM ? "EPERM" : "errno"; }

TEST(ComputeOnly, LeavesComputingAndOneDescriptor) {
  EXPECT_EQ(Told([] { return std::string("4") + "2"; }), "42");
  EXPECT_EQ(Told([] {
              const std::string large(32 << 20, 'x');
              return std::to_string(large.size() >> 20);
            }),
            "32");
}

TEST(ComputeOnly, RefusesEverythingElse) {
  EXPECT_EQ(Told([] { return Of(::open("/etc/passwd", O_RDONLY)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::socket(AF_UNIX, SOCK_STREAM, 0)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::fork()); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::kill(::getppid(), 0)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::kill(1, SIGTERM)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::execl("/bin/true", "true", nullptr)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::unlink("/nothing")); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::write(STDERR_FILENO, "x", 1)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::read(kComputedFd, nullptr, 0)); }), "EPERM");
  EXPECT_EQ(Told([] { return Of(::usleep(1)); }), "EPERM");
  EXPECT_EQ(Told([] {
              void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return Of(code == MAP_FAILED ? -1 : 0);
            }),
            "EPERM");
}

TEST(ComputeOnly, BoundsProcessorTimeAndMemory) {
  EXPECT_EQ(Told([] {
              for (std::atomic<unsigned long> n = 0;; ++n) {
              }
              return std::string();
            }),
            "signal 9");
  if (kSanitized) GTEST_SKIP() << "a sanitizer fills the address space";
  EXPECT_EQ(Told([] {
              void* much = ::mmap(nullptr, 512UL << 20, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return std::string(much == MAP_FAILED ? "refused" : "through");
            }),
            "refused");
}

}  // namespace
}  // namespace cay::sandbox
