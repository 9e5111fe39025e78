#include "api/gate/host_policy.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

constexpr std::string_view kId = "abcdefghij0123456789";
const http::Peer kLoopback = {.address = "127.0.0.1", .loopback = true};
const http::Peer kElsewhere = {.address = "192.0.2.1"};
const http::Peer kUnix = {.address = "unix", .loopback = true, .unix_socket = true};

http::Request From(std::string host, std::string origin, std::string method = "POST") {
  http::Request request;
  request.method = std::move(method);
  request.headers.Add("Host", std::move(host));
  if (!origin.empty()) request.headers.Add("Origin", std::move(origin));
  return request;
}

TEST(HostOf, TakesThePortAwayAndMakesLettersSmall) {
  EXPECT_EQ(HostOf("LocalHost:8888"), "localhost");
  EXPECT_EQ(HostOf("[::1]:80"), "[::1]");
  EXPECT_EQ(HostOf("example.com."), "example.com");
  EXPECT_EQ(HostOf("127.0.0.1"), "127.0.0.1");
}

TEST(HostOf, RefusesWhatIsNoHost) {
  for (const char* text : {"", ":80", "a b", "a/b", "[::1", "[::1]x", "localhost:99999",
                           "localhost:80:80", "a@b", "localhost:x", "[fe80::1%eth0]", "."}) {
    EXPECT_FALSE(HostOf(text)) << text;
  }
}

TEST(HostAllowed, LoopbackAnswersOnlyToItsOwnNames) {
  const GateOptions options;
  for (const char* host : {"localhost", "127.0.0.1", "[::1]"}) {
    EXPECT_TRUE(HostAllowed(options, host, kLoopback)) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "127.0.0.2", "0.0.0.0", "evil.localhost", "1-x.localhost"}) {
    EXPECT_FALSE(HostAllowed(options, host, kLoopback)) << host;
  }
}

TEST(HostAllowed, TakesConfiguredNamesAndPortsOfSandboxes) {
  const GateOptions options = {.allowed_hosts = {"Cay.Example"}, .port_domains = {"boxes.example"}};
  EXPECT_TRUE(HostAllowed(options, "cay.example", kLoopback));
  EXPECT_TRUE(HostAllowed(options, "80-" + std::string(kId) + ".localhost", kLoopback));
  EXPECT_TRUE(HostAllowed(options, "80-" + std::string(kId) + ".boxes.example", kElsewhere));
  EXPECT_FALSE(HostAllowed(options, "other.example", kElsewhere));
  EXPECT_TRUE(HostAllowed({}, "other.example", kElsewhere));
  EXPECT_TRUE(HostAllowed({}, "other.example", kUnix));
}

TEST(PortHostOf, TakesThePortAndTheSandbox) {
  const auto found = PortHostOf({}, "8080-" + std::string(kId) + ".localhost");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->port, 8080);
  EXPECT_EQ(found->sandbox, kId);
  for (const std::string& host : std::initializer_list<std::string>{
           "0-" + std::string(kId) + ".localhost", "65536-" + std::string(kId) + ".localhost",
           std::string(kId) + ".localhost", "80-short.localhost",
           "80-" + std::string(kId) + ".evil.example", "80-" + std::string(kId) + ".x.localhost",
           "-" + std::string(kId) + ".localhost"}) {
    EXPECT_FALSE(PortHostOf({}, host)) << host;
  }
}

TEST(JudgeOrigin, IsSatisfiedWithoutOne) {
  EXPECT_EQ(JudgeOrigin({}, From("localhost:8888", ""), false), OriginVerdict::kNone);
}

TEST(JudgeOrigin, KnowsItsOwnPages) {
  EXPECT_EQ(JudgeOrigin({}, From("localhost:8888", "http://localhost:8888"), false),
            OriginVerdict::kSame);
  EXPECT_EQ(JudgeOrigin({}, From("localhost:80", "http://localhost"), false), OriginVerdict::kSame);
  EXPECT_EQ(JudgeOrigin({}, From("cay.example", "https://cay.example"), false),
            OriginVerdict::kSame);
}

TEST(JudgeOrigin, RefusesEverybodyElse) {
  for (const char* origin :
       {"http://evil.example", "null", "http://localhost:9999", "http://localhost", "file://",
        "http://80-x.localhost:8888", "http://localhost:8888.evil.example",
        "http://localhost:8888/", "chrome-extension://abc", ""}) {
    http::Request request = From("localhost:8888", "");
    request.headers.Add("Origin", origin);
    EXPECT_EQ(JudgeOrigin({}, request, true), OriginVerdict::kForeign) << origin;
  }
}

TEST(JudgeOrigin, TakesThoseThatWereNamed) {
  const GateOptions one = {.allowed_origins = {"https://app.example"}};
  EXPECT_EQ(JudgeOrigin(one, From("localhost", "https://app.example"), false),
            OriginVerdict::kAllowed);
  EXPECT_EQ(JudgeOrigin(one, From("localhost", "http://app.example"), false),
            OriginVerdict::kForeign);
  EXPECT_EQ(JudgeOrigin(one, From("localhost", "https://app.example.evil"), false),
            OriginVerdict::kForeign);
}

TEST(JudgeOrigin, TakesAnyOnlyWhereKeysAreNeeded) {
  const GateOptions any = {.allowed_origins = {"*"}};
  EXPECT_EQ(JudgeOrigin(any, From("localhost", "http://evil.example"), true),
            OriginVerdict::kAllowed);
  EXPECT_EQ(JudgeOrigin(any, From("localhost", "http://evil.example"), false),
            OriginVerdict::kForeign);
}

TEST(JudgeOrigin, RefusesWhatABrowserFetchesForAnotherSiteWithoutAnOrigin) {
  for (const char* site : {"cross-site", "same-site"}) {
    http::Request request = From("localhost:8888", "", "GET");
    request.headers.Add("Sec-Fetch-Site", site);
    EXPECT_EQ(JudgeOrigin({}, request, false), OriginVerdict::kForeign) << site;
    request.headers.Add("Sec-Fetch-Mode", "navigate");
    EXPECT_EQ(JudgeOrigin({}, request, false), OriginVerdict::kForeign) << site;
    request.headers.Set("Host", "80-" + std::string(kId) + ".localhost:8888");
    EXPECT_EQ(JudgeOrigin({}, request, false), OriginVerdict::kNone) << site;
  }
}

}  // namespace
}  // namespace cay::api
