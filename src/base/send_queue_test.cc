#include "base/send_queue.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(SendQueue, GivesWhatWasPutIn) {
  SendQueue queue;
  queue.Append("abc");
  queue.Append("def");
  queue.Take(2);
  EXPECT_EQ(queue.front(), "cdef");
  queue.Append("g");
  EXPECT_EQ(queue.front(), "cdefg");
  queue.Take(5);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.front(), "");
}

TEST(SendQueue, HoldsLittleMoreThanWhatWaitsWhenItIsNeverEmpty) {
  SendQueue queue;
  const std::string piece(1000, 'x');
  queue.Append(piece);
  for (int round = 0; round < 10'000; ++round) {
    queue.Append(piece);
    queue.Take(piece.size());
    ASSERT_EQ(queue.size(), piece.size());
    ASSERT_LE(queue.held(), 4 * piece.size());
  }
}

}  // namespace
}  // namespace cay
