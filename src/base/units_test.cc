#include "base/units.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(ParseBytes, TakesTheSuffixesPeopleWrite) {
  EXPECT_EQ(ParseBytes("0"), 0U);
  EXPECT_EQ(ParseBytes("100"), 100U);
  EXPECT_EQ(ParseBytes("512m"), 512 * kMiB);
  EXPECT_EQ(ParseBytes("1.5G"), 1536 * kMiB);
  EXPECT_EQ(ParseBytes("2GiB"), 2 * kGiB);
  EXPECT_EQ(ParseBytes("2Mi"), 2 * kMiB);
  EXPECT_EQ(ParseBytes("3kb"), 3 * kKiB);
  EXPECT_EQ(ParseBytes("7b"), 7U);
}

TEST(ParseBytes, RoundsPartsOfAUnitDownToWholeBytes) {
  EXPECT_EQ(ParseBytes("0.1g"), 107374182U);
  EXPECT_EQ(ParseBytes("0.3g"), 322122547U);
  EXPECT_EQ(ParseBytes("0.7m"), 734003U);
  EXPECT_EQ(ParseBytes("0.1k"), 102U);
}

TEST(ParseBytes, RefusesWhatIsNotASize) {
  for (const auto* text : {"", "m", "-1", "1x", "1 g", "1gg", "0x10", "1e9", "1.", ".5g", "0.5b",
                           "99999999999999999999999", "9223372036854775808", "8388608t", "1bb"}) {
    EXPECT_FALSE(ParseBytes(text)) << text;
  }
}

TEST(FormatBytes, IsReadBackAsTheSameSize) {
  for (const Bytes bytes : {Bytes{0}, Bytes{1}, Bytes{1023}, kKiB, 1536 * kMiB, 3 * kGiB}) {
    EXPECT_EQ(ParseBytes(FormatBytes(bytes)), bytes);
  }
  EXPECT_EQ(FormatBytes(512 * kMiB), "512m");
  EXPECT_EQ(HumanBytes(1536 * kMiB), "1.5 GiB");
}

TEST(ParseDuration, TakesUnitsAndTheirSequence) {
  EXPECT_EQ(ParseDuration("2"), Millis(2000));
  EXPECT_EQ(ParseDuration("250ms"), Millis(250));
  EXPECT_EQ(ParseDuration("1h30m"), Millis(5'400'000));
  EXPECT_EQ(ParseDuration("0.5s"), Millis(500));
}

TEST(ParseDuration, RefusesWhatIsNotADuration) {
  for (const auto* text : {"", "s", "-1s", "1x", "1h30", "0.0001s", "101y", "36501d", "1 s"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(FormatDuration, IsReadBackAsTheSameDuration) {
  for (const int64_t ms :
       {int64_t{0}, int64_t{1}, int64_t{1500}, int64_t{5'400'000}, int64_t{90'061'003}}) {
    EXPECT_EQ(ParseDuration(FormatDuration(Millis(ms))), Millis(ms));
  }
}

TEST(FormatDuration, PartsOfASecondAreAFraction) {
  EXPECT_EQ(FormatDuration(Millis(250)), "250ms");
  EXPECT_EQ(FormatDuration(Millis(1003)), "1.003s");
  EXPECT_EQ(FormatDuration(Millis(1500)), "1.5s");
  EXPECT_EQ(FormatDuration(Millis(60'000)), "1m");
  EXPECT_EQ(FormatDuration(Millis(70'100)), "1m10.1s");
}

TEST(ParseCpus, CountsThousandths) {
  EXPECT_EQ(ParseCpus("0.5"), 500U);
  EXPECT_EQ(ParseCpus("2"), 2000U);
  EXPECT_EQ(ParseCpus(".5"), 500U);
  EXPECT_EQ(FormatCpus(1250), "1.25");
  for (const auto* text : {"", "0", "0.001", "1001", "-1", "1.2345", "two", ".", ".5.", "..5"}) {
    EXPECT_FALSE(ParseCpus(text)) << text;
  }
}

TEST(ParseUnsigned, NamesTheMaximumItRefuses) {
  EXPECT_EQ(ParseUnsigned("64"), 64U);
  EXPECT_NE(ParseUnsigned("65", 64).error().message().find("64"), std::string::npos);
  for (const auto* text : {"", "-1", "+1", "1 ", "0x1"}) EXPECT_FALSE(ParseUnsigned(text)) << text;
}

}  // namespace
}  // namespace cay
