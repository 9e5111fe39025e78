#include "cli/session/replay_filter.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

std::string Shown(std::string_view bytes) {
  ReplayFilter replay;
  std::string shown = replay.Take(bytes);
  return shown + replay.Flush();
}

TEST(ReplayFilterTest, QuestionsAreTakenOut) {
  for (const char* question : {"\x1b[6n",
                               "\x1b[5n",
                               "\x1b[?6n",
                               "\x1b[?996n",
                               "\x1b[c",
                               "\x1b[0c",
                               "\x1b[>c",
                               "\x1b[=c",
                               "\x1b[>0q",
                               "\x1b[?u",
                               "\x1b[18t",
                               "\x1b[14;2t",
                               "\x1b[?2026$p",
                               "\x1b[4$p",
                               "\x1b[1$w",
                               "\x1b[?4m",
                               "\x1b[?1;1;0S",
                               "\x1b[0x",
                               "\x1b[1;1;1;1;2;2*y",
                               "\x1b[\"v",
                               "\x1b[1$u",
                               "\x1b]11;?\x07",
                               "\x1b]4;1;?\x1b\\",
                               "\x1b]52;c;?\x07",
                               "\x1bP$qm\x1b\\",
                               "\x1bP+q544e\x1b\\",
                               "\x1bZ",
                               "\x05"}) {
    EXPECT_EQ(Shown("a" + std::string(question) + "b"), "ab") << testing::PrintToString(question);
  }
}

TEST(ReplayFilterTest, WhatOnlyDrawsStays) {
  for (const char* drawn : {"plain\r\n",
                            "\x1b[1;31mred\x1b[0m",
                            "\x1b[2J\x1b[H",
                            "\x1b[?25l",
                            "\x1b[?2004h",
                            "\x1b[10;20H",
                            "\x1b]0;a title?\x07",
                            "\x1b]8;;http://x/?\x1b\\",
                            "\x1b]11;#000000\x07",
                            "\x1b[>4;2m",
                            "\x1b[>4n",
                            "\x1b[8;24;80t",
                            "\x1b[22;0t",
                            "\x1b[3 q",
                            "\x1b[>1u",
                            "\x1b[<u",
                            "\x1b[u",
                            "\x1b(B",
                            "\x1b=",
                            "\0337",
                            "\x1bP1$r0m\x1b\\",
                            "\xc3\xa4",
                            "\x1b[5S"}) {
    EXPECT_EQ(Shown(drawn), drawn);
  }
}

TEST(ReplayFilterTest, ASequenceMayComeInPieces) {
  ReplayFilter replay;
  std::string shown;
  for (const char c : std::string("a\x1b[6nb\x1b[1mc\x1b]11;?\x1b\\d"))
    shown += replay.Take({&c, 1});
  EXPECT_EQ(shown + replay.Flush(), "ab\x1b[1mcd");
}

TEST(ReplayFilterTest, WhatHasNoEndIsNotHeldBackForEver) {
  ReplayFilter replay;
  EXPECT_EQ(replay.Take("\x1b]0;half"), "");
  EXPECT_EQ(replay.Flush(), "\x1b]0;half");
  const std::string endless = "\x1b]0;" + std::string(2 * ReplayFilter::kMaxHeld, 'x');
  EXPECT_EQ(replay.Take(endless), endless);
}

// A sequence within another ends it (xterm: anything but a string terminator aborts).
TEST(ReplayFilterTest, AQuestionBehindAStringThatWasNotEndedIsOne) {
  EXPECT_EQ(Shown("\x1b]0;title\x1b[6nx"), "\x1b]0;titlex");
}

}  // namespace
}  // namespace cay::cli
