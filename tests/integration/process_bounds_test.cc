// How many processes run in a sandbox at a time.
#include <gmock/gmock.h>
#include <signal.h>

#include "keeper_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class ProcessBounds : public KeeperFixture {};

TEST_F(ProcessBounds, MoreThanTheMaximumAreRefused) {
  options_.max_running_per_sandbox = 2;
  Restart();
  const auto view = Create();
  const auto lease = Use(view);
  std::vector<sandbox::RunningProcess> running;
  for (int i = 0; i < 2; ++i) {
    running.push_back(*heart_->keeper->Start(lease, Shell("exec sleep 1000")));
  }
  const auto refused = heart_->keeper->Start(lease, Shell("true"));
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().fault(), Fault::kCaller);
  ASSERT_TRUE(running.back().Signal(SIGKILL));
  EXPECT_EQ(Follow(running.back()).record->signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_TRUE(Execute(lease, "true"));
}

TEST_F(ProcessBounds, AsManyRunAtATimeAsIsSaid) {
  constexpr size_t kMost = sandbox::kMaxRunningPerSandbox;
  const auto view = Create([](sandbox::SandboxSpec& spec) { spec.pids = 2 * kMost; });
  const auto lease = Use(view);
  std::vector<sandbox::RunningProcess> running;
  for (size_t i = 0; i < kMost; ++i) {
    auto started = heart_->keeper->Start(lease, Shell("exec sleep 1000"));
    ASSERT_TRUE(started) << i << ": " << started.error().ToString();
    running.push_back(*std::move(started));
  }
  EXPECT_EQ(heart_->keeper->List(lease, 1000)->size(), kMost);
  const auto listed = lease.guest().ListProcesses();
  ASSERT_TRUE(listed) << listed.error().ToString();
  EXPECT_EQ(listed->size(), kMost);
  const auto refused = heart_->keeper->Start(lease, Shell("true"));
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), HasSubstr(std::to_string(kMost)));
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("wait"));
}

}  // namespace
}  // namespace cay::testing
