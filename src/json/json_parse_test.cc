#include <gtest/gtest.h>

#include "json/json_value.h"

namespace cay {
namespace {

std::string ErrorOf(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = ParseJson(text, limits);
  return parsed ? "" : parsed.error().message();
}

TEST(ParseJson, GivesTheTree) {
  const auto parsed =
      ParseJson(R"( {"a":[1,-2,18446744073709551615,0.5,"\u00e4",true,null],"b":{}} )");
  ASSERT_TRUE(parsed) << parsed.error().message();
  const auto& members = *parsed->AsObject();
  ASSERT_EQ(members.size(), 2U);
  const auto& items = *members[0].value.AsArray();
  EXPECT_EQ(std::get<int64_t>(items[0].value), 1);
  EXPECT_EQ(std::get<int64_t>(items[1].value), -2);
  EXPECT_EQ(std::get<uint64_t>(items[2].value), UINT64_MAX);
  EXPECT_EQ(std::get<double>(items[3].value), 0.5);
  EXPECT_EQ(*items[4].AsString(), "\xC3\xA4");
  EXPECT_TRUE(*items[5].AsBool());
  EXPECT_TRUE(items[6].is_null());
  EXPECT_EQ(members[1].name, "b");
}

TEST(ParseJson, ANameThatComesTwiceIsRefused) {
  EXPECT_NE(ErrorOf(R"({"a":1,"a":2})").find("\"a\" twice"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"a":1,"\u0061":2})").find("twice"), std::string::npos);
  EXPECT_EQ(ErrorOf(R"([{"a":1},{"a":2,"b":{"a":3}}])"), "");
}

TEST(ParseJson, WhatIsNoJsonIsRefused) {
  for (const char* text :
       {"", "{", "{}x", "{'a':1}", "[1,]", "{\"a\":1,}", "//x\n{}", "NaN", "[01]", "\"\x01\"",
        "\"\xFF\"", "\"\xC0\x80\"", "\"\\ud800\"", "[1 2]"}) {
    EXPECT_NE(ErrorOf(text), "") << text;
  }
}

TEST(ParseJson, DepthAndNumberOfValuesAreBounded) {
  EXPECT_EQ(ErrorOf(std::string(16, '[') + std::string(16, ']')), "");
  EXPECT_NE(ErrorOf(std::string(17, '[') + std::string(17, ']')), "");
  EXPECT_NE(ErrorOf(std::string(1'000'000, '[')), "");
  EXPECT_NE(ErrorOf("[1,2,3]", {.values = 3}), "");
  EXPECT_NE(ErrorOf("{\"" + std::string(5000, 'n') + "\":1}"), "");
}

TEST(ParseJson, HugeNumbersDoNotWrap) {
  const auto parsed = ParseJson("[18446744073709551616,1e400]");
  if (parsed) {
    EXPECT_TRUE(std::holds_alternative<double>((*parsed->AsArray())[0].value));
  }
}

}  // namespace
}  // namespace cay
