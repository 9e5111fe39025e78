#include "sandbox/output_room.h"

#include <gtest/gtest.h>

#include "base/sanitized.h"
#include "base/test_memory.h"

namespace cay::sandbox {
namespace {

using Kept = OutputRoom::Kept;

TEST(HeldBytes, AreOneBehindTheOtherUpToTheMaximum) {
  HeldBytes held(200'000);
  std::string all;
  for (int i = 0; all.size() + 100 <= 200'000; ++i) {
    const std::string piece = std::string(100, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(held.Append(piece));
    all += piece;
  }
  EXPECT_FALSE(held.Append("x"));
  EXPECT_EQ(held.view(), all);
}

TEST(HeldBytes, UseMemoryForWhatIsThereAndGiveItBack) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's run time has shadows of it";
  const Bytes before = ResidentBytes();
  {
    HeldBytes held(kGiB);
    const std::string piece(kMiB, 'x');
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(held.Append(piece));
    EXPECT_EQ(held.size(), 8 * kMiB);
    EXPECT_LT(ResidentBytes(), before + 16 * kMiB);
  }
  EXPECT_LT(ResidentBytes(), before + 4 * kMiB);
}

TEST(OutputRoom, KeepsTheFirstBytesOfEachStream) {
  const auto room = OutputRoom::Unshared(5);
  EXPECT_EQ(room->Append(OutputStream::kStdout, "abc"), Kept::kAll);
  EXPECT_EQ(room->Append(OutputStream::kStdout, "defg"), Kept::kUpToMaximum);
  EXPECT_EQ(room->Append(OutputStream::kStdout, "h"), Kept::kUpToMaximum);
  EXPECT_EQ(room->Append(OutputStream::kStderr, "12345"), Kept::kAll);
  EXPECT_EQ(room->text(OutputStream::kStdout), "abcde");
  EXPECT_EQ(room->text(OutputStream::kStderr), "12345");
}

TEST(OutputRoom, TakesMemoryAsOutputComesAndGivesItBack) {
  Shares all({.whole = 8 * kMiB, .each = 8 * kMiB});
  auto room = OutputRoom::Take(all, "a", kMiB, Millis(1));
  ASSERT_TRUE(room);
  EXPECT_EQ(all.used(), OutputRoom::kLeast);
  EXPECT_EQ((*room)->Append(OutputStream::kStdout, std::string(kMiB, 'x')), Kept::kAll);
  EXPECT_GE(all.used(), kMiB);
  EXPECT_LE(all.used(), 2 * kMiB);
  room->reset();
  EXPECT_EQ(all.used(), 0U);
}

TEST(OutputRoom, KeepsTheFirstBytesWhenThereIsNoMemoryForMoreAndSaysSo) {
  Shares all({.whole = 100 * kMiB, .each = 256 * kKiB});
  const auto room = OutputRoom::Take(all, "a", kMiB, Millis(1));
  ASSERT_TRUE(room);
  std::string written;
  Kept kept = Kept::kAll;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string piece(50'000, c);
    written += piece;
    kept = (*room)->Append(OutputStream::kStdout, piece);
    if (kept != Kept::kAll) break;
  }
  EXPECT_EQ(kept, Kept::kUpToMemory);
  EXPECT_LE(all.used(), 256 * kKiB);
  const std::string held((*room)->text(OutputStream::kStdout));
  EXPECT_EQ(held, written.substr(0, held.size()));
  EXPECT_GE(held.size(), OutputRoom::kLeast);
  EXPECT_EQ((*room)->Append(OutputStream::kStderr, "x"), Kept::kUpToMemory);
}

TEST(OutputRoom, OfThoseThatHoldMuchSomeIsLeftForThoseThatBegin) {
  Shares all({.whole = 1 * kMiB});
  const auto large = OutputRoom::Take(all, "a", 16 * kMiB, Millis(1));
  ASSERT_TRUE(large);
  EXPECT_EQ((*large)->Append(OutputStream::kStdout, std::string(2 * kMiB, 'x')), Kept::kUpToMemory);
  EXPECT_TRUE(OutputRoom::Take(all, "b", 16 * kMiB, Millis(1)));
}

}  // namespace
}  // namespace cay::sandbox
