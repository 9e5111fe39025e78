#include "protocol/cbor.h"

#include <gtest/gtest.h>

namespace cay::protocol {
namespace {

using namespace std::string_view_literals;

TEST(Cbor, WritesTheExamplesOfTheRfc) {
  // RFC 8949, appendix A.
  EXPECT_EQ(CborWriter().Unsigned(0).text(), "\x00"sv);
  EXPECT_EQ(CborWriter().Unsigned(23).text(), "\x17");
  EXPECT_EQ(CborWriter().Unsigned(24).text(), "\x18\x18");
  EXPECT_EQ(CborWriter().Unsigned(1000).text(), "\x19\x03\xe8");
  EXPECT_EQ(CborWriter().Unsigned(1000000).text(), "\x1a\x00\x0f\x42\x40"sv);
  EXPECT_EQ(CborWriter().Unsigned(UINT64_MAX).text(), "\x1b\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(CborWriter().Signed(-1).text(), "\x20");
  EXPECT_EQ(CborWriter().Signed(-1000).text(), "\x39\x03\xe7");
  EXPECT_EQ(CborWriter().Bool(false).Bool(true).text(), "\xf4\xf5");
  EXPECT_EQ(CborWriter().Bytes("\x01\x02\x03\x04").text(), "\x44\x01\x02\x03\x04");
  EXPECT_EQ(CborWriter().Text("IETF").text(), "\x64IETF");
  EXPECT_EQ(CborWriter().Array(3).Map(1).text(), "\x83\xa1");
}

TEST(Cbor, ReadsBackEveryIntegerAtTheEdges) {
  for (const uint64_t value : {0ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL,
                               4294967295ULL, 4294967296ULL, 18446744073709551615ULL}) {
    const std::string text = CborWriter().Unsigned(value).text();
    EXPECT_EQ(CborReader(text).Unsigned(), value);
  }
  for (const int64_t value :
       {INT64_MIN, int64_t{-257}, int64_t{-25}, int64_t{-24}, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    const std::string text = CborWriter().Signed(value).text();
    EXPECT_EQ(CborReader(text).Signed(), value);
  }
}

TEST(Cbor, RefusesIntegersThatAreNotShortest) {
  for (const auto text : {"\x18\x17"sv, "\x19\x00\xff"sv, "\x1a\x00\x00\xff\xff"sv,
                          "\x1b\x00\x00\x00\x00\xff\xff\xff\xff"sv}) {
    EXPECT_EQ(CborReader(text).Unsigned().error().code(), ErrorCode::kProtocol);
  }
}

TEST(Cbor, RefusesIndefiniteAndReservedLengths) {
  for (const auto text : {"\x5f\x41\x00\xff"sv, "\x5c"sv, "\x5d"sv, "\x5e"sv}) {
    EXPECT_FALSE(CborReader(text).Bytes(100));
  }
}

TEST(Cbor, RefusesWhatIsOverItsLimit) {
  EXPECT_FALSE(CborReader("\x18\x64").Unsigned(99));
  EXPECT_FALSE(CborReader("\x43"
                          "abc")
                   .Bytes(2));
  EXPECT_FALSE(CborReader("\x83\x01\x02\x03").Array(2));
  EXPECT_FALSE(CborReader("\xa2\x01\x02\x03\x04").Map(1));
}

TEST(Cbor, RefusesACountThatTheInputCannotHold) {
  EXPECT_FALSE(CborReader("\x9b\x00\x00\x00\x01\x00\x00\x00\x00"sv).Array(SIZE_MAX));
  EXPECT_FALSE(CborReader("\xa2\x01\x02\x03").Map(100));
  EXPECT_FALSE(CborReader("\x5b\xff\xff\xff\xff\xff\xff\xff\xff").Bytes(SIZE_MAX));
}

TEST(Cbor, RefusesANegativeNumberBelowInt64) {
  EXPECT_FALSE(CborReader("\x3b\x80\x00\x00\x00\x00\x00\x00\x00"sv).Signed());
}

TEST(Cbor, RefusesAnotherTypeThanTheOneAskedFor) {
  EXPECT_FALSE(CborReader("\x20").Unsigned());
  EXPECT_FALSE(CborReader("\x01").Bytes(10));
  EXPECT_FALSE(CborReader("\x41"
                          "a")
                   .Text(10));
  EXPECT_FALSE(CborReader("\xf6").Bool());
  EXPECT_FALSE(CborReader("").Bool());
  EXPECT_FALSE(CborReader("\x01").End());
}

TEST(Cbor, SkipsOneWholeItemOfAnyKind) {
  CborWriter writer;
  writer.Map(2).Unsigned(1).Array(3).Bool(true).Signed(-70000).Bytes("ab");
  writer.Text("k").Map(1).Unsigned(9).Array(0);
  writer.Unsigned(42);
  CborReader reader(writer.text());
  ASSERT_TRUE(reader.Skip());
  EXPECT_EQ(*reader.Unsigned(), 42U);
  EXPECT_TRUE(reader.End());
}

TEST(Cbor, SkipRefusesWhatIsCutAndWhatIsNoItem) {
  CborWriter writer;
  writer.Map(1).Unsigned(1).Array(2).Bytes("abc").Array(1).Bool(false);
  for (size_t length = 0; length < writer.text().size(); ++length)
    EXPECT_FALSE(CborReader(std::string_view(writer.text()).substr(0, length)).Skip()) << length;
  EXPECT_FALSE(CborReader("\xf6").Skip());
  EXPECT_FALSE(CborReader("\xc0\x01").Skip());
  EXPECT_FALSE(CborReader("\x61\xff").Skip());
}

TEST(Cbor, SkipOfDeepNestingDoesNotRecurse) {
  const std::string deep = std::string(2'000'000, '\x81') + '\x01';
  CborReader reader(deep);
  EXPECT_TRUE(reader.Skip());
  EXPECT_TRUE(reader.AtEnd());
}

TEST(Cbor, TextIsUtf8) {
  EXPECT_TRUE(CborReader("\x66"
                         "\xc3\xbc\xf0\x9f\x98\x80")
                  .Text(10));
  for (const auto bad : {"\xc0\xaf"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv, "\xe2\x82"sv,
                         "\x80"sv, "\xf8\x88\x80\x80\x80"sv}) {
    const std::string item =
        std::string(1, static_cast<char>(0x60 + bad.size())) + std::string(bad);
    EXPECT_FALSE(CborReader(item).Text(10));
  }
}

}  // namespace
}  // namespace cay::protocol
