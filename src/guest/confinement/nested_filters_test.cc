#include "guest/confinement/nested_filters.h"

#include <gtest/gtest.h>

#include <deque>

namespace cay::guest {
namespace {

using Pids = std::deque<std::optional<uint64_t>>;

// The n-th walk gives n.
std::optional<uint64_t> CountWith(Pids last_pids) {
  uint64_t walks = 0;
  return CountWhilePidsRise([&] { return ++walks; },
                            [&] {
                              const auto pid = last_pids.front();
                              last_pids.pop_front();
                              return pid;
                            });
}

TEST(CountWhilePidsRise, OneWalkIsEnoughWhileTheyDo) {
  EXPECT_EQ(CountWith({7, 7}), 1U);
  EXPECT_EQ(CountWith({7, 900}), 1U);
}

TEST(CountWhilePidsRise, WalksAgainWhereTheyBeganAnew) {
  EXPECT_EQ(CountWith({32'000, 300, 301}), 2U);
  EXPECT_EQ(CountWith({32'000, 300, 299, 299}), 3U);
}

TEST(CountWhilePidsRise, GivesNothingWhereThatIsTimeAndAgainOrNotKnown) {
  EXPECT_EQ(CountWith({9, 8, 7, 6}), std::nullopt);
  EXPECT_EQ(CountWith({std::nullopt}), std::nullopt);
  EXPECT_EQ(CountWith({9, std::nullopt}), std::nullopt);
}

}  // namespace
}  // namespace cay::guest
