#include "cli/client/values.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <csignal>

namespace cay::cli {
namespace {

boost::json::object Parse(std::string_view text) {
  return ParseJsonObject(text).value_or(boost::json::object());
}

TEST(ValuesTest, ACellIsOneLineAndNeverEmpty) {
  const auto object = Parse(
      R"({"evil":"a\u001b[2Jb\nc","empty":"","null":null,"n":1.5,"argv":["sh","-c","x\ny"],"list":[]})");
  EXPECT_EQ(Cell(object, "evil"), "a\\x1b[2Jb\\x0ac");
  EXPECT_EQ(Cell(object, "empty"), "-");
  EXPECT_EQ(Cell(object, "null"), "-");
  EXPECT_EQ(Cell(object, "none"), "-");
  EXPECT_EQ(Cell(object, "list"), "-");
  EXPECT_EQ(Cell(object, "argv"), "sh -c x\\x0ay");
}

TEST(ValuesTest, ANameMayBeAnyBytes) {
  const auto object = Parse(
      R"({"path":"a\ufffd","path_base64":"Yf8=","name":"plain","esc":"\u001b[2J\u009b2J\u00e9"})");
  EXPECT_EQ(Name(object, "path"), "a\xff");
  EXPECT_EQ(NameCell(object, "path"), "a\\xff");
  EXPECT_EQ(Name(object, "name"), "plain");
  EXPECT_EQ(NameCell(object, "none"), "-");
  EXPECT_EQ(NameCell(object, "esc"), "\\x1b[2J\\xc2\\x9b2Jé");
  EXPECT_EQ(NameValue("plain"), boost::json::value("plain"));
  EXPECT_EQ(NameValue("a\xff"), (boost::json::object{{"base64", "Yf8="}}));
}

TEST(ValuesTest, JsonForATerminalHasNoControlCharacters) {
  const auto object = Parse(R"({"evil":"\u001b\u007f\u009b\u00e9\u00a0"})");
  EXPECT_EQ(LineJson(object), "{\"evil\":\"\\u001b\\u007f\\u009bé\u00a0\"}\n");
  EXPECT_EQ(Parse(LineJson(object)), object);
  EXPECT_EQ(PrettyJson(object), "{\n  \"evil\": \"\\u001b\\u007f\\u009bé\u00a0\"\n}\n");
}

TEST(ValuesTest, TimesAreParsedToMilliseconds) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTime("2024-02-29T12:34:56.789Z"), 1709210096789);
  EXPECT_EQ(ParseTime("2024-02-29T12:34:56.7Z"), 1709210096700);
  EXPECT_EQ(ParseTime("2024-02-29T12:34:56.789123Z"), 1709210096789);
  for (const char* text :
       {"", "Z", "2023-02-29T12:34:56Z", "2024-02-29T12:34:56", "2024-02-29 12:34:56Z",
        "2024-13-01T00:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T12:34:56.Z",
        "2024-02-29T12:34:56.1x9Z", "2024-02-29T12:34:5Z"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(ValuesTest, AgesHaveOneUnit) {
  EXPECT_EQ(FormatAge(-5), "0s");
  EXPECT_EQ(FormatAge(119'999), "119s");
  EXPECT_EQ(FormatAge(185'000), "3m");
  EXPECT_EQ(FormatAge(3 * 3600 * 1000), "3h");
  EXPECT_EQ(FormatAge(int64_t{72} * 3600 * 1000), "3d");
  const auto object = Parse(R"({"at":"1970-01-01T00:03:20Z","never":null})");
  EXPECT_EQ(AgeCell(object, "at", 500'000), "5m");
  EXPECT_EQ(UntilCell(object, "at", 100'000), "100s");
  EXPECT_EQ(AgeCell(object, "never", 0), "-");
}

TEST(ValuesTest, WhatIsNoJsonObjectIsAnErrorOfTheProtocol) {
  for (const char* text : {"", "{", "[1]", "{}x", "<html>"}) {
    const auto parsed = ParseJsonObject(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kProtocol);
  }
  EXPECT_FALSE(ParseJson(std::string(100, '[') + std::string(100, ']')));
}

TEST(ValuesTest, PrettyJsonIsJson) {
  const std::string pretty = PrettyJson(Parse(R"({"a":[1,{"b":"x"}],"c":{},"d":[]})"));
  EXPECT_EQ(pretty,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x\"\n    }\n  ],\n  \"c\": {},\n"
            "  \"d\": []\n}\n");
}

TEST(ValuesTest, NumbersInJsonAreWrittenAsPeopleWriteThem) {
  EXPECT_EQ(PrettyJson(Parse(R"({"a":94.1,"b":0.25,"c":100,"d":-1})")),
            "{\n  \"a\": 94.1,\n  \"b\": 0.25,\n  \"c\": 100,\n  \"d\": -1\n}\n");
}

TEST(ValuesTest, SignalsHaveNamesAndNumbers) {
  EXPECT_EQ(ParseSignal("SIGKILL"), SIGKILL);
  EXPECT_EQ(ParseSignal("TERM"), SIGTERM);
  EXPECT_EQ(ParseSignal("2"), SIGINT);
  for (const char* text : {"", "SIG", "KILLER", "0", "65", "-1"}) {
    EXPECT_EQ(ParseSignal(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cay::cli
