#include "api/rest/files/byte_range.h"

#include <gtest/gtest.h>

#include "api/problem.h"

namespace cay::api::rest {
namespace {

std::optional<ByteRange> Of(std::string_view field, uint64_t size = 100) {
  const auto range = ParseRange(field, size);
  EXPECT_TRUE(range) << field;
  return range ? *range : std::nullopt;
}

TEST(ByteRange, APartIsItsOffsetAndLength) {
  EXPECT_EQ(Of("bytes=0-9"), (ByteRange{0, 10}));
  EXPECT_EQ(Of("bytes=90-"), (ByteRange{90, 10}));
  EXPECT_EQ(Of("bytes=-5"), (ByteRange{95, 5}));
  EXPECT_EQ(Of("bytes=-500"), (ByteRange{0, 100}));
  EXPECT_EQ(Of("bytes=99-1000"), (ByteRange{99, 1}));
  EXPECT_EQ(Of("bytes=0-18446744073709551615"), (ByteRange{0, 100}));
}

TEST(ByteRange, WhatIsNoOneRangeIsAll) {
  for (const char* field :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6",
        "bytes= 0-1", "bytes=0--1", "bytes=18446744073709551616-"}) {
    EXPECT_EQ(Of(field), std::nullopt) << field;
  }
}

TEST(ByteRange, WhatLiesOutsideIs416) {
  for (const char* field : {"bytes=100-", "bytes=100-200", "bytes=-0"}) {
    const auto range = ParseRange(field, 100);
    ASSERT_FALSE(range) << field;
    EXPECT_EQ(StatusOf(range.error()), 416);
  }
  EXPECT_FALSE(ParseRange("bytes=0-", 0));
  EXPECT_FALSE(ParseRange("bytes=-1", 0));
}

}  // namespace
}  // namespace cay::api::rest
