#include "archive/tar_format.h"

#include <gtest/gtest.h>

#include "archive/safe_path.h"

namespace cay::archive {
namespace {

using namespace std::string_view_literals;

TEST(TarFormatTest, NumbersAreOctalOrBase256) {
  EXPECT_EQ(tar::ParseNumber("0000644\0"sv), 0644);
  EXPECT_EQ(tar::ParseNumber("   644 \0"sv), 0644);
  EXPECT_EQ(tar::ParseNumber("        "sv), 0);
  EXPECT_EQ(tar::ParseNumber(""sv), 0);
  EXPECT_EQ(tar::ParseNumber("\x80\0\0\0\0\0\0\x01\0\0\0\0"sv), int64_t{1} << 32);
  EXPECT_EQ(tar::ParseNumber("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv), -1);
  EXPECT_FALSE(tar::ParseNumber("12x"sv));
  EXPECT_FALSE(tar::ParseNumber("888"sv));
  EXPECT_FALSE(tar::ParseNumber("7777777777777777777777777"sv));
  EXPECT_FALSE(tar::ParseNumber("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv));
}

TEST(TarFormatTest, NumbersThatAreWrittenAreReadBack) {
  for (const int64_t value : {int64_t{0}, int64_t{0777}, int64_t{1} << 21, int64_t{1} << 32,
                              int64_t{1} << 33, INT64_MAX, int64_t{-1}, int64_t{-86400}}) {
    tar::Block block{};
    tar::PutNumber(block, tar::kMtime, value);
    EXPECT_EQ(tar::ParseNumber(tar::FieldBytes(block, tar::kMtime)), value);
  }
}

TEST(TarFormatTest, PaxRecordsThatAreWrittenAreReadBack) {
  std::string records;
  for (const size_t length : {0UL, 1UL, 88UL, 89UL, 90UL, 91UL, 985UL, 990UL, 9982UL}) {
    tar::AppendPax(records, "path", std::string(length, 'x'));
  }
  const auto read = tar::ParsePax(records);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 9U);
  EXPECT_EQ(read->at(1).value, "x");
  EXPECT_EQ(read->at(8).value.size(), 9982U);
}

TEST(TarFormatTest, MalformedPaxRecordsAreErrors) {
  for (const std::string_view bad :
       {"x"sv, "9999 path=a\n"sv, "5 =a\n"sv, "-5 a=b\n"sv, "10 path=abc"sv,
        "99999999999999999999 a=b\n"sv, " 5 a=\n"sv, "3 \n"sv, "2 "sv, "0 a=b\n"sv}) {
    EXPECT_FALSE(tar::ParsePax(bad)) << bad;
  }
}

TEST(TarFormatTest, TimesHaveNanosecondsAndSigns) {
  EXPECT_EQ(tar::ParsePaxTime("12"), (Timestamp{12, 0}));
  EXPECT_EQ(tar::ParsePaxTime("12.5"), (Timestamp{12, 500'000'000}));
  EXPECT_EQ(tar::ParsePaxTime("12.0000000019"), (Timestamp{12, 1}));
  EXPECT_EQ(tar::ParsePaxTime("-1.25"), (Timestamp{-2, 750'000'000}));
  EXPECT_FALSE(tar::ParsePaxTime("1.2x"));
  EXPECT_FALSE(tar::ParsePaxTime("99999999999999999999"));
  for (const Timestamp time : {Timestamp{0, 1}, Timestamp{-1, 1}, Timestamp{-2, 750'000'000},
                               Timestamp{1'700'000'000, 123'456'789}, Timestamp{-5, 0}}) {
    EXPECT_EQ(tar::ParsePaxTime(tar::FormatPaxTime(time)), time) << tar::FormatPaxTime(time);
  }
}

TEST(TarFormatTest, SparseMapsMustAscendAndFit) {
  EXPECT_TRUE(tar::CheckSegments({{0, 5}, {5, 5}, {100, 0}}, 100, 10));
  EXPECT_FALSE(tar::CheckSegments({{0, 5}, {4, 5}}, 100, 10));
  EXPECT_FALSE(tar::CheckSegments({{0, 5}}, 100, 6));
  EXPECT_FALSE(tar::CheckSegments({{96, 5}}, 100, 5));
  EXPECT_FALSE(tar::CheckSegments({{UINT64_MAX, 5}}, UINT64_MAX, 5));
}

TEST(SafePathTest, NamesAreNormalizedOrRefused) {
  EXPECT_EQ(NormalizeEntryPath("./a//b/./c/"), "a/b/c");
  EXPECT_EQ(NormalizeEntryPath("./"), "");
  EXPECT_EQ(NormalizeEntryPath("..a/b.."), "..a/b..");
  for (const std::string_view bad : {""sv, "/a"sv, "a/../b"sv, ".."sv, "a/.."sv, "a\0b"sv}) {
    EXPECT_FALSE(NormalizeEntryPath(bad)) << bad;
  }
  EXPECT_FALSE(NormalizeEntryPath(std::string(256, 'x')));
  EXPECT_FALSE(NormalizeEntryPath(std::string(40'000, '/')));
}

TEST(SafePathTest, NamesInMessagesArePrintable) {
  EXPECT_EQ(Printable("a\n\x1b[2J\xff"), "a\\x0a\\x1b[2J\\xff");
  EXPECT_LT(Printable(std::string(10'000, '\n')).size(), 1000U);
}

}  // namespace
}  // namespace cay::archive
