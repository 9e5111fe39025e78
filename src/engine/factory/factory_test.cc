#include "engine/factory/factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::engine {
namespace {

TEST(EngineFactory, ANameThatIsNoneIsRefusedWithThoseThatAre) {
  EXPECT_FALSE(MakeSurvey("steam", {}));
  const auto made = Make("steam", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(made.error().message(), ::testing::HasSubstr("steam"));
  for (const std::string_view name : EngineNames())
    EXPECT_THAT(made.error().remedy().text(), ::testing::HasSubstr(std::string(name)));
}

TEST(EngineFactory, TheUsualOneIsThere) {
  EXPECT_THAT(EngineNames(), ::testing::Contains(kUsualEngine));
}

}  // namespace
}  // namespace cay::engine
