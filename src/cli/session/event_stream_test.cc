#include "cli/session/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace cay::cli {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

std::vector<ServerEvent> ParseInPieces(std::string_view text, size_t piece) {
  EventStreamParser parser;
  std::vector<ServerEvent> events;
  for (size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(parser.Feed(text.substr(at, piece)));
    while (auto event = parser.Next()) events.push_back(*std::move(event));
  }
  return events;
}

TEST(EventStreamTest, AnEventHasTypeDataAndId) {
  EXPECT_THAT(ParseInPieces("id: 7\nevent: stdout\ndata: {\"seq\":0}\n\n", 1000),
              ElementsAre(ServerEvent{"stdout", "{\"seq\":0}", "7"}));
}

TEST(EventStreamTest, PiecesOfAnySizeAndAllLineEndsGiveTheSame) {
  const std::string text =
      "\xEF\xBB\xBFid:1\r\nevent:a\r\ndata:x\r\n\r\n: ping\n\ndata: y\rdata:  z\r\rdata\n\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_THAT(ParseInPieces(text, piece),
                ElementsAre(ServerEvent{"a", "x", "1"}, ServerEvent{"message", "y\n z", "1"},
                            ServerEvent{"message", "", "1"}))
        << piece;
  }
}

TEST(EventStreamTest, AnEventWithoutDataIsNone) {
  EXPECT_TRUE(ParseInPieces("event: stdout\nid: 3\n\n", 4).empty());
  // Its id is remembered all the same; its type is not.
  EXPECT_THAT(ParseInPieces("event: stdout\nid: 3\n\ndata: x\n\n", 4),
              ElementsAre(ServerEvent{"message", "x", "3"}));
}

TEST(EventStreamTest, AnEventThatIsNotEndedIsNotGiven) {
  EXPECT_TRUE(ParseInPieces("data: x\n", 100).empty());
}

TEST(EventStreamTest, AnIdWithNulAndUnknownFieldsAreIgnored) {
  const std::string text("id: 5\n\nid: a\0b\nretry: 10\nnonsense\n:\ndata: x\n\n"s);
  EXPECT_THAT(ParseInPieces(text, 100), ElementsAre(ServerEvent{"message", "x", "5"}));
}

TEST(EventStreamTest, ALineWithoutEndIsBounded) {
  EventStreamParser parser;
  const std::string piece(1 << 20, 'x');
  ASSERT_TRUE(parser.Feed("data:"));
  Result<void> fed;
  for (int i = 0; i < 5 && fed; ++i) fed = parser.Feed(piece);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kProtocol);
}

TEST(EventStreamTest, AnEventOfManyLinesIsBounded) {
  EventStreamParser parser;
  const std::string line = "data:" + std::string(1 << 16, 'x') + "\n";
  Result<void> fed;
  for (int i = 0; i < 70 && fed; ++i) fed = parser.Feed(line);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kProtocol);
}

TEST(EventStreamTest, EmptyDataLinesAreBoundedToo) {
  EventStreamParser parser;
  std::string lines;
  for (int i = 0; i < 1 << 16; ++i) lines += "data\n";
  Result<void> fed;
  for (int i = 0; i < 80 && fed; ++i) fed = parser.Feed(lines);
  ASSERT_FALSE(fed);
}

}  // namespace
}  // namespace cay::cli
