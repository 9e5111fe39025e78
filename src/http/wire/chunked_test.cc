#include "http/wire/chunked.h"

#include <gtest/gtest.h>

#include <vector>

namespace cay::http {
namespace {

struct Decoded {
  bool refused = false;
  bool done = false;
  std::string body{};
  size_t used = 0;
  bool operator==(const Decoded&) const = default;
};

// In pieces of so many bytes, into room for so many.
Decoded Decode(std::string_view bytes, size_t piece, size_t room) {
  ChunkDecoder decoder;
  Decoded decoded;
  std::string waiting;
  std::vector<char> space(room);
  size_t at = 0;
  while (!decoder.done()) {
    const auto step = decoder.Decode(waiting, space);
    if (!step) return {.refused = true};
    decoded.body.append(space.data(), step->produced);
    decoded.used += step->consumed;
    waiting.erase(0, step->consumed);
    if (step->consumed > 0 || step->produced > 0) continue;
    if (at == bytes.size()) return {};
    waiting += bytes.substr(at, piece);
    at += std::min(piece, bytes.size() - at);
  }
  decoded.done = true;
  return decoded;
}

// The same, whatever the pieces are.
Decoded Decode(std::string_view bytes) {
  Decoded at_once = Decode(bytes, bytes.size() + 1, bytes.size() + 1);
  EXPECT_EQ(at_once, Decode(bytes, 1, 1)) << bytes.substr(0, 100);
  EXPECT_EQ(at_once, Decode(bytes, 3, 2)) << bytes.substr(0, 100);
  return at_once;
}

TEST(ChunkDecoder, TakesABodyUpToItsEnd) {
  const std::string body = "4\r\nwiki\r\n00A;a=b\r\n0123\r\n\r\n89\r\n0\r\n\r\n";
  const Decoded decoded = Decode(body + "GET / HTTP/1.1\r\n");
  EXPECT_TRUE(decoded.done);
  EXPECT_EQ(decoded.body, "wiki0123\r\n\r\n89");
  EXPECT_EQ(decoded.used, body.size());
}

TEST(ChunkDecoder, ReadsOverExtensionsAndTrailers) {
  for (const std::string_view body :
       {"1;a;b=c\r\nx\r\n0;d\r\n\r\n", "1 ; a=\"q\\\"\"\r\nx\r\n0\r\n\r\n",
        "1\r\nx\r\n0\r\nA: b\r\nC:\td\r\nE:\r\n\r\n"}) {
    EXPECT_EQ(Decode(body).body, "x") << body;
    EXPECT_EQ(Decode(body).used, body.size());
  }
}

TEST(ChunkDecoder, WaitsForWhatIsNotThere) {
  const std::string body = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
  for (size_t size = 0; size < body.size(); ++size) {
    const Decoded decoded = Decode(body.substr(0, size));
    EXPECT_FALSE(decoded.done || decoded.refused) << size;
  }
}

TEST(ChunkDecoder, RefusesWhatTwoProgramsMayReadDifferently) {
  using namespace std::string_literals;
  for (const std::string& body : {"\r\nx"s,
                                  "g\r\nx"s,
                                  "-1\r\nx"s,
                                  "+1\r\nx"s,
                                  "0x1\r\nx"s,
                                  " 1\r\nx"s,
                                  "1 \r\nx"s,
                                  "1_0\r\nx"s,
                                  "1.\r\nx"s,
                                  "1 1\r\nx"s,
                                  "10000000000000000\r\nx"s,  // over 64 bits
                                  "00000000000000001\r\nx"s,  // more digits than a size has
                                  "1\nx\r\n"s,
                                  "1\r\r\nx"s,
                                  "1\rx\r\n"s,
                                  "1;a\n;b\r\nx"s,
                                  "1;a\rb\r\nx"s,
                                  "1;a=\"\n\"\r\nx"s,
                                  "1;\0\r\nx"s,
                                  "1;\x7f\r\nx"s,
                                  "1\r\nxy\r\n"s,
                                  "1\r\nx\n"s,
                                  "1\r\nx\n\r"s,
                                  "1\r\nx\r0"s,
                                  "1\r\nx0\r\n"s,
                                  "0\n\r\n"s,
                                  "0\r\n\n"s,
                                  "0\r\nno colon\r\n"s,
                                  "0\r\n: x\r\n"s,
                                  "0\r\na : x\r\n"s,
                                  "0\r\n a: x\r\n"s,
                                  "0\r\na: x\n\r\n"s,
                                  "0\r\na: x\ry\r\n"s,
                                  "0\r\na: \0\r\n"s,
                                  "0\r\nA: b\r\n folded\r\n"s,
                                  "0\r\ncontent-length: 5\r\n"s,
                                  "0\r\nTransfer-Encoding: chunked\r\n"s}) {
    EXPECT_TRUE(Decode(body).refused) << body;
  }
}

TEST(ChunkDecoder, BoundsTheHeadOfAChunkAndTheTrailersTogether) {
  constexpr size_t kMost = ChunkDecoder::kMaxOverhead;
  const auto head = [](size_t size) { return "1;" + std::string(size - 4, 'a') + "\r\n"; };
  EXPECT_TRUE(Decode(head(kMost) + "x\r\n0\r\n\r\n").done);
  EXPECT_TRUE(Decode(head(kMost + 1) + "x\r\n0\r\n\r\n").refused);
  EXPECT_TRUE(Decode("1;" + std::string(kMost, 'a')).refused);

  std::string trailers;
  while (trailers.size() + 8 < kMost) trailers += "A: bcd\r\n";
  EXPECT_TRUE(Decode("0\r\n" + trailers + "\r\n").done);
  EXPECT_TRUE(Decode("0\r\n" + trailers + "A: bcd\r\n\r\n").refused);
}

TEST(ChunkDecoder, TakesASizeThatNothingHolds) {
  ChunkDecoder decoder;
  std::vector<char> space(100);
  const auto step = decoder.Decode("ffffffffffffffff\r\nabc", space);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->produced, 3U);
  EXPECT_FALSE(decoder.done());
}

TEST(ChunkHead, IsWhatTheDecoderReads) {
  const std::string data(0x1f40, 'x');
  EXPECT_EQ(ChunkHead(data.size()), "1f40\r\n");
  const std::string body =
      ChunkHead(data.size()) + data + std::string(kChunkEnd) + std::string(kLastChunk);
  EXPECT_EQ(Decode(body).body, data);
}

}  // namespace
}  // namespace cay::http
