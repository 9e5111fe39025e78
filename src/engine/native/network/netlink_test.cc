#include "engine/native/network/netlink.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <map>

#include "base/os/sys.h"
#include "engine/native/network/redirect_rules.h"

namespace cay::engine::native {
namespace {

// Attribute by attribute, as the kernel walks them; nothing where they do not add up.
std::optional<std::map<uint16_t, std::string>> AttributesOf(std::string_view bytes) {
  std::map<uint16_t, std::string> attributes;
  while (!bytes.empty()) {
    nlattr head{};
    if (bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    const size_t whole = NLA_ALIGN(head.nla_len);
    if (head.nla_len < sizeof head || whole > bytes.size()) return std::nullopt;
    const auto type = static_cast<uint16_t>(head.nla_type & NLA_TYPE_MASK);
    attributes[type] = bytes.substr(sizeof head, head.nla_len - sizeof head);
    bytes.remove_prefix(whole);
  }
  return attributes;
}

struct Message {
  nlmsghdr head{};
  std::string_view rest;
};

std::vector<Message> MessagesOf(std::string_view bytes) {
  std::vector<Message> messages;
  while (bytes.size() >= sizeof(nlmsghdr)) {
    Message message;
    std::memcpy(&message.head, bytes.data(), sizeof message.head);
    if (message.head.nlmsg_len < sizeof message.head || message.head.nlmsg_len > bytes.size())
      break;
    message.rest = bytes.substr(sizeof message.head, message.head.nlmsg_len - sizeof message.head);
    messages.push_back(message);
    bytes.remove_prefix(message.head.nlmsg_len);
  }
  EXPECT_TRUE(bytes.empty()) << "what is left is no message";
  return messages;
}

TEST(Netlink, MessagesAndAttributesAreAlignedAndSayHowLongTheyAre) {
  NetlinkMessages built;
  built.Bound(7, rtgenmsg{}, "a bound");
  built.Begin(RTM_NEWADDR, NLM_F_CREATE, ifaddrmsg{}, "an address");
  built.PutText(1, "lo");
  built.Put32Be(2, 0x01020304);
  built.Nest(3, [&] {
    built.Put(4, "12345");
    built.Put32(5, uint32_t{6});
  });
  built.End();
  const auto messages = MessagesOf(built.bytes());
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].head.nlmsg_flags, NLM_F_REQUEST);
  EXPECT_EQ(messages[1].head.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE);
  EXPECT_EQ(messages[1].head.nlmsg_seq, 1U);
  EXPECT_EQ(built.acknowledged(), 1U);
  EXPECT_EQ(built.What(1), "an address");
  const auto attributes = AttributesOf(messages[1].rest.substr(sizeof(ifaddrmsg)));
  ASSERT_TRUE(attributes);
  EXPECT_EQ(attributes->at(1), std::string("lo\0", 3));
  EXPECT_EQ(attributes->at(2), "\1\2\3\4");
  const auto nested = AttributesOf(attributes->at(3));
  ASSERT_TRUE(nested);
  EXPECT_EQ(nested->at(4), "12345");
  EXPECT_EQ(nested->size(), 2U);
}

TEST(Netlink, TheFirstRefusalIsToldWithWhatItIsOf) {
  const auto socket = OpenNetlink(NETLINK_ROUTE);
  ASSERT_TRUE(socket) << socket.error().ToString();
  NetlinkMessages messages;
  for (const char* what : {"one", "two"}) {
    messages.Begin(RTM_NEWADDR, 0, ifaddrmsg{}, what);  // of no interface
    messages.End();
  }
  const auto refusal = Ask(*socket, messages);
  ASSERT_TRUE(refusal) << refusal.error().ToString();
  ASSERT_TRUE(*refusal);
  EXPECT_EQ((*refusal)->number, 0U);
  EXPECT_TRUE((*refusal)->ToError().message().starts_with("one: "));
  EXPECT_FALSE(*Ask(*OpenNetlink(NETLINK_ROUTE), messages, {(*refusal)->sys_errno}));
}

TEST(Netlink, WhatCannotBeSentIsAnError) {
  const auto socket = OpenNetlink(NETLINK_ROUTE);
  ASSERT_TRUE(socket);
  const sys::ScopedFault fault(sys::Call::kNetlink, ENOBUFS);
  EXPECT_EQ(Ask(*socket, NetlinkMessages()).error().sys_errno(), ENOBUFS);
}

TEST(RedirectRules, AreOneBatchOfATableAChainAndThreeRulesForEachFamily) {
  const NetlinkMessages with =
      RedirectRules({.tcp = 1, .dns = 2}, RedirectPorts{.tcp = 3, .dns = 4});
  EXPECT_EQ(with.acknowledged(), 10U);
  EXPECT_EQ(MessagesOf(with.bytes()).size(), 12U);
  const NetlinkMessages without = RedirectRules({.tcp = 1, .dns = 2}, std::nullopt);
  EXPECT_EQ(MessagesOf(without.bytes()).size(), 7U);
}

}  // namespace
}  // namespace cay::engine::native
