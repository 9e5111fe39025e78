#include "network/resolver/name_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace cay::network {
namespace {

using std::chrono::seconds;

const NameCache::Time kNow{seconds(1000)};

NameCache::Outcome Some() { return std::vector<Address>{Address::V4(1)}; }

TEST(NameCache, WhatWasPutIsFoundAsLongAsItHolds) {
  NameCache cache;
  cache.Put("a.test", Some(), seconds(10), kNow);
  ASSERT_NE(cache.Find("a.test", kNow + seconds(9)), nullptr);
  EXPECT_EQ((*cache.Find("a.test", kNow))->front(), Address::V4(1));
  EXPECT_EQ(cache.Find("a.test", kNow + seconds(10)), nullptr);
  EXPECT_EQ(cache.Find("b.test", kNow), nullptr);
}

TEST(NameCache, WhatDoesNotHoldIsNotKept) {
  NameCache cache;
  cache.Put("a.test", Some(), seconds(0), kNow);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(NameCache, ALaterOutcomeReplacesTheEarlierOne) {
  NameCache cache;
  cache.Put("a.test", Some(), seconds(10), kNow);
  cache.Put("a.test", Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "gone")), seconds(20),
            kNow);
  EXPECT_FALSE(*cache.Find("a.test", kNow + seconds(15)));
}

TEST(NameCache, AmongTooManyTheOneThatEndsFirstGoes) {
  NameCache cache;
  for (size_t i = 0; i < NameCache::kMaxNames; ++i) {
    cache.Put("n" + std::to_string(i), Some(), seconds(i == 500 ? 5 : 60), kNow);
  }
  cache.Put("n7", Some(), seconds(60), kNow);  // no new name
  EXPECT_NE(cache.Find("n500", kNow), nullptr);
  cache.Put("new", Some(), seconds(60), kNow);
  EXPECT_EQ(cache.size(), NameCache::kMaxNames);
  EXPECT_EQ(cache.Find("n500", kNow), nullptr);
  EXPECT_NE(cache.Find("new", kNow), nullptr);
}

TEST(NameCache, ClearedItKnowsNothing) {
  NameCache cache;
  cache.Put("a.test", Some(), seconds(10), kNow);
  cache.Clear();
  EXPECT_EQ(cache.Find("a.test", kNow), nullptr);
}

}  // namespace
}  // namespace cay::network
