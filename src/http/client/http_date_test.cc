#include "http/client/http_date.h"

#include <gtest/gtest.h>

namespace cay::http {
namespace {

TEST(HttpDate, IsReadInItsOneForm) {
  const auto date = ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(date);
  EXPECT_EQ(date->time_since_epoch().count(), 784'111'777);
}

TEST(HttpDate, IsNothingWhereItIsNone) {
  for (const char* text : {"", "yesterday", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET"}) {
    EXPECT_FALSE(ParseHttpDate(text)) << text;
  }
}

}  // namespace
}  // namespace cay::http
