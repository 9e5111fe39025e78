#include "protocol/frame.h"

#include <gtest/gtest.h>

#include <cstring>

namespace cay::protocol {
namespace {

void Feed(FrameParser& parser, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = parser.Space();
    ASSERT_FALSE(space.empty());
    const size_t part = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), part);
    parser.Commit(part);
    bytes.remove_prefix(part);
  }
}

TEST(FrameParser, FindsFramesHoweverTheBytesAreCut) {
  const std::string stream = MakeFrame(FrameType::kData, "hello") +
                             MakeFrame(FrameType::kDataEnd, "") +
                             MakeFrame(FrameType::kData, std::string(kMaxDataBytes, 'x'));
  for (const size_t step : {size_t{1}, size_t{3}, size_t{7}, size_t{4096}, stream.size()}) {
    FrameParser parser(Sender::kHost, 16);
    std::vector<std::string> payloads;
    for (size_t at = 0; at < stream.size(); at += step) {
      Feed(parser, std::string_view(stream).substr(at, step));
      while (true) {
        const auto frame = parser.Next();
        ASSERT_TRUE(frame);
        if (!*frame) break;
        payloads.emplace_back((*frame)->payload);
      }
    }
    ASSERT_EQ(payloads.size(), 3U) << step;
    EXPECT_EQ(payloads[0], "hello");
    EXPECT_EQ(payloads[1], "");
    EXPECT_EQ(payloads[2].size(), kMaxDataBytes);
  }
}

TEST(FrameParser, RefusesALengthOverTheLimitAtTheHeader) {
  for (const char* length : {"\x01\x00\x01\x00", "\xff\xff\xff\xff"}) {
    FrameParser parser(Sender::kHost);
    Feed(parser, std::string(length, 4) + static_cast<char>(FrameType::kData));
    EXPECT_EQ(parser.Next().error().code(), ErrorCode::kProtocol);
    EXPECT_EQ(parser.Next().error().code(), ErrorCode::kProtocol);
  }
}

TEST(FrameParser, RefusesAFrameThatTheOtherSideMayNotSend) {
  FrameParser from_guest(Sender::kGuest);
  Feed(from_guest, MakeFrame(FrameType::kStart, ""));
  EXPECT_FALSE(from_guest.Next());
  FrameParser from_host(Sender::kHost);
  Feed(from_host, MakeFrame(FrameType::kExited, ""));
  EXPECT_FALSE(from_host.Next());
}

TEST(FrameParser, KeepsMemoryInProportionToWhatArrived) {
  FrameParser parser(Sender::kHost, 4096);
  const std::string frame = MakeFrame(FrameType::kStart, std::string(kMaxStartBytes, 'x'));
  Feed(parser, std::string_view(frame).substr(0, 100));
  EXPECT_FALSE(parser.Next()->has_value());
  EXPECT_LE(parser.Space().size(), 2 * 4096U);
  Feed(parser, std::string_view(frame).substr(100));
  EXPECT_TRUE(parser.Next()->has_value());
  EXPECT_LE(parser.Space().size(), 2 * (kMaxStartBytes + 4096));
}

TEST(FrameParser, OffersMoreOnceItIsWidenedAndKeepsWhatHasArrived) {
  FrameParser parser(Sender::kHost, 4096);
  const std::string frame = MakeFrame(FrameType::kStart, std::string(1000, 'x'));
  Feed(parser, std::string_view(frame).substr(0, 500));
  parser.Widen(64 * 1024);
  EXPECT_GE(parser.Space().size(), 64 * 1024 - 500U);
  Feed(parser, std::string_view(frame).substr(500));
  const auto parsed = parser.Next();
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->payload, std::string(1000, 'x'));
}

TEST(FrameParser, EveryTypeOneByteOverItsLimitIsRefusedAndAtItIsNot) {
  for (int type = 0; type < 256; ++type) {
    for (const Sender sender : {Sender::kHost, Sender::kGuest}) {
      const auto max = MaxPayload(sender, static_cast<FrameType>(type));
      if (!max) continue;
      EXPECT_LE(*max, kMaxStartBytes);
      FrameHeader header{};
      const auto put = [&](size_t length) {
        for (size_t i = 0; i < 4; ++i) header[i] = static_cast<char>(length >> (8 * i) & 0xff);
        header[4] = static_cast<char>(type);
      };
      put(*max + 1);
      FrameParser over(sender);
      Feed(over, {header.data(), header.size()});
      EXPECT_FALSE(over.Next());
      put(*max);
      FrameParser at(sender);
      Feed(at, {header.data(), header.size()});
      EXPECT_TRUE(at.Next());
    }
  }
}

TEST(U64, IsLittleEndianAndComesBack) {
  char raw[8];
  StoreU64(raw, 0x0102030405060708);
  EXPECT_EQ(raw[0], 8);
  EXPECT_EQ(LoadU64(raw), 0x0102030405060708U);
}

}  // namespace
}  // namespace cay::protocol
