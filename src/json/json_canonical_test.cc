#include "json/json_canonical.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

std::string Of(std::string_view text) {
  const auto parsed = ParseJson(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? CanonicalJson(*parsed) : "";
}

TEST(CanonicalJson, OrderOfMembersSpacesAndEscapesMakeNoDifference) {
  EXPECT_EQ(Of(R"({"b": [1, {"d": true, "c": "x"}], "a": -5})"),
            Of(R"({"a":-5,"b":[1,{"c":"\u0078","d":true}]})"));
}

TEST(CanonicalJson, NullIsTheSameAsNotThereInAnObjectButNotInAList) {
  EXPECT_EQ(Of(R"({"a": null, "b": {"c": null}})"), Of(R"({"b": {}})"));
  EXPECT_NE(Of("[null]"), Of("[]"));
}

TEST(CanonicalJson, OtherValuesAreOthers) {
  for (const char* other : {R"({"a": "1"})", R"({"a": 2})", R"({"b": 1})", R"({"a": [1]})", "{}",
                            R"({"a": 1, "b": false})", R"({"a": 1.5})"})
    EXPECT_NE(Of(R"({"a": 1})"), Of(other)) << other;
}

}  // namespace
}  // namespace cay
