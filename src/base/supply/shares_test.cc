#include "base/supply/shares.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace cay {
namespace {

using Taken = Shares::Taken;

TEST(Shares, TheWholeBoundsAllTogether) {
  Shares shares({.whole = 10});
  Shares::Part a = shares.For("a");
  Shares::Part b = shares.For("b");
  EXPECT_EQ(a.Take(6), Taken::kYes);
  EXPECT_EQ(b.Take(5), Taken::kWholeIsUsed);
  EXPECT_EQ(b.Take(4), Taken::kYes);
  EXPECT_EQ(shares.used(), 10U);
  EXPECT_EQ(a.Take(UINT64_MAX), Taken::kWholeIsUsed);
}

TEST(Shares, OneHoldsAtMostItsShareInAllItsParts) {
  Shares shares({.whole = 10, .each = 4});
  Shares::Part first = shares.For("a");
  Shares::Part second = shares.For("a");
  EXPECT_EQ(first.Take(3), Taken::kYes);
  EXPECT_EQ(second.Take(2), Taken::kShareIsUsed);
  EXPECT_EQ(second.Take(1), Taken::kYes);
  Shares::Part other = shares.For("b");
  EXPECT_EQ(other.Take(4), Taken::kYes);
}

TEST(Shares, NobodysPartCountsInTheWholeAlone) {
  Shares shares({.whole = 10, .each = 4});
  Shares::Part nobodys = shares.For("");
  EXPECT_EQ(nobodys.Take(9), Taken::kYes);
  EXPECT_EQ(nobodys.Take(2), Taken::kWholeIsUsed);
}

TEST(Shares, WhatIsSparedStaysForOthers) {
  Shares shares({.whole = 10});
  Shares::Part large = shares.For("a");
  EXPECT_EQ(large.Take(8, 3), Taken::kWholeIsUsed);
  EXPECT_EQ(large.Take(7, 3), Taken::kYes);
  EXPECT_EQ(large.Take(1, 11), Taken::kWholeIsUsed);
  EXPECT_EQ(shares.For("b").Take(3), Taken::kYes);
}

TEST(Shares, WhatWasTakenIsGivenBackOnceAtTheEnd) {
  Shares shares({.whole = 10, .each = 10});
  {
    Shares::Part part = shares.For("a");
    EXPECT_EQ(part.Take(10), Taken::kYes);
    const Shares::Part moved = std::move(part);
    EXPECT_EQ(shares.used(), 10U);
    EXPECT_EQ(moved.size(), 10U);
  }
  EXPECT_EQ(shares.used(), 0U);
  Shares::Part again = shares.For("a");
  EXPECT_EQ(again.Take(10), Taken::kYes);
  again = shares.For("b");
  EXPECT_EQ(shares.used(), 0U);
}

TEST(Shares, AWaitEndsWhenEnoughIsGivenBack) {
  Shares shares({.whole = 10});
  std::optional<Shares::Part> holder = shares.For("a");
  ASSERT_EQ(holder->Take(10), Taken::kYes);
  Shares::Part part = shares.For("b");
  EXPECT_EQ(part.TakeWithin(1, Millis(1)), Taken::kWholeIsUsed);
  std::thread giver([&] { holder.reset(); });
  EXPECT_EQ(part.TakeWithin(1, Millis(60'000)), Taken::kYes);
  giver.join();
}

}  // namespace
}  // namespace cay
