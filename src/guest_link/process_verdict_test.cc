#include "guest_link/process_verdict.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

protocol::Info Free(uint64_t bytes, uint64_t inodes) {
  protocol::Info info;
  info.disk_free_bytes = bytes;
  info.inodes_free = inodes;
  return info;
}

TEST(DiskIsFull, WhenAWriteWouldBeRefused) {
  EXPECT_FALSE(DiskIsFull(Free(kMiB, 1), kGiB));
  EXPECT_TRUE(DiskIsFull(Free(kMiB - 1, 1), kGiB));
  EXPECT_TRUE(DiskIsFull(Free(kGiB, 0), kGiB));
  EXPECT_FALSE(DiskIsFull(Free(64 * kKiB, 1), kMiB));
  EXPECT_TRUE(DiskIsFull(Free(64 * kKiB - 1, 1), kMiB));
}

TEST(FileSizeExceeded, BySignalOrByAShellsWord) {
  EXPECT_TRUE(FileSizeExceeded(25, 0));
  EXPECT_TRUE(FileSizeExceeded(0, 153));
  EXPECT_FALSE(FileSizeExceeded(0, 25));
  EXPECT_FALSE(FileSizeExceeded(9, 137));
}

TEST(CpuTimeExceeded, BySignalByAShellsWordOrKilledWithAllOfItUsed) {
  EXPECT_TRUE(CpuTimeExceeded(24, 0, 0, Millis(0)));
  EXPECT_TRUE(CpuTimeExceeded(0, 152, 0, Millis(0)));
  EXPECT_TRUE(CpuTimeExceeded(9, 0, 2000, Millis(2000)));
  EXPECT_FALSE(CpuTimeExceeded(9, 0, 1999, Millis(2000)));
  EXPECT_FALSE(CpuTimeExceeded(9, 0, 2000, Millis(0)));
  EXPECT_FALSE(CpuTimeExceeded(15, 0, 2000, Millis(2000)));
  EXPECT_FALSE(CpuTimeExceeded(0, 24, 2000, Millis(2000)));
}

TEST(RanOutOfMemory, WhenTheKernelsCountGrew) {
  EXPECT_TRUE(RanOutOfMemory(0, 1));
  EXPECT_FALSE(RanOutOfMemory(1, 1));
  EXPECT_FALSE(RanOutOfMemory(0, std::nullopt));
}

TEST(SignalText, IsItsName) {
  EXPECT_EQ(SignalText(9), "SIGKILL");
  EXPECT_EQ(SignalText(37), "SIGRTMIN+3");
}

}  // namespace
}  // namespace cay
