#include "json/json_writer.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace cay {
namespace {

// A string as it is written, without its quotes.
std::string Written(const std::string& text) {
  JsonWriter json;
  json.Value(text);
  return json.text().substr(1, json.text().size() - 2);
}

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

TEST(JsonWriter, EveryByteIsEscapedOrNotWhereverItStands) {
  for (int value = 0; value < 0x80; ++value) {
    const char byte = static_cast<char>(value);
    const bool plain = value >= 0x20 && value < 0x7F && byte != '"' && byte != '\\';
    const std::string alone = Written(std::string(1, byte));
    EXPECT_EQ(alone.size() == 1, plain) << value;
    for (size_t at = 0; at <= 20; ++at) {
      const std::string before(at, '!');
      const std::string after(20 - at, '~');
      EXPECT_EQ(Written(before + byte + after), before + alone + after) << value << " at " << at;
    }
  }
}

TEST(JsonWriter, BytesThatAreNoUtf8AreReplaced) {
  JsonWriter json;
  json.Value("\xC3\xA4\xFF\xED\xA0\x80");
  EXPECT_EQ(json.text(), "\"\xC3\xA4\uFFFD\uFFFD\uFFFD\uFFFD\"");
}

}  // namespace
}  // namespace cay
