#include "api/json_writer.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace cay::api {
namespace {

TEST(JsonWriter, WritesNestedValuesWithTheirCommas) {
  JsonWriter json;
  json.BeginObject().Member("a", 1).Key("b").BeginArray().Value("x").Value(true).Null().EndArray();
  json.Key("c").BeginObject().EndObject().Member("d", std::optional<int>()).EndObject();
  EXPECT_EQ(json.text(), R"({"a":1,"b":["x",true,null],"c":{},"d":null})");
}

TEST(JsonWriter, WritesNumbersAsTheyAre) {
  JsonWriter json;
  json.BeginArray().Value(UINT64_MAX).Value(INT64_MIN).Value(0.5).Value(-3).EndArray();
  EXPECT_EQ(json.text(), "[18446744073709551615,-9223372036854775808,0.5,-3]");
}

TEST(JsonWriter, NothingLeavesAString) {
  JsonWriter json;
  json.Value(std::string_view("\"\\\n\r\t\0\x1f\x7f", 8));
  EXPECT_EQ(json.text(), R"("\"\\\n\r\t\u0000\u001f\u007f")");
}

TEST(JsonWriter, BytesThatAreNoUtf8AreReplaced) {
  JsonWriter json;
  json.Value("\xC3\xA4\xFF\xED\xA0\x80");
  EXPECT_EQ(json.text(), "\"\xC3\xA4\uFFFD\uFFFD\uFFFD\uFFFD\"");
}

}  // namespace
}  // namespace cay::api
