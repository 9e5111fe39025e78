#include "network/names/dns_responder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Question(std::string_view name, uint16_t type) {
  std::string bytes("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  while (!name.empty()) {
    const size_t end = std::min(name.find('.'), name.size());
    bytes += static_cast<char>(end);
    bytes += name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  bytes += '\0';
  bytes += static_cast<char>(type >> 8);
  bytes += static_cast<char>(type & 0xff);
  return bytes + std::string("\x00\x01", 2);
}

uint8_t CodeOf(const std::string& reply) { return static_cast<uint8_t>(reply.at(3)) & 0x0f; }
size_t AnswersOf(const std::string& reply) {
  return static_cast<size_t>(static_cast<uint8_t>(reply.at(6)) << 8 |
                             static_cast<uint8_t>(reply.at(7)));
}

class DnsResponderTest : public ::testing::Test {
 protected:
  static Policy PolicyOf(const Spec& spec) {
    auto policy = Policy::Compile(spec, {});
    EXPECT_TRUE(policy);
    return *std::move(policy);
  }
  std::string Ask(std::string_view name, uint16_t type = 1) {
    return responder_.Reply(Question(name, type), 0, NameTable::Clock::now());
  }

  Policy policy_ = PolicyOf({.mode = Mode::kAllow, .allow = {"example.com:443", "*.example.org"}});
  NameTable names_;
  std::vector<std::string> denied_;
  PeerNames peers_;
  DnsResponder responder_{
      policy_, peers_, names_,
      [this](const std::string& name, const Decision&) { denied_.push_back(name); }};
};

TEST_F(DnsResponderTest, AnAllowedNameHasAnAddressThatLeadsBack) {
  const std::string reply = Ask("Example.COM");
  EXPECT_EQ(CodeOf(reply), 0);
  ASSERT_EQ(AnswersOf(reply), 1U);
  const auto at = reply.find(std::string("\xc6\x12\x00\x01", 4));
  EXPECT_NE(at, std::string::npos) << "198.18.0.1";
  EXPECT_EQ(names_.NameOf(Address::V4(0xC612'0001), NameTable::Clock::now()), "example.com");
  const std::string back = Ask("1.0.18.198.in-addr.arpa", 12);
  EXPECT_EQ(AnswersOf(back), 1U);
  EXPECT_NE(back.find(std::string("\x07"
                                  "example\x03"
                                  "com",
                                  12)),
            std::string::npos);
  EXPECT_EQ(CodeOf(Ask("2.0.18.198.in-addr.arpa", 12)), 3);
  EXPECT_THAT(denied_, IsEmpty());
}

TEST_F(DnsResponderTest, ItHasNothingElse) {
  for (const uint16_t type : std::initializer_list<uint16_t>{28, 65, 64, 15, 16, 33, 255}) {
    const std::string reply = Ask("example.com", type);
    EXPECT_EQ(CodeOf(reply), 0) << type;
    EXPECT_EQ(AnswersOf(reply), 0U) << type;
  }
  EXPECT_EQ(names_.size(), 0U);
}

TEST_F(DnsResponderTest, AnyOtherNameDoesNotExistAndIsTold) {
  for (const char* name :
       {"evil.example", "example.org", "www.example.com", "c2VjcmV0.tunnel.example"})
    EXPECT_EQ(CodeOf(Ask(name)), 3) << name;
  EXPECT_THAT(denied_, ElementsAre("evil.example", "example.org", "www.example.com",
                                   "c2vjcmv0.tunnel.example"));
  EXPECT_EQ(CodeOf(Ask("a.example.org")), 0);
  EXPECT_EQ(CodeOf(Ask("10.2.0.192.in-addr.arpa", 12)), 3);
  EXPECT_EQ(CodeOf(Ask("")), 3) << "the root";
}

TEST_F(DnsResponderTest, ThePeersNamesComeBeforeAllRules) {
  policy_ = PolicyOf({.deny = {"db"}});
  EXPECT_EQ(CodeOf(Ask("db")), 3);
  peers_ = {{"db", "its-id"}, {"web.v2", "another"}};
  EXPECT_EQ(AnswersOf(Ask("DB")), 1U);
  EXPECT_EQ(AnswersOf(Ask("web.v2")), 1U);
  EXPECT_EQ(CodeOf(Ask("web")), 3);
  EXPECT_EQ(CodeOf(Ask("a.db")), 3);
  peers_.clear();
  EXPECT_EQ(CodeOf(Ask("db")), 3) << "it is gone";
}

TEST_F(DnsResponderTest, LocalhostIsTheSandboxItself) {
  EXPECT_EQ(AnswersOf(Ask("localhost")), 1U);
  EXPECT_EQ(AnswersOf(Ask("db.localhost")), 1U);
  EXPECT_EQ(AnswersOf(Ask("localhost", 28)), 0U);
  EXPECT_THAT(denied_, IsEmpty());
}

TEST_F(DnsResponderTest, AFullTableIsATemporaryFailure) {
  for (size_t i = 0; i < NameTable::kMaxNames; ++i)
    ASSERT_EQ(CodeOf(Ask("n" + std::to_string(i) + ".example.org")), 0);
  EXPECT_EQ(CodeOf(Ask("one-more.example.org")), 2);
  EXPECT_EQ(CodeOf(Ask("n7.example.org")), 0) << "those that are known go on";
}

TEST_F(DnsResponderTest, WhatIsNoQuestionHasAnAnswerOnlyWhereOneIsDue) {
  const auto now = NameTable::Clock::now();
  EXPECT_EQ(responder_.Reply("", 0, now), "");
  EXPECT_EQ(responder_.Reply("x", 0, now), "");
  std::string response = Question("example.com", 1);
  response[2] = static_cast<char>(0x81);  // QR: an answer to an answer would go on for ever
  const std::string reply = responder_.Reply(response, 0, now);
  EXPECT_TRUE(reply.empty() || (CodeOf(reply) == 1 && AnswersOf(reply) == 0)) << reply.size();
  std::string update = Question("example.com", 1);
  update[2] = 0x28;
  EXPECT_EQ(CodeOf(responder_.Reply(update, 0, now)), 4);
}

}  // namespace
}  // namespace cay::network
