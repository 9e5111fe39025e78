#include "engine/native/ipc/worker.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "base/os/reap.h"
#include "engine/native/ipc/packet.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

TEST(Worker, EndsWithItsSocketAndLeavesNoZombie) {
  {
    const auto socket = StartWorker("cay-test", [](const Fd& own) {
      while (const auto packet = ReceivePacket(own)) {
        if (!*packet) return;
      }
    });
    ASSERT_TRUE(socket) << socket.error().ToString();
    EXPECT_EQ(ReapStrays(), 1U);
  }
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  while (ReapStrays() != 0 && Clock::now() < deadline) ::usleep(1000);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace cay::engine::native
