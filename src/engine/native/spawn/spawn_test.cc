#include "engine/native/spawn/spawn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace cay::engine::native {
namespace {

using ::testing::HasSubstr;

TEST(WhyNoGuest, TheMemoryLimitIsNamedWhereItWasUsedUp) {
  const Error error = WhyNoGuest(Reaped{CLD_KILLED, SIGKILL}, true, 4 * kMiB);
  EXPECT_EQ(error.code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(error.fault(), Fault::kCaller);
  EXPECT_THAT(error.message(), HasSubstr("memory limit of 4m"));
  // A group that had a kill before: of another guest's.
  EXPECT_EQ(WhyNoGuest(Reaped{CLD_EXITED, 1}, true, kMiB).code(), ErrorCode::kInternal);
  EXPECT_EQ(WhyNoGuest(Reaped{CLD_DUMPED, SIGSEGV}, true, kMiB).code(), ErrorCode::kInternal);
}

TEST(WhyNoGuest, HowItEndedIsSaid) {
  EXPECT_THAT(WhyNoGuest(Reaped{CLD_KILLED, SIGKILL}, false, kMiB).message(), HasSubstr("SIGKILL"));
  EXPECT_THAT(WhyNoGuest(Reaped{CLD_DUMPED, SIGABRT}, false, kMiB).message(), HasSubstr("SIGABRT"));
  EXPECT_THAT(WhyNoGuest(Reaped{CLD_EXITED, 3}, false, kMiB).message(), HasSubstr("exit code 3"));
  EXPECT_THAT(WhyNoGuest(std::nullopt, false, kMiB).message(), HasSubstr("not ended"));
}

}  // namespace
}  // namespace cay::engine::native
