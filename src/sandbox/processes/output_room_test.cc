#include "sandbox/processes/output_room.h"

#include <gtest/gtest.h>

#include "base/testing/sanitized.h"
#include "base/testing/test_memory.h"

namespace cay::sandbox {
namespace {

std::string Joined(const KeptText& kept) {
  return std::string(kept.bytes.substr(0, kept.gap_at)) + "|" + std::to_string(kept.omitted) + "|" +
         std::string(kept.bytes.substr(kept.gap_at));
}

std::string AllOf(OutputRoom& room, OutputStream stream) {
  room.Settle();
  return Joined(room.Text(stream, 0, room.written(stream)));
}

TEST(HeldBytes, AreOneBehindTheOtherUpToTheMaximum) {
  HeldBytes held(200'000);
  std::string all;
  for (int i = 0; all.size() + 100 <= 200'000; ++i) {
    const std::string piece = std::string(100, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(held.Append(piece));
    all += piece;
  }
  EXPECT_EQ(held.omitted(), 0U);
  EXPECT_EQ(held.Text(0, all.size()).bytes, all);
  EXPECT_EQ(Joined(held.Text(99, 102)), "abb|0|") << "a part of it";
}

// However it is cut into pieces: small ones that go round, and one that is more than all that is
// held.
TEST(HeldBytes, AreTheBeginningAndTheEndBeyondTheMaximum) {
  std::string all;
  for (int i = 0; i < 30'000; ++i) all += static_cast<char>('a' + i % 23);
  for (const size_t max : {5, 1000, 10'001}) {
    for (const size_t step : {1, 7, 999, 6'400, 30'000}) {
      HeldBytes held(max);
      for (size_t at = 0; at < all.size(); at += step) {
        ASSERT_TRUE(held.Append(std::string_view(all).substr(at, step)));
        if (at % 3 == 0) held.Settle();
      }
      held.Settle();
      EXPECT_EQ(held.written(), all.size());
      const KeptText kept = held.Text(0, all.size());
      EXPECT_EQ(kept.omitted, all.size() - max);
      EXPECT_EQ(kept.gap_at, max / 2);
      EXPECT_EQ(kept.bytes, all.substr(0, max / 2) + all.substr(all.size() - (max - max / 2)));
    }
  }
}

TEST(HeldBytes, APartIsAsFarAsItIsKept) {
  HeldBytes held(8);
  ASSERT_TRUE(held.Append("abcdefghijklmnop"));
  held.Settle();
  EXPECT_EQ(Joined(held.Text(0, 16)), "abcd|8|mnop");
  EXPECT_EQ(Joined(held.Text(1, 3)), "bc|0|");
  EXPECT_EQ(Joined(held.Text(2, 6)), "cd|2|");
  EXPECT_EQ(Joined(held.Text(5, 9)), "|4|");
  EXPECT_EQ(Joined(held.Text(10, 14)), "|2|mn");
  EXPECT_EQ(Joined(held.Text(13, 16)), "|0|nop");
  EXPECT_EQ(Joined(held.Text(16, 16)), "|0|");
}

TEST(HeldBytes, FrozenTheyAreTheBeginningAndTheEndOfWhatThereIsRoomFor) {
  HeldBytes held(100);
  ASSERT_TRUE(held.Append("abcdef"));
  held.Freeze();
  ASSERT_TRUE(held.Append("ghijkl"));
  held.Settle();
  EXPECT_EQ(Joined(held.Text(0, 12)), "abc|6|jkl");
  HeldBytes none(100);
  none.Freeze();
  ASSERT_TRUE(none.Append("x"));
  EXPECT_EQ(Joined(none.Text(0, 1)), "|1|");
}

TEST(HeldBytes, CanBeMoved) {
  HeldBytes held(100'000);
  ASSERT_TRUE(held.Append(std::string(200'000, 'x')));
  HeldBytes other = std::move(held);
  EXPECT_EQ(other.size(), 100'000U);
  EXPECT_EQ(other.omitted(), 100'000U);
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

TEST(OutputRoom, KeepsTheBeginningAndTheEndOfEachStream) {
  const auto room = OutputRoom::Unshared(6);
  EXPECT_TRUE(room->Append(OutputStream::kStdout, "abc"));
  EXPECT_TRUE(room->Append(OutputStream::kStdout, "defg"));
  EXPECT_TRUE(room->Append(OutputStream::kStdout, "h"));
  EXPECT_TRUE(room->Append(OutputStream::kStderr, "123456"));
  EXPECT_EQ(AllOf(*room, OutputStream::kStdout), "abc|2|fgh");
  EXPECT_EQ(AllOf(*room, OutputStream::kStderr), "123456|0|");
}

TEST(OutputRoom, TakesMemoryAsOutputComesAndGivesItBack) {
  Shares all({.whole = 8 * kMiB, .each = 8 * kMiB});
  auto room = OutputRoom::Take(all, "a", kMiB, Millis(1));
  ASSERT_TRUE(room);
  EXPECT_EQ(all.used(), OutputRoom::kLeast);
  EXPECT_TRUE((*room)->Append(OutputStream::kStdout, std::string(kMiB, 'x')));
  EXPECT_GE(all.used(), kMiB);
  EXPECT_LE(all.used(), 2 * kMiB);
  room->reset();
  EXPECT_EQ(all.used(), 0U);
}

TEST(OutputRoom, KeepsWhatThereIsMemoryForAndSaysSo) {
  Shares all({.whole = 100 * kMiB, .each = 256 * kKiB});
  const auto room = OutputRoom::Take(all, "a", kMiB, Millis(1));
  ASSERT_TRUE(room);
  std::string written;
  bool kept = true;
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string piece(50'000, c);
    written += piece;
    kept = (*room)->Append(OutputStream::kStdout, piece);
  }
  EXPECT_FALSE(kept);
  EXPECT_LE(all.used(), 256 * kKiB);
  (*room)->Settle();
  const KeptText text = (*room)->Text(OutputStream::kStdout, 0, written.size());
  EXPECT_GE(text.bytes.size(), OutputRoom::kLeast);
  EXPECT_EQ(text.omitted, written.size() - text.bytes.size());
  const size_t end = text.bytes.size() - text.gap_at;
  EXPECT_EQ(text.bytes, written.substr(0, text.gap_at) + written.substr(written.size() - end));
  EXPECT_GT(text.gap_at, 0U);
  EXPECT_GT(end, 0U);
  EXPECT_FALSE((*room)->Append(OutputStream::kStderr, "x"));
}

TEST(OutputRoom, OfThoseThatHoldMuchSomeIsLeftForThoseThatBegin) {
  Shares all({.whole = 1 * kMiB});
  const auto large = OutputRoom::Take(all, "a", 16 * kMiB, Millis(1));
  ASSERT_TRUE(large);
  EXPECT_FALSE((*large)->Append(OutputStream::kStdout, std::string(2 * kMiB, 'x')));
  EXPECT_TRUE(OutputRoom::Take(all, "b", 16 * kMiB, Millis(1)));
}

}  // namespace
}  // namespace cay::sandbox
