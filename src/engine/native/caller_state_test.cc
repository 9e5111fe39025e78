#include "engine/native/caller_state.h"

#include <gtest/gtest.h>

namespace cay::engine::native {
namespace {

TEST(CallerState, NoSandboxIsMadeWhereEveryChangeOfIdsMakesTheGuestDumpable) {
  const auto refused = CheckSuidDumpable("1\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  EXPECT_NE(refused.error().remedy().find("fs.suid_dumpable=2"), std::string::npos);
  for (const char* setting : {"0\n", "2\n", ""}) EXPECT_TRUE(CheckSuidDumpable(setting)) << setting;
}

}  // namespace
}  // namespace cay::engine::native
