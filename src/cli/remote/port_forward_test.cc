#include "cli/remote/port_forward.h"

#include <gtest/gtest.h>

#include "http/client/client.h"
#include "http/server/server.h"

namespace cay::cli {
namespace {

constexpr std::string_view kPrefix = "/api/sandboxes/x/ports/80";

TEST(ForwardTarget, PutsThePrefixBefore) {
  EXPECT_EQ(ForwardTarget(kPrefix, "/").value(), "/api/sandboxes/x/ports/80/");
  EXPECT_EQ(ForwardTarget(kPrefix, "/a%20b?c=/../d").value(),
            "/api/sandboxes/x/ports/80/a%20b?c=/../d");
  EXPECT_EQ(ForwardTarget(kPrefix, "/...").value(), "/api/sandboxes/x/ports/80/...");
}

TEST(ForwardTarget, TakesAPrefixedOneAsItIs) {
  EXPECT_EQ(ForwardTarget(kPrefix, "/api/sandboxes/x/ports/80/a").value(),
            "/api/sandboxes/x/ports/80/a");
  EXPECT_EQ(ForwardTarget(kPrefix, "/api/sandboxes/x/ports/80?a").value(),
            "/api/sandboxes/x/ports/80?a");
  EXPECT_EQ(ForwardTarget(kPrefix, "/api/sandboxes/x/ports/8080/a").value(),
            "/api/sandboxes/x/ports/80/api/sandboxes/x/ports/8080/a");
}

TEST(ForwardTarget, NeverLeavesThePrefix) {
  for (const char* target :
       {"/..", "/../a", "/a/./b", "/%2e%2E/a", "/a%2f..%2fb", "/a\\..\\b", "/a%5c..%5cb",
        "/api/sandboxes/x/ports/80/../81", "http://elsewhere/", "*", "", "/%zz"}) {
    EXPECT_FALSE(ForwardTarget(kPrefix, target)) << target;
  }
}

// What reached the server.
struct Seen {
  std::string target;
  http::Headers headers;
};

class PortForwardTest : public testing::Test {
 protected:
  void SetUp() override {
    http::ServerOptions options;
    options.listen.push_back({.host = "127.0.0.1", .port = 0, .unix_path = ""});
    server_ = http::Server::Start(options, [this](http::Exchange& exchange) {
                seen_ = {exchange.request().target, exchange.request().headers};
                static_cast<void>(exchange.Respond({.body = "inside"}));
              }).value();
    forward_ = PortForward::Start({.url = "http://" + server_->addresses().front().ToString(),
                                   .api_key = "cay_secret",
                                   .origin = ""},
                                  {.sandbox = "x", .port = 80, .local = 0})
                   .value();
  }

  int Get(const std::string& target, http::Headers headers) {
    auto client =
        http::Client::Open(http::Url::Parse("http://" + forward_->address()).value()).value();
    http::ClientRequest request;
    request.target = target;
    request.headers = std::move(headers);
    return client->Send(std::move(request)).value()->status();
  }

  Seen seen_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<PortForward> forward_;
};

TEST_F(PortForwardTest, AddsTheKeyAndTakesAwayWhatIsOfThisAddress) {
  EXPECT_EQ(Get("/a?b=c", {{"X-API-Key", "another"},
                           {"Authorization", "Basic YTpi"},
                           {"Origin", "http://" + forward_->address()},
                           {"Sec-Fetch-Site", "same-origin"}}),
            200);
  EXPECT_EQ(seen_.target, "/api/sandboxes/x/ports/80/a?b=c");
  EXPECT_EQ(seen_.headers.Find("X-API-Key"), "cay_secret");
  EXPECT_EQ(seen_.headers.Find("Authorization"), "Basic YTpi");
  EXPECT_EQ(seen_.headers.Find("Host"), server_->addresses().front().ToString());
  EXPECT_FALSE(seen_.headers.Find("Origin"));
  EXPECT_FALSE(seen_.headers.Find("Sec-Fetch-Site"));
  EXPECT_TRUE(seen_.headers.Find("X-Cay-Own-Origin"));
}

TEST_F(PortForwardTest, RefusesPagesOfOthersAndOtherNames) {
  EXPECT_EQ(Get("/", {{"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(Get("/", {{"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(Get("/", {{"Host", "evil.example"}}), 403);
  EXPECT_EQ(Get("/../../../keys", {}), 400);
  EXPECT_EQ(seen_.target, "");
}

TEST_F(PortForwardTest, SaysThatTheServerIsGone) {
  server_.reset();
  EXPECT_EQ(Get("/", {}), 502);
}

}  // namespace
}  // namespace cay::cli
