#include "network/cache/cache_control.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

CacheControl Read(std::string value) {
  const auto read = ReadCacheControl({{"Cache-Control", std::move(value)}});
  EXPECT_TRUE(read);
  return read.value_or(CacheControl());
}

TEST(ReadCacheControl, ReadsWhatRegistriesSay) {
  EXPECT_EQ(Read("max-age=365000000, immutable, public"), (CacheControl{.max_age = 365'000'000}));
  EXPECT_EQ(Read("max-age=600, public"), (CacheControl{.max_age = 600}));
  EXPECT_EQ(Read("public, immutable, max-age=31557600"), (CacheControl{.max_age = 31'557'600}));
  EXPECT_EQ(Read("private,no-store"), (CacheControl{.no_store = true, .is_private = true}));
}

TEST(ReadCacheControl, TakesAllFieldsOfThatNameTogether) {
  const auto read = ReadCacheControl(
      {{"cache-control", "max-age=5"}, {"Age", "1"}, {"CACHE-CONTROL", "S-MaxAge=7 , NO-CACHE"}});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (CacheControl{.no_cache = true, .max_age = 5, .s_maxage = 7}));
  EXPECT_FALSE(ReadCacheControl({{"Pragma", "no-cache"}}));
}

TEST(ReadCacheControl, ADirectiveWithAnArgumentHoldsForTheWhole) {
  EXPECT_TRUE(Read("private=\"set-cookie, x\"").is_private);
  EXPECT_TRUE(Read("no-cache=\"a\\\"b\", max-age=1").no_cache);
  EXPECT_FALSE(Read("x=\"no-store\"").no_store);
  EXPECT_FALSE(Read("x=\"a, no-store\"").no_store);
}

TEST(ReadCacheControl, WhatCannotBeReadIsMalformed) {
  for (const char* text :
       {"max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x", "max-age= 5",
        "max-age=1, max-age=2", "s-maxage=\"", "a b", "=5", "x=\"\\"}) {
    EXPECT_TRUE(Read(text).malformed) << text;
  }
  for (const char* text : {"", ",, ,", "max-age=1,max-age=1", "max-age=\"5\"", "unknown", "x=y"})
    EXPECT_FALSE(Read(text).malformed) << text;
}

TEST(ReadDeltaSeconds, IsBoundedAsTheRfcSays) {
  EXPECT_EQ(ReadDeltaSeconds("0"), 0U);
  EXPECT_EQ(ReadDeltaSeconds("2147483648"), 2'147'483'648U);
  EXPECT_EQ(ReadDeltaSeconds("99999999999999999999999999"), 2'147'483'648U);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "0x1"}) EXPECT_FALSE(ReadDeltaSeconds(text));
}

}  // namespace
}  // namespace cay::network
