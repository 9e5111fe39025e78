#include "network/transfer/token_bucket.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucket, FillsWithTimeUpToItsBurst) {
  TokenBucket::Clock::time_point now{};
  TokenBucket bucket(10, 20, now);
  EXPECT_EQ(bucket.Left(now), 20U);
  bucket.Spend(20);
  EXPECT_EQ(bucket.Left(now), 0U);
  EXPECT_EQ(bucket.Left(now + milliseconds(99)), 0U);
  EXPECT_EQ(bucket.Left(now + milliseconds(100)), 1U);
  EXPECT_EQ(bucket.Left(now + milliseconds(550)), 5U);
  EXPECT_EQ(bucket.Left(now + seconds(3600)), 20U);
}

TEST(TokenBucket, ManyLooksDoNotSlowItDown) {
  TokenBucket::Clock::time_point now{};
  TokenBucket bucket(1000, 1000, now);
  bucket.Spend(1000);
  uint64_t left = 0;
  for (int i = 0; i < 100'000; ++i) left = bucket.Left(now += microseconds(7));
  EXPECT_EQ(left, 700U);
}

TEST(TokenBucket, OfNoRateThereIsAlwaysMore) {
  TokenBucket::Clock::time_point now{};
  TokenBucket bucket(0, 0, now);
  bucket.Spend(UINT64_MAX);
  EXPECT_EQ(bucket.Left(now), UINT64_MAX);
}

TEST(TokenBucket, AClockThatGoesBackTakesNothing) {
  TokenBucket::Clock::time_point now{};
  now += seconds(100);
  TokenBucket bucket(10, 20, now);
  bucket.Spend(15);
  EXPECT_EQ(bucket.Left(now - seconds(50)), 5U);
}

TEST(TokenBucket, TheLargestRateDoesNotOverflow) {
  TokenBucket::Clock::time_point now{};
  TokenBucket bucket(UINT64_MAX, UINT64_MAX, now);
  bucket.Spend(UINT64_MAX);
  EXPECT_GT(bucket.Left(now + seconds(60)), uint64_t{1} << 38);
}

}  // namespace
}  // namespace cay::network
