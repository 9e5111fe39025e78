#include "base/encoding.h"

#include <gtest/gtest.h>

#include <array>

namespace cay {
namespace {

TEST(Encoding, Utf8IsOnlyWhatTheStandardSays) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xC0\x80"));          // overlong
  EXPECT_FALSE(IsUtf8("\xE0\x80\x80"));      // overlong
  EXPECT_FALSE(IsUtf8("\xED\xA0\x80"));      // a surrogate
  EXPECT_FALSE(IsUtf8("\xF4\x90\x80\x80"));  // over U+10FFFF
  EXPECT_FALSE(IsUtf8("\xE2\x82"));          // cut
  EXPECT_FALSE(IsUtf8("\x80"));
}

TEST(Encoding, WhatIsNoUtf8IsFoundBehindMuchText) {
  const std::string text(200, 'a');
  EXPECT_TRUE(IsUtf8(text));
  for (size_t at = 0; at < text.size(); ++at) {
    std::string broken = text;
    broken[at] = '\xFF';
    EXPECT_FALSE(IsUtf8(broken)) << at;
    EXPECT_EQ(AsciiPrefix(broken), at);
    EXPECT_TRUE(IsUtf8(text.substr(0, at) + "\xC3\xA4" + text)) << at;
  }
}

TEST(Encoding, ATailThatMoreBytesCouldCompleteIsFound) {
  EXPECT_EQ(IncompleteUtf8Tail("abc"), 0U);
  EXPECT_EQ(IncompleteUtf8Tail("ab\xC3"), 1U);
  EXPECT_EQ(IncompleteUtf8Tail("ab\xE2\x82"), 2U);
  EXPECT_EQ(IncompleteUtf8Tail("ab\xF0\x9F\x98"), 3U);
  EXPECT_EQ(IncompleteUtf8Tail("ab\xE2\x82\xAC"), 0U);
  EXPECT_EQ(IncompleteUtf8Tail("ab\xED\xA0"), 0U);  // nothing makes this right
  EXPECT_EQ(IncompleteUtf8Tail("\x80\x80\x80\x80"), 0U);
  EXPECT_EQ(IncompleteUtf8Head(""), 0U);
  EXPECT_EQ(IncompleteUtf8Head("abc"), 0U);
  EXPECT_EQ(IncompleteUtf8Head("\xC3\xA4"), 0U);
  EXPECT_EQ(IncompleteUtf8Head("\xA4z"), 1U);
  EXPECT_EQ(IncompleteUtf8Head("\x9F\x98\x80z"), 3U);
  EXPECT_EQ(IncompleteUtf8Head("\x80\x80\x80\x80"), 0U);
}

TEST(Encoding, BytesThatAreNoTextAreReplacedOneByOne) {
  EXPECT_EQ(ToUtf8Lossy("a\xFF\xC3\xA4\xC3"), "a\uFFFD\xC3\xA4\uFFFD");
}

TEST(Encoding, Base64IsThatOfTheStandard) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
}

TEST(Encoding, EveryByteSurvivesBase64) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  for (size_t length = 0; length <= bytes.size(); ++length) {
    const auto decoded = DecodeBase64(EncodeBase64(bytes.substr(0, length)));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, bytes.substr(0, length));
  }
}

TEST(Encoding, WhatIsNotExactlyBase64IsRefused) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 8=",
                           "Zm8\n", "Zm-_", "=Zg="}) {
    EXPECT_FALSE(DecodeBase64(text)) << text;
  }
}

TEST(Hex, TwoDigitsAByte) {
  const std::array<unsigned char, 4> bytes = {0x00, 0x0f, 0xa0, 0xff};
  EXPECT_EQ(EncodeHex(bytes), "000fa0ff");
  EXPECT_EQ(EncodeHex({}), "");
}

}  // namespace
}  // namespace cay
