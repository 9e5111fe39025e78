#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay {
namespace {

using ::testing::ElementsAre;

TEST(Split, KeepsEmptyPieces) {
  EXPECT_THAT(Split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(Split(",", ','), ElementsAre("", ""));
}

TEST(Split, GivesTheWholeTextWithoutASeparator) {
  EXPECT_THAT(Split("abc", ','), ElementsAre("abc"));
  EXPECT_THAT(Split("", ','), ElementsAre(""));
}

TEST(Lower, ChangesAsciiLettersAlone) {
  EXPECT_EQ(Lower("Content-TYPE [\xC3\x84] 9Z"), "content-type [\xC3\x84] 9z");
  EXPECT_TRUE(EqualsIgnoringCase("AbC-[", "aBc-["));
  EXPECT_FALSE(EqualsIgnoringCase("[", "{"));
}

TEST(Nearest, AllowsOneEditInThreeLetters) {
  std::vector<std::string_view> names = {"memory", "mount", "cpus"};
  EXPECT_EQ(Nearest("memoyr", names), "memory");
  EXPECT_EQ(Nearest("mem", names), "memory");
  EXPECT_EQ(Nearest("cpu", names), "cpus");
  EXPECT_EQ(Nearest("disk", names), "");
}

}  // namespace
}  // namespace cay
