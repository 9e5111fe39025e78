#include "api/gate/rate_limit.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

constexpr Rate kSlow = {.per_second = 2, .burst = 3};

TEST(TokenBucket, GivesItsBurstAndThenSaysHowLongToWait) {
  TokenBucket bucket(kSlow);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(bucket.Take(1000));
  EXPECT_EQ(bucket.Take(1000), Millis(500));
  EXPECT_EQ(bucket.Take(1250), Millis(250));
  EXPECT_FALSE(bucket.Take(1500));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(kSlow);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(bucket.Take(1'000'000));
  EXPECT_TRUE(bucket.Take(1'000'000));
}

TEST(TokenBucket, IsNotFooledByAClockThatGoesBack) {
  TokenBucket bucket(kSlow);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(bucket.Take(5000));
  EXPECT_TRUE(bucket.Take(1000));
  EXPECT_TRUE(bucket.Take(5000));
}

TEST(TokenBucket, WithoutARateBoundsNothing) {
  TokenBucket bucket({});
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(bucket.Take(0));
}

TEST(RateTable, KeepsNamesApart) {
  RateTable table;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(table.Take("a", kSlow, 0));
  EXPECT_TRUE(table.Take("a", kSlow, 0));
  EXPECT_FALSE(table.Take("b", kSlow, 0));
}

TEST(RateTable, StaysBoundedUnderAFloodOfNames) {
  RateTable table;
  for (int64_t i = 0; i < 3 * static_cast<int64_t>(RateTable::kMaxNames); ++i) {
    table.Take(std::to_string(i), kSlow, i);
    ASSERT_LE(table.size(), RateTable::kMaxNames);
  }
}

}  // namespace
}  // namespace cay::api
