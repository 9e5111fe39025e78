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
    return responder_.Reply(Question(name, type), 0, NameTable::Clock::now()).text;
  }

  Policy policy_ = PolicyOf({.mode = Mode::kAllow, .allow = {"example.com:443", "*.example.org"}});
  NameTable names_;
  std::vector<std::string> denied_;
  PeerNames peers_;
  PinnedNames pinned_;
  bool real_ = false;
  DnsResponder responder_{
      {.policy = policy_, .peers = peers_, .names = names_, .pinned = pinned_},
      [this](const std::string&) { return real_; },
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
  EXPECT_EQ(responder_.Reply("", 0, now).text, "");
  EXPECT_EQ(responder_.Reply("x", 0, now).text, "");
  std::string response = Question("example.com", 1);
  response[2] = static_cast<char>(0x81);  // QR: an answer to an answer would go on for ever
  const std::string reply = responder_.Reply(response, 0, now).text;
  EXPECT_TRUE(reply.empty() || (CodeOf(reply) == 1 && AnswersOf(reply) == 0)) << reply.size();
  std::string update = Question("example.com", 1);
  update[2] = 0x28;
  EXPECT_EQ(CodeOf(responder_.Reply(update, 0, now).text), 4);
}

// What the name's own servers are asked, when they are.
class RealNamesTest : public DnsResponderTest {
 protected:
  RealNamesTest() { real_ = true; }
  DnsResponder::Replied Put(std::string_view name, uint16_t type) {
    return responder_.Reply(Question(name, type), 0, NameTable::Clock::now());
  }
};

TEST_F(RealNamesTest, AnAllowedNameIsLeftOpenForWhatItsServersKnow) {
  for (const uint16_t type : std::initializer_list<uint16_t>{1, 15, 16, 28, 33}) {
    const auto reply = Put("Example.com", type);
    EXPECT_EQ(reply.text, "");
    ASSERT_TRUE(reply.open) << type;
    EXPECT_EQ(reply.open->name, "example.com");
    EXPECT_EQ(reply.open->query.type, type);
  }
  for (const uint16_t type : std::initializer_list<uint16_t>{2, 5, 6, 12, 64, 65, 255}) {
    const auto reply = Put("example.com", type);
    EXPECT_FALSE(reply.open) << type;
    EXPECT_EQ(CodeOf(reply.text), 0) << type;
    EXPECT_EQ(AnswersOf(reply.text), 0U) << type;
  }
}

TEST_F(RealNamesTest, NobodyIsAskedForWhatIsNotAllowedNorForPeers) {
  EXPECT_FALSE(Put("evil.example", 16).open);
  EXPECT_EQ(CodeOf(Ask("evil.example", 16)), 3);
  EXPECT_THAT(denied_, ElementsAre("evil.example", "evil.example"));
  EXPECT_FALSE(Put("localhost", 1).open);
  peers_.emplace("db", "x");
  EXPECT_FALSE(Put("db", 1).open);
  EXPECT_EQ(AnswersOf(Ask("db")), 1U);
}

TEST_F(RealNamesTest, WhatWasOpenIsClosedWithWhatTheyKnow) {
  const auto mx = Put("example.com", 15);
  ASSERT_TRUE(mx.open);
  const std::string data(
      "\x00\x0a\x04mail\x07"
      "example\x03"
      "com\x00",
      20);
  const std::vector<Record> records = {{.type = RecordType::kMx, .ttl_seconds = 60, .data = data}};
  const std::string reply = DnsResponder::Close(*mx.open, Rcode::kOk, records);
  EXPECT_EQ(CodeOf(reply), 0);
  EXPECT_EQ(AnswersOf(reply), 1U);
  EXPECT_NE(reply.find(data), std::string::npos);
  EXPECT_EQ(CodeOf(DnsResponder::Close(*mx.open, Rcode::kFailed, {})), 2);
  const std::string none = DnsResponder::Close(*mx.open, Rcode::kOk, {});
  EXPECT_EQ(CodeOf(none), 0);
  EXPECT_EQ(AnswersOf(none), 0U);
}

TEST_F(RealNamesTest, AnAddressThatWasToldLeadsBack) {
  const std::vector<Address> told = {Address::V4(0x0808'0808)};
  ASSERT_TRUE(pinned_.Pin("example.com", told, NameTable::Clock::now()));
  EXPECT_EQ(AnswersOf(Ask("8.8.8.8.in-addr.arpa", 12)), 1U);
  EXPECT_EQ(CodeOf(Ask("9.8.8.8.in-addr.arpa", 12)), 3);
}

}  // namespace
}  // namespace cay::network
