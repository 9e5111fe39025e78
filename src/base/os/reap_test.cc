#include "base/os/reap.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "base/os/fd.h"

namespace cay {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kDeadline{30'000};

pid_t Sleeper() {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (true) ::pause();
}

TEST(Reap, AChildThatEndsGivesItsStatus) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  const auto status = AwaitChild(child, kDeadline);
  ASSERT_TRUE(status) << status.error().ToString();
  ASSERT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 7);
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), -1);  // it is reaped
}

TEST(Reap, AChildThatDoesNotEndIsATimeoutAndLeftAlone) {
  const pid_t child = Sleeper();
  const auto status = AwaitChild(child, milliseconds(1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(::kill(child, 0), 0);
  EXPECT_TRUE(KillAndReap(child, kDeadline));
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), -1);
}

// A process whose tracer holds it at its end neither is seen dead nor can be reaped, as one in
// state D.
class Held {
 public:
  Held() {
    child_ = Sleeper();  // before the pipes, which it must not hold open
    Pipe ready = *MakePipe();
    Pipe hold = *MakePipe();
    tracer_ = ::fork();
    if (tracer_ == 0) {
      {
        const Fd closed = std::move(hold.write);
      }
      ::ptrace(PTRACE_SEIZE, child_, nullptr, PTRACE_O_TRACEEXIT);
      char byte = 'x';
      if (::write(ready.write.get(), &byte, 1) != 1) ::_exit(1);
      // Who ends lets go of what it traces.
      while (::read(hold.read.get(), &byte, 1) > 0) {
      }
      ::_exit(0);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready.read.get(), &byte, 1), 1);
    hold_.emplace(std::move(hold.write));
  }
  pid_t child() const { return child_; }
  void LetGo() {
    hold_.reset();
    EXPECT_TRUE(AwaitChild(tracer_, kDeadline));
  }

 private:
  pid_t child_ = 0;
  pid_t tracer_ = 0;
  std::optional<Fd> hold_;
};

TEST(Reap, AChildThatDoesNotDieIsNotWaitedForAndReapedLater) {
  Held held;
  EXPECT_FALSE(KillAndReap(held.child(), milliseconds(1)));
  EXPECT_EQ(ReapStrays(), 1U);
  held.LetGo();
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (ReapStrays() != 0 && std::chrono::steady_clock::now() < until) ::usleep(1000);
  EXPECT_EQ(ReapStrays(), 0U);
  EXPECT_EQ(::waitpid(held.child(), nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace cay
