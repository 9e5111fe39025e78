// Commands that nobody lists and that end with their connection, through a real guest.
#include <gtest/gtest.h>

#include "guest_fixture.h"

namespace cay::testing {
namespace {

class GuestPassing : public GuestFixture {};

TEST_F(GuestPassing, OnePassingIsNotListedAndEndsWithItsConnection) {
  auto request = Shell("sleep 1000 & echo $!; exec sleep 1000");
  request.passing = true;
  std::optional<ProcessStream> stream = *channel_->Start(request);
  const Outcome begun =
      ReadUntil(*stream, [](const Outcome& so_far) { return so_far.out.ends_with("\n"); });
  ASSERT_TRUE(begun.started);
  EXPECT_TRUE(channel_->ListProcesses()->empty());
  EXPECT_EQ(channel_->Ping()->running, 1U);
  stream.reset();
  const auto alive = [&](const std::string& pid) {
    return Run(Shell("test -d /proc/" + pid)).exited->exit_code == 0;
  };
  EXPECT_TRUE(Eventually([&] { return !alive(std::to_string(begun.started->pid)); }));
  EXPECT_TRUE(Eventually([&] { return !alive(begun.out.substr(0, begun.out.find('\n'))); }))
      << "what it left behind";
}

TEST_F(GuestPassing, OnePassingIsForgottenWhenItHasEnded) {
  auto request = Shell("exit 3");
  request.passing = true;
  uint64_t process = 0;
  {
    auto stream = *channel_->Start(request);
    const Outcome outcome = Finish(stream);
    EXPECT_EQ(outcome.exited->exit_code, 3);
    process = outcome.started->process;
  }
  EXPECT_TRUE(Eventually([&] { return channel_->Ping()->kept == 0; }));
  EXPECT_EQ(channel_->KillLeftovers(process).error().code(), ErrorCode::kNotFound);
}

TEST_F(GuestPassing, OnePassingThatCannotBeStartedSaysWhy) {
  protocol::StartRequest request = Shell("");
  request.argv = {"/there/is/no/such/program"};
  request.passing = true;
  EXPECT_EQ(Run(request).error->code(), ErrorCode::kCommandNotFound);
  EXPECT_TRUE(Eventually([&] { return channel_->Ping()->kept == 0; }));
}

}  // namespace
}  // namespace cay::testing
