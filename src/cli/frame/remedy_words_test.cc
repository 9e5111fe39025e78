#include "cli/frame/remedy_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/remedy_words.h"

namespace cay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RemedyWords, EachFaceSaysItsOwn) {
  const Remedy remedy = "start it first: " + Remedy(Action::kStart, "web");
  EXPECT_EQ(remedy.InWords(CommandFor), "start it first: cay start web");
  EXPECT_EQ(remedy.InWords(api::RequestFor), "start it first: POST /api/sandboxes/web/start");
}

// What neither face has a word of its own for is done by the other's: so much is written down here.
TEST(RemedyWords, OfEveryActionNoFaceIsToldTheOthers) {
  for (size_t i = 1; i < kActionCount; ++i) {
    const auto action = static_cast<Action>(i);
    EXPECT_FALSE(CommandFor(action).empty()) << ActionName(action);
    EXPECT_FALSE(api::RequestFor(action).empty()) << ActionName(action);
    if (action != Action::kListWebhooks) {
      EXPECT_THAT(CommandFor(action), Not(HasSubstr("/api/")));
    }
    if (action != Action::kForwardPort && action != Action::kAuthenticate &&
        action != Action::kBuildEnvironment) {
      EXPECT_THAT(api::RequestFor(action), Not(HasSubstr("cay ")));
    }
    EXPECT_THAT(api::RequestFor(action), Not(HasSubstr("--")));
  }
}

}  // namespace
}  // namespace cay::cli
