#include "guest/processes/output_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace cay::guest {
namespace {

void Put(OutputRing& ring, OutputStream stream, std::string_view bytes) {
  const auto space = ring.Space(bytes.size());
  ASSERT_TRUE(space);
  const size_t first = std::min(bytes.size(), (*space)[0].iov_len);
  std::memcpy((*space)[0].iov_base, bytes.data(), first);
  if (first < bytes.size()) {
    std::memcpy((*space)[1].iov_base, bytes.data() + first, bytes.size() - first);
  }
  ring.Commit(stream, bytes.size());
}

// Everything from `seq` on: "o" or "e" before each run, "[from,to)" for a gap.
std::string All(const OutputRing& ring, uint64_t seq, size_t step = 1 << 16) {
  std::string out;
  std::optional<OutputStream> last;
  while (const auto next = ring.Read(seq, step)) {
    if (const auto* gap = std::get_if<OutputRing::Missing>(&*next)) {
      out.append("[").append(std::to_string(gap->from));
      out.append(",").append(std::to_string(gap->to)).append(")");
      seq = gap->to;
      continue;
    }
    const auto& piece = std::get<OutputRing::Piece>(*next);
    EXPECT_EQ(piece.seq, seq);
    if (last != piece.stream) out += piece.stream == OutputStream::kStdout ? "o" : "e";
    last = piece.stream;
    out += piece.bytes;
    seq += piece.bytes.size();
  }
  return out;
}

TEST(OutputRing, KeepsTheOrderOfBothStreams) {
  OutputRing ring(4096);
  Put(ring, OutputStream::kStdout, "11");
  Put(ring, OutputStream::kStdout, "22");
  Put(ring, OutputStream::kStderr, "33");
  Put(ring, OutputStream::kStdout, "44");
  EXPECT_EQ(All(ring, 0), "o1122e33o44");
  EXPECT_EQ(All(ring, 0, 1), "o1122e33o44");
  EXPECT_EQ(All(ring, 3), "o2e33o44");
  EXPECT_EQ(All(ring, 8), "");
  EXPECT_EQ(ring.end_seq(), 8U);
}

TEST(OutputRing, GivesUpTheOldestAndSaysExactlyWhatIsMissing) {
  OutputRing ring(10);
  Put(ring, OutputStream::kStdout, "0123456789");
  EXPECT_EQ(All(ring, 0), "o0123456789");
  Put(ring, OutputStream::kStdout, "abc");
  EXPECT_EQ(ring.first_seq(), 3U);
  EXPECT_EQ(All(ring, 0), "[0,3)o3456789abc");
  EXPECT_EQ(All(ring, 2), "[2,3)o3456789abc");
  EXPECT_EQ(All(ring, 3), "o3456789abc");
}

TEST(OutputRing, SurvivesManyTurnsOfItsMemory) {
  constexpr size_t kCapacity = 10'000;
  OutputRing ring(kCapacity);
  std::string everything;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = std::to_string(i) + std::string(300, 'x') + "\n";
    Put(ring, OutputStream::kStdout, line);
    everything += line;
  }
  EXPECT_EQ(ring.end_seq(), everything.size());
  EXPECT_EQ(ring.first_seq(), everything.size() - kCapacity);
  EXPECT_EQ(All(ring, ring.first_seq()), "o" + everything.substr(everything.size() - kCapacity));
  EXPECT_LT(ring.mapped_bytes(), kCapacity + OutputRing::kMaxCommit + 4096);
}

TEST(OutputRing, OneCommitLargerThanTheCapacityKeepsItsEnd) {
  OutputRing ring(4096);
  Put(ring, OutputStream::kStderr, std::string(OutputRing::kMaxCommit - 4096, 'a'));
  Put(ring, OutputStream::kStdout, std::string(OutputRing::kMaxCommit - 1, 'b') + "c");
  EXPECT_EQ(All(ring, ring.first_seq()), "o" + std::string(4095, 'b') + "c");
}

TEST(OutputRing, AlternatingAtEveryByteMakesItShorterNotLarger) {
  OutputRing ring(4096);
  for (int i = 0; i < 10'000; ++i) {
    Put(ring, i % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr, "x");
  }
  EXPECT_EQ(ring.end_seq(), 10'000U);
  // Nine bytes each, of nine eighths of the capacity.
  EXPECT_LT(ring.end_seq() - ring.first_seq(), 4096 / 7);
  EXPECT_GT(ring.end_seq() - ring.first_seq(), 4096 / 9);
}

TEST(OutputRing, HoldsItsWholeCapacityOfLinesThatAlternate) {
  constexpr size_t kCapacity = 1 << 20;
  OutputRing ring(kCapacity);
  std::string line(63, 'x');
  line += '\n';
  for (size_t i = 0; i < kCapacity / line.size(); ++i) {
    Put(ring, i % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr, line);
  }
  EXPECT_EQ(ring.first_seq(), 0U);
  EXPECT_EQ(ring.end_seq(), kCapacity);
  Put(ring, OutputStream::kStdout, "x");
  EXPECT_EQ(ring.first_seq(), 1U);
}

TEST(OutputRing, WhatFitsBehindAReaderLeavesItEverything) {
  OutputRing ring(4096);
  uint64_t seq = 0;
  for (size_t i = 0; i < 2000; ++i) {
    const auto stream = i % 3 == 0 ? OutputStream::kStderr : OutputStream::kStdout;
    const size_t room = ring.RoomBehind(seq);
    if (room == 0) {
      EXPECT_LT(seq, ring.end_seq());
      seq += (ring.end_seq() - seq + 1) / 2;
      continue;
    }
    Put(ring, stream, std::string(std::min(room, i % 7 + 1), 'x'));
    ASSERT_LE(ring.first_seq(), seq);
  }
  EXPECT_GT(ring.RoomBehind(ring.end_seq()), 4000U);
}

TEST(OutputRing, MapsNothingBeforeThereIsOutput) {
  const OutputRing ring(1 << 20);
  EXPECT_EQ(ring.mapped_bytes(), 0U);
  EXPECT_EQ(All(ring, 0), "");
}

}  // namespace
}  // namespace cay::guest
