#include "json/json_members.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(JsonMembers, OneThatIsMissingOrOfAnotherKindIsEmpty) {
  const auto object =
      ParseObject(R"({"text":"a","number":7,"null":null,"flag":true,"none":"","list":[1]})")
          .value();
  EXPECT_EQ(TextOf(object, "text"), "a");
  EXPECT_EQ(TextOf(object, "number"), "");
  EXPECT_EQ(TextOf(object, "absent"), "");
  EXPECT_EQ(FindText(object, "none"), "");
  EXPECT_EQ(FindText(object, "number"), std::nullopt);
  EXPECT_EQ(FindText(object, "null"), std::nullopt);
  EXPECT_TRUE(FlagOf(object, "flag"));
  EXPECT_FALSE(FlagOf(object, "null"));
  EXPECT_EQ(FindFlag(object, "flag"), true);
  EXPECT_EQ(FindFlag(object, "number"), std::nullopt);
  EXPECT_EQ(FindFlag(object, "absent"), std::nullopt);
  EXPECT_TRUE(ObjectOf(object, "text").empty());
  EXPECT_TRUE(ArrayOf(object, "absent").empty());
  EXPECT_EQ(ArrayOf(object, "list").size(), 1U);
}

TEST(JsonMembers, ANumberIsThereWhereItsTypeHoldsIt) {
  const auto object =
      ParseObject(R"({"n":7,"exact":7.0,"half":7.5,"big":1e30,"less":-1,"text":"7",)"
                  R"("most":18446744073709551615})")
          .value();
  EXPECT_EQ(NumberOf(object, "n"), 7);
  EXPECT_EQ(NumberOf(object, "exact"), 7);
  EXPECT_EQ(NumberOf(object, "half"), std::nullopt);
  EXPECT_EQ(NumberOf(object, "big"), std::nullopt);
  EXPECT_EQ(NumberOf(object, "text"), std::nullopt);
  EXPECT_EQ(NumberOf(object, "less"), -1);
  EXPECT_EQ(NumberOf<uint64_t>(object, "less"), std::nullopt);
  EXPECT_EQ(NumberOf(object, "most"), std::nullopt);
  EXPECT_EQ(NumberOf<uint64_t>(object, "most"), UINT64_MAX);
}

TEST(JsonMembers, OnlyAnObjectHasThem) {
  EXPECT_FALSE(ParseObject("[1]"));
  EXPECT_FALSE(ParseObject("{"));
  EXPECT_FALSE(ParseObject("{} {}"));
  EXPECT_TRUE(ParseObject("{}"));
}

}  // namespace
}  // namespace cay
