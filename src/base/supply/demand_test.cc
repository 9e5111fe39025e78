#include "base/supply/demand.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(Demand, EachMissDoublesItUpToABound) {
  Demand wanted(1, 5);
  EXPECT_EQ(wanted.target(), 1U);
  for (const size_t target : {2U, 4U, 5U, 5U}) {
    wanted.NoteMiss();
    EXPECT_EQ(wanted.target(), target);
  }
}

TEST(Demand, GrowsFromNoneWhereSomeMayBeKept) {
  Demand wanted(0, 3);
  wanted.NoteMiss();
  EXPECT_EQ(wanted.target(), 2U);
  Demand never(0, 0);
  never.NoteMiss();
  EXPECT_EQ(never.target(), 0U);
}

TEST(Demand, IsTakenBackToWhatItIsAtRest) {
  Demand wanted(1, 4);
  wanted.NoteMiss();
  wanted.NoteMiss();
  EXPECT_TRUE(wanted.TakeOneBack());
  EXPECT_EQ(wanted.target(), 3U);
  wanted.Rest();
  EXPECT_EQ(wanted.target(), 1U);
  EXPECT_FALSE(wanted.TakeOneBack());
  EXPECT_EQ(wanted.target(), 1U);
}

}  // namespace
}  // namespace cay
