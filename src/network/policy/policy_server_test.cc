// That no sandbox reaches the API of the server it runs under, by whatever name or address.
#include <gtest/gtest.h>

#include "network/policy/policy.h"

namespace cay::network {
namespace {

using Texts = std::vector<std::string>;

constexpr uint16_t kApi = 8888;
constexpr std::string_view kHost = "host.cay.internal";

Address Parsed(std::string_view text) { return Address::Parse(text).value(); }

// With rules that reach everything else.
Policy Under(Texts server, Texts private_allowed = {}) {
  Texts permitted = {"host.cay.internal", "0.0.0.0/0", "::/0", "64:ff9b::/96"};
  permitted.insert(permitted.end(), private_allowed.begin(), private_allowed.end());
  auto policy = Policy::Compile(
      {.mode = Mode::kOpen,
       .allow = {"host.cay.internal", "0.0.0.0/0", "::/0", "64:ff9b::/96", "example.com"}},
      {.private_allowed = std::move(permitted), .server = std::move(server)});
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().ToString());
  return policy.value_or(Policy{});
}

bool IsTheServer(const Policy& policy, std::string_view name, std::string_view address, bool own,
                 uint16_t port = kApi) {
  const Decision decision = policy.OfAddress(name, Parsed(address), port, own);
  if (decision.why != Why::kServer) return false;
  EXPECT_FALSE(decision.allowed);
  return true;
}

TEST(PolicyServer, WhereItListensNobodyConnects) {
  const Policy policy = Under({"10.1.2.3:8888", "[fd00::7]:8888", "198.51.100.7:8888"});
  for (const std::string_view name : {"", "example.com"}) {
    EXPECT_TRUE(IsTheServer(policy, name, "10.1.2.3", true)) << name;
    EXPECT_TRUE(IsTheServer(policy, name, "10.1.2.3", false)) << name;
    EXPECT_TRUE(IsTheServer(policy, name, "::ffff:10.1.2.3", false)) << name;
    EXPECT_TRUE(IsTheServer(policy, name, "fd00::7", false)) << name;
    EXPECT_TRUE(IsTheServer(policy, name, "64:ff9b::198.51.100.7", false)) << name;
    EXPECT_FALSE(IsTheServer(policy, name, "10.1.2.3", true, kApi + 1)) << name;
    EXPECT_FALSE(IsTheServer(policy, name, "10.1.2.4", true)) << name;
  }
  EXPECT_TRUE(policy.OfAddress("", Parsed("10.1.2.4"), kApi, false).allowed);
  EXPECT_TRUE(policy.OfAddress("", Parsed("10.1.2.3"), kApi + 1, false).allowed);
  EXPECT_TRUE(policy.OfAddress(kHost, Parsed("127.0.0.1"), kApi, true).allowed)
      << "nothing of the server is there";
}

TEST(PolicyServer, OnALoopbackAddressTheMachinesNamesDoNotLeadToIt) {
  for (const char* at : {"127.0.0.1:8888", "[::1]:8888"}) {
    const Policy policy = Under({at});
    for (const std::string_view name : {"host.cay.internal", "HOST.docker.internal."}) {
      EXPECT_TRUE(IsTheServer(policy, name, "127.0.0.1", true)) << at;
      EXPECT_TRUE(IsTheServer(policy, name, "::1", true)) << at;
      EXPECT_TRUE(policy.OfAddress(name, Parsed("127.0.0.1"), 5432, true).allowed) << at;
    }
    EXPECT_TRUE(IsTheServer(policy, "", "0.0.0.0", false)) << at;
    EXPECT_TRUE(IsTheServer(policy, "", "::", false)) << at;
  }
  const Policy policy = Under({"127.0.0.1:8888"});
  EXPECT_TRUE(IsTheServer(policy, "example.com", "127.0.0.1", true)) << "a name that leads here";
  EXPECT_TRUE(IsTheServer(policy, "", "::ffff:127.0.0.1", true));
  EXPECT_FALSE(IsTheServer(policy, "", "127.0.0.2", true)) << "nothing of it listens there";
}

TEST(PolicyServer, OnEveryAddressNoneOfTheMachinesLeadsToIt) {
  for (const char* at : {"0.0.0.0:8888", "[::]:8888"}) {
    const Policy policy = Under({at});
    for (const char* own : {"127.0.0.1", "127.0.0.2", "::1", "10.1.2.3", "fd00::7", "203.0.114.9",
                            "2001:4860::9", "::ffff:10.1.2.3", "0.0.0.0", "::"}) {
      EXPECT_TRUE(IsTheServer(policy, "", own, true)) << at << " " << own;
      EXPECT_TRUE(IsTheServer(policy, "example.com", own, true)) << at << " " << own;
      EXPECT_TRUE(IsTheServer(policy, kHost, own, true)) << at << " " << own;
      EXPECT_FALSE(IsTheServer(policy, "", own, true, 80)) << at << " " << own;
    }
    EXPECT_FALSE(IsTheServer(policy, "", "10.1.2.3", false)) << "of another machine";
    EXPECT_FALSE(IsTheServer(policy, "", "8.8.8.8", false));
  }
}

TEST(PolicyServer, OnlyTheAdministratorsRuleForExactlyItOpensIt) {
  const auto reached = [](Texts private_allowed) {
    return Under({"0.0.0.0:8888"}, std::move(private_allowed))
        .OfAddress(kHost, Parsed("127.0.0.1"), kApi, true)
        .allowed;
  };
  EXPECT_FALSE(reached({}));
  EXPECT_FALSE(reached({"127.0.0.1"})) << "no port";
  EXPECT_FALSE(reached({"127.0.0.0/8:8888"})) << "a range";
  EXPECT_FALSE(reached({"127.0.0.1:8888-8889"})) << "several ports";
  EXPECT_FALSE(reached({"127.0.0.1:80,8888"}));
  EXPECT_FALSE(reached({"10.1.2.3:8888"})) << "another address";
  EXPECT_FALSE(reached({"host.cay.internal:8000-9000"}));
  EXPECT_TRUE(reached({"127.0.0.1:8888"}));
  EXPECT_TRUE(reached({"host.cay.internal:8888"}));
  // Which says nothing of addresses.
  EXPECT_FALSE(Under({"10.1.2.3:8888"}, {"host.cay.internal:8888"})
                   .OfAddress("", Parsed("10.1.2.3"), kApi, false)
                   .allowed);
  EXPECT_TRUE(Under({"10.1.2.3:8888"}, {"10.1.2.3:8888"})
                  .OfAddress("", Parsed("10.1.2.3"), kApi, false)
                  .allowed);
}

TEST(PolicyServer, TheReasonIsSaid) {
  const Policy policy = Under({"127.0.0.1:8888"});
  const Address address = Parsed("127.0.0.1");
  EXPECT_EQ(Explain(policy.OfAddress(kHost, address, kApi, true), kHost, &address),
            "it is the server's own API");
}

TEST(PolicyServer, WhatIsNoAddressIsAnError) {
  for (const char* wrong : {"127.0.0.1:0", "[::1", "127.0.0.1:x"})
    EXPECT_FALSE(Policy::Compile({}, {.server = {wrong}})) << wrong;
}

}  // namespace
}  // namespace cay::network
