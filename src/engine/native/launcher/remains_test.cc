#include "engine/native/launcher/remains.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/file.h"
#include "base/os/reap.h"
#include "engine/native/ipc/guest_socket.h"

namespace cay::engine::native {
namespace {

constexpr Millis kPatience(30'000);

class RemainsTest : public testing::Test {
 protected:
  RemainsTest() {
    path_ = testing::TempDir() + "cay-remains-XXXXXX";
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    dir_ = Fd::Adopt(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~RemainsTest() override {
    if (guest_ > 0) KillAndReap(guest_);
    EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_));
  }
  const Fd& dir() const { return *dir_; }

  // A process that listens as a guest does, and does nothing else.
  void StartGuest(int backlog) {
    Pipe ready = *MakePipe();
    guest_ = ::fork();
    ASSERT_GE(guest_, 0);
    if (guest_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const auto socket = BindGuestSocket(dir());
      if (!socket || ::listen(socket->get(), backlog) < 0) ::_exit(1);
      if (::write(ready.write.get(), "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ready.read.get(), &byte, 1), 1);
  }

  std::string path_;
  std::optional<Fd> dir_;
  pid_t guest_ = 0;
};

TEST_F(RemainsTest, WhoListensAtTheGuestsSocketIsEnded) {
  for (const auto name : {GuestSocketName::kReachable, GuestSocketName::kPaused}) {
    StartGuest(8);
    ASSERT_TRUE(RenameGuestSocket(dir(), name));
    const auto ended = EndListeners(dir(), kPatience);
    ASSERT_TRUE(ended) << ended.error().ToString();
    EXPECT_TRUE(*ended);
    const auto status = AwaitChild(std::exchange(guest_, 0), Millis(0));
    ASSERT_TRUE(status) << status.error().ToString();
    EXPECT_EQ(WTERMSIG(*status), SIGKILL);
  }
}

TEST_F(RemainsTest, WithoutASocketNothingIsKnownAndWithADeadOneItIs) {
  EXPECT_FALSE(*EndListeners(dir(), kPatience));
  StartGuest(8);
  EXPECT_TRUE(KillAndReap(std::exchange(guest_, 0)));
  EXPECT_TRUE(*EndListeners(dir(), kPatience));
}

// Its queue is full, because it hangs: it lives.
TEST_F(RemainsTest, WhoListensAndCannotBeReachedIsNotTakenForDead) {
  StartGuest(0);
  std::vector<Fd> waiting;
  while (waiting.size() < 100) {
    auto connection = ConnectToGuest(dir(), Millis(0));
    if (!connection) break;
    waiting.push_back(*std::move(connection));
  }
  const auto ended = EndListeners(dir(), kPatience);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().sys_errno(), EAGAIN);
  EXPECT_FALSE(AwaitChild(guest_, Millis(0)));
}

}  // namespace
}  // namespace cay::engine::native
