#include "network/relay/first_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using Kind = FirstBytesVerdict::Kind;
using ::testing::HasSubstr;

Policy PolicyOf(const Spec& spec) {
  auto policy = Policy::Compile(spec, {});
  EXPECT_TRUE(policy);
  return *std::move(policy);
}

std::string Number(size_t value, size_t bytes) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

// A TLS hello for a name, or without one.
std::string Hello(std::string_view name) {
  std::string extensions;
  if (!name.empty()) {
    const std::string list = Number(0, 1) + Number(name.size(), 2) + std::string(name);
    extensions = Number(0, 2) + Number(list.size() + 2, 2) + Number(list.size(), 2) + list;
  }
  const std::string body = "\x03\x03" + std::string(32, 'r') + Number(0, 1) + Number(2, 2) +
                           "\x13\x01" + Number(1, 1) + Number(0, 1) + Number(extensions.size(), 2) +
                           extensions;
  const std::string message = Number(1, 1) + Number(body.size(), 3) + body;
  return "\x16\x03\x01" + Number(message.size(), 2) + message;
}

class FirstBytes : public ::testing::Test {
 protected:
  Policy policy_ = PolicyOf({.mode = Mode::kAllow, .allow = {"example.com", "other.example"}});
  Destination https_{.name = "example.com", .address = Address::V4(0xC6120001), .port = 443};
  Destination http_{.name = "example.com", .address = Address::V4(0xC6120001), .port = 80};
};

TEST_F(FirstBytes, AHelloMustAskForTheName) {
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, Hello("example.com"), false).kind, Kind::kPass);
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, Hello("EXAMPLE.com"), false).kind, Kind::kPass);
  const auto fronted = JudgeFirstBytes(policy_, https_, Hello("hidden.example"), false);
  EXPECT_EQ(fronted.kind, Kind::kRefuse);
  EXPECT_THAT(fronted.reason, HasSubstr("hidden.example"));
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, Hello("other.example"), false).kind, Kind::kRefuse)
      << "allowed as well, and not where the connection goes";
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, Hello(""), false).kind, Kind::kRefuse);
}

TEST_F(FirstBytes, NothingIsDecidedBeforeTheHelloIsWhole) {
  const std::string hello = Hello("hidden.example");
  for (size_t i = 0; i + 1 < hello.size(); ++i)
    ASSERT_EQ(JudgeFirstBytes(policy_, https_, hello.substr(0, i), false).kind, Kind::kMore) << i;
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, hello.substr(0, 40), true).kind, Kind::kRefuse);
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, "", true).kind, Kind::kPass) << "it sends nothing";
}

TEST_F(FirstBytes, OtherProtocolsPassByTheirName) {
  EXPECT_EQ(JudgeFirstBytes(policy_, https_, "SSH-2.0-OpenSSH\r\n", false).kind, Kind::kPass);
  Destination database = https_;
  database.port = 5432;
  EXPECT_EQ(
      JudgeFirstBytes(policy_, database, std::string("\0\0\0\x08\x04\xd2\x16/", 8), false).kind,
      Kind::kPass);
}

TEST_F(FirstBytes, ARequestInTheClearMustBeForTheName) {
  const auto judge = [&](const std::string& head) {
    return JudgeFirstBytes(policy_, http_, head, false);
  };
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").kind, Kind::kPass);
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: example.com:80\r\n\r\n").kind, Kind::kPass);
  const auto fronted = judge("GET / HTTP/1.1\r\nHost: hidden.example\r\n\r\n");
  EXPECT_EQ(fronted.kind, Kind::kRefuse);
  EXPECT_TRUE(fronted.http);
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: example.com\r\nHost: hidden.example\r\n\r\n").kind,
            Kind::kRefuse);
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: exam").kind, Kind::kMore);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t i = 1; i <= preface.size(); ++i)
    EXPECT_NE(judge(preface.substr(0, i)).kind, Kind::kPass) << i;
  EXPECT_EQ(judge(preface).kind, Kind::kRefuse);
  EXPECT_EQ(judge("SSH-2.0-OpenSSH\r\n").kind, Kind::kPass);
  Destination elsewhere = http_;
  elsewhere.port = 3128;
  EXPECT_EQ(
      JudgeFirstBytes(policy_, elsewhere, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", false).kind,
      Kind::kPass)
      << "a proxy's requests are for others";
}

TEST_F(FirstBytes, AnAddressGetsRoundNoDenyingRule) {
  const Policy open = PolicyOf({.mode = Mode::kOpen, .deny = {"*.evil.example"}});
  const Destination literal{.name = "", .address = Address::V4(0x08080808), .port = 443};
  const auto denied = JudgeFirstBytes(open, literal, Hello("www.evil.example"), false);
  EXPECT_EQ(denied.kind, Kind::kRefuse);
  EXPECT_EQ(denied.rule, "*.evil.example");
  const auto passed = JudgeFirstBytes(open, literal, Hello("fine.example"), false);
  EXPECT_EQ(passed.kind, Kind::kPass);
  EXPECT_EQ(passed.seen_name, "fine.example");
}

// An address that was told for several names.
TEST_F(FirstBytes, OfAPinnedAddressEachOfItsNamesIsTaken) {
  Destination pinned{.name = "example.com",
                     .address = Address::V4(0x08080808),
                     .port = 443,
                     .pinned = true,
                     .also = {"other.example"}};
  EXPECT_EQ(JudgeFirstBytes(policy_, pinned, Hello("example.com"), false).kind, Kind::kPass);
  const auto other = JudgeFirstBytes(policy_, pinned, Hello("Other.example"), false);
  EXPECT_EQ(other.kind, Kind::kPass);
  EXPECT_EQ(other.seen_name, "other.example");
  EXPECT_EQ(JudgeFirstBytes(policy_, pinned, Hello("third.example"), false).kind, Kind::kRefuse);
  EXPECT_EQ(JudgeFirstBytes(policy_, pinned, Hello(""), false).kind, Kind::kRefuse);
}

TEST_F(FirstBytes, WhereThePinnedAddressItselfIsAllowedItIsJudgedAsOne) {
  const Policy open = PolicyOf({.mode = Mode::kOpen, .deny = {"*.evil.example"}});
  const Destination pinned{.name = "example.com",
                           .address = Address::V4(0x08080808),
                           .port = 443,
                           .pinned = true,
                           .by_address = true};
  EXPECT_EQ(JudgeFirstBytes(open, pinned, Hello(""), false).kind, Kind::kPass);
  EXPECT_EQ(JudgeFirstBytes(open, pinned, Hello("fine.example"), false).kind, Kind::kPass);
  EXPECT_EQ(JudgeFirstBytes(open, pinned, Hello("www.evil.example"), false).kind, Kind::kRefuse);
}

}  // namespace
}  // namespace cay::network
