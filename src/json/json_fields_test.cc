#include "json/json_fields.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

// One field of an object, as `read` takes it.
template <class Read>
auto Field(std::string_view text, const Read& read) {
  const auto value = ParseJson(text);
  EXPECT_TRUE(value) << text;
  auto fields = JsonFields::Of(*value);
  EXPECT_TRUE(fields);
  return read(*fields);
}

template <class T>
std::string Message(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(JsonFields, SizesAreTextOrBytes) {
  const auto size = [](JsonFields& fields) { return fields.Size("m"); };
  EXPECT_EQ(**Field(R"({"m":"1g"})", size), kGiB);
  EXPECT_EQ(**Field(R"({"m":1024})", size), 1024U);
  EXPECT_FALSE(*Field(R"({})", size));
  EXPECT_FALSE(*Field(R"({"m":null})", size));
  EXPECT_EQ(Message(Field(R"({"m":"lots"})", size)), "\"m\": not a size: \"lots\"");
  for (const char* bad : {R"({"m":-1})", R"({"m":1.5})", R"({"m":[]})", R"({"m":1e300})",
                          R"({"m":18446744073709551615})", R"({"m":true})"}) {
    EXPECT_FALSE(Field(bad, size)) << bad;
  }
}

TEST(JsonFields, DurationsAreTextOrSeconds) {
  const auto duration = [](JsonFields& fields) { return fields.Duration("t"); };
  EXPECT_EQ(**Field(R"({"t":"1m30s"})", duration), Millis(90'000));
  EXPECT_EQ(**Field(R"({"t":300})", duration), Millis(300'000));
  EXPECT_EQ(**Field(R"({"t":0.25})", duration), Millis(250));
  EXPECT_EQ(**Field(R"({"t":0.30000000000000004})", duration), Millis(300));
  EXPECT_EQ(**Field(R"({"t":1438060995.844})", duration), Millis(1438060995844));
  EXPECT_FALSE(Field(R"({"t":1438060995.844496})", duration));
  EXPECT_FALSE(Field(R"({"t":0.0004})", duration));
  EXPECT_FALSE(Field(R"({"t":-1})", duration));
  EXPECT_FALSE(Field(R"({"t":1e300})", duration));
}

TEST(JsonFields, CpusAreTextOrANumber) {
  const auto cpus = [](JsonFields& fields) { return fields.Cpus("c"); };
  EXPECT_EQ(**Field(R"({"c":"1.0"})", cpus), 1000U);
  EXPECT_EQ(**Field(R"({"c":0.1})", cpus), 100U);
  EXPECT_EQ(**Field(R"({"c":2})", cpus), 2000U);
  EXPECT_FALSE(Field(R"({"c":0.0001})", cpus));
  EXPECT_FALSE(Field(R"({"c":0})", cpus));
}

TEST(JsonFields, ContentIsTextOrBase64) {
  const auto content = [](JsonFields& fields) { return fields.TextOrBase64("f", 4); };
  EXPECT_EQ(**Field(R"({"f":"a"})", content), "a");
  EXPECT_EQ(**Field(R"({"f":{"base64":"/w=="}})", content), "\xFF");
  for (const char* bad : {R"({"f":"12345"})", R"({"f":{"base64":"x"}})",
                          R"({"f":{"base64":"","x":1}})", R"({"f":1})"}) {
    EXPECT_FALSE(Field(bad, content)) << bad;
  }
}

TEST(JsonFields, AFieldThatNobodyKnowsIsNamed) {
  const auto finish = [](JsonFields& fields) -> Result<void> {
    TRY(fields.String("a"));
    return fields.Finish();
  };
  EXPECT_EQ(Message(Field(R"({"a":"1","memroy":1})", finish)), "unknown field \"memroy\"");
  EXPECT_TRUE(Field(R"({"a":"1"})", finish));
}

TEST(JsonFields, TheWayToAnInnerFieldIsNamed) {
  const auto value = ParseJson(R"({"source":1})");
  auto fields = JsonFields::Of(*value, "mounts[0]");
  EXPECT_EQ(Message(fields->String("source")),
            "\"mounts[0].source\" must be a string, not a number");
  EXPECT_FALSE(JsonFields::Of(*ParseJson("[]")));
}

TEST(JsonFields, NumbersHaveAMaximumAndModesAreOctal) {
  const auto number = [](JsonFields& fields) { return fields.Number("n", 10); };
  EXPECT_EQ(**Field(R"({"n":10})", number), 10U);
  EXPECT_EQ(**Field(R"({"n":10.0})", number), 10U);
  EXPECT_FALSE(Field(R"({"n":9.5})", number));
  EXPECT_EQ(Field(R"({"n":11})", number).error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(*ParseMode("0644"), 0644U);
  for (const char* bad : {"", "8", "-1", "10000", "0x1", "644 "})
    EXPECT_FALSE(ParseMode(bad)) << bad;
}

}  // namespace
}  // namespace cay
