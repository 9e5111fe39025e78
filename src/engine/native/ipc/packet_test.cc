#include "engine/native/ipc/packet.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "engine/native/ipc/few_descriptors.h"

namespace cay::engine::native {
namespace {

TEST(Packet, BringsItsBodyAndItsDescriptors) {
  const auto pair = MakeSocketPair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  ASSERT_TRUE(SendPacket(pair->first, PacketType::kReply, "body", {&pair->first}));
  const auto packet = ReceivePacket(pair->second);
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->body, "body");
  EXPECT_EQ((*packet)->fds.size(), 1U);
}

TEST(Packet, WhoHasNoDescriptorsLeftIsToldSoAndCanGoOn) {
  const auto pair = MakeSocketPair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  ASSERT_TRUE(SendPacket(pair->first, PacketType::kReply, "first", {&pair->first}));
  ASSERT_TRUE(SendPacket(pair->first, PacketType::kReply, "second", {&pair->first}));
  {
    const FewDescriptors none(0);
    const auto packet = ReceivePacket(pair->second);
    ASSERT_FALSE(packet);
    EXPECT_EQ(packet.error().code(), ErrorCode::kResourceExhausted);
    EXPECT_EQ(packet.error().sys_errno(), EMFILE);
    EXPECT_NE(packet.error().message().find("Too many open files"), std::string::npos);
  }
  const auto second = ReceivePacket(pair->second);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->body, "second");
  EXPECT_EQ((*second)->fds.size(), 1U);
}

}  // namespace
}  // namespace cay::engine::native
