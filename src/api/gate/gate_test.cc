#include "api/gate/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "api/gate/audit_log.h"

namespace cay::api {
namespace {

class GateTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cay_gate.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    store_ = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
    keys_ = KeyRing::Open(*store_).value();
  }
  void TearDown() override {
    keys_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string Key(Scope scope, uint64_t rate = 0) {
    return keys_->Create({.name = "k", .scope = scope, .requests_per_second = rate})->token;
  }
  static http::Request Ask(std::string method, std::string key = {}) {
    http::Request request;
    request.method = std::move(method);
    request.peer = {.address = "127.0.0.1", .loopback = true};
    request.headers.Add("Host", "localhost:8888");
    if (!key.empty()) request.headers.Add("Authorization", "Bearer " + key);
    return request;
  }
  static int StatusOf(const std::expected<Admission, Refusal>& admitted) {
    return admitted ? 200 : admitted.error().status;
  }

  std::string directory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<KeyRing> keys_;
};

TEST_F(GateTest, TakesEverybodyOnLoopbackForTheAdministratorWhileThereAreNoKeys) {
  Gate gate({}, *keys_);
  const auto admitted = gate.Admit(Ask("POST"), Scope::kAdmin);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->caller.owner, "local");
  EXPECT_TRUE(admitted->caller.admin);
}

TEST_F(GateTest, SaysWhenWhoWasLetInWouldNotBeAnyMore) {
  Gate gate({}, *keys_);
  const auto without = gate.Admit(Ask("GET"), Scope::kRead);
  const auto anybody = gate.Admit(Ask("GET"), Scope::kPublic);
  EXPECT_TRUE(gate.StillAdmitted(*without));
  const auto made = keys_->Create({.name = "k", .scope = Scope::kUse});
  EXPECT_EQ(gate.StillAdmitted(*without).error().code(), ErrorCode::kPermissionDenied);
  const auto with = gate.Admit(Ask("GET", made->token), Scope::kRead);
  EXPECT_TRUE(gate.StillAdmitted(*with));
  ASSERT_TRUE(keys_->Revoke(made->key.id, LastAdmin::kMayGo));
  EXPECT_EQ(gate.StillAdmitted(*with).error().code(), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(gate.StillAdmitted(*anybody));
}

TEST_F(GateTest, TakesNobodyFromElsewhereWithoutAKey) {
  Gate gate({}, *keys_);
  http::Request request = Ask("GET");
  request.peer = {.address = "192.0.2.7"};
  EXPECT_EQ(StatusOf(gate.Admit(request, Scope::kRead)), 401);
  EXPECT_EQ(StatusOf(gate.Admit(request, Scope::kPublic)), 200);
}

TEST_F(GateTest, WantsAKeyOnceThereIsOne) {
  Gate gate({}, *keys_);
  const std::string key = Key(Scope::kUse);
  const auto refused = gate.Admit(Ask("GET"), Scope::kRead);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 401);
  EXPECT_TRUE(refused.error().headers.Find("WWW-Authenticate"));
  EXPECT_EQ(StatusOf(gate.Admit(Ask("POST", key), Scope::kUse)), 200);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("POST", key + "x"), Scope::kUse)), 401);
}

TEST_F(GateTest, TakesTheKeyFromEitherField) {
  Gate gate({}, *keys_);
  const std::string key = Key(Scope::kUse);
  http::Request request = Ask("GET");
  request.headers.Add("X-API-Key", key);
  EXPECT_EQ(StatusOf(gate.Admit(request, Scope::kUse)), 200);
  request.headers.Add("Authorization", "Basic dXNlcjpwYXNz");
  EXPECT_EQ(StatusOf(gate.Admit(request, Scope::kUse)), 200);
  http::Request small = Ask("GET");
  small.headers.Add("authorization", "bEARER " + key);
  EXPECT_EQ(StatusOf(gate.Admit(small, Scope::kUse)), 200);
  http::Request basic = Ask("GET");
  basic.headers.Add("Authorization", "Basic " + key);
  EXPECT_EQ(StatusOf(gate.Admit(basic, Scope::kUse)), 401);
}

TEST_F(GateTest, KeepsScopesApart) {
  Gate gate({}, *keys_);
  const std::string read = Key(Scope::kRead);
  const std::string use = Key(Scope::kUse);
  const std::string admin = Key(Scope::kAdmin);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", read), Scope::kRead)), 200);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("POST", read), Scope::kRead)), 403);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", read), Scope::kUse)), 403);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("POST", use), Scope::kUse)), 200);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", use), Scope::kAdmin)), 403);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("DELETE", admin), Scope::kAdmin)), 200);
  EXPECT_FALSE(gate.Admit(Ask("POST", use), Scope::kUse)->caller.admin);
}

TEST_F(GateTest, RefusesARevokedKeyAtOnce) {
  Gate gate({}, *keys_);
  const NewKey made = keys_->Create({.name = "k"}).value();
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", made.token), Scope::kUse)), 200);
  ASSERT_TRUE(keys_->Revoke(made.key.id, LastAdmin::kMayGo));
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", made.token), Scope::kUse)), 401);
}

TEST_F(GateTest, BoundsTheRateOfAKeyAndSaysWhenToComeBack) {
  Gate gate({}, *keys_);
  const std::string slow = Key(Scope::kUse, 1);
  const std::string free = Key(Scope::kUse);
  int status = 200;
  for (int i = 0; i < 1000 && status == 200; ++i) {
    const auto admitted = gate.Admit(Ask("GET", slow), Scope::kUse);
    status = StatusOf(admitted);
    if (!admitted) {
      EXPECT_GE(admitted.error().retry_after.value_or(0), 1U);
    }
  }
  EXPECT_EQ(status, 429);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", free), Scope::kUse)), 200);
}

TEST_F(GateTest, TellsAnAddressThatKeepsFailingToWaitButNotARightKey) {
  Gate gate({.auth_failures_per_minute = 3}, *keys_);
  const std::string key = Key(Scope::kUse);
  int status = 401;
  for (int i = 0; i < 1000 && status == 401; ++i)
    status = StatusOf(gate.Admit(Ask("GET", "cay_x"), Scope::kUse));
  EXPECT_EQ(status, 429);
  EXPECT_EQ(StatusOf(gate.Admit(Ask("GET", key), Scope::kUse)), 200);
  http::Request other = Ask("GET", "cay_x");
  other.peer.address = "192.0.2.9";
  EXPECT_EQ(StatusOf(gate.Admit(other, Scope::kUse)), 401);
}

TEST_F(GateTest, SaysHowAPortIsCalled) {
  Gate gate({.port_domains = {"ports.example"}}, *keys_);
  http::Request request = Ask("GET");
  for (const char* host :
       {"0-abcdefghij0123456789.localhost", "70000-abcdefghij0123456789.localhost",
        "8000-web.localhost:8888", "8000-web.ports.example", "8000-.localhost"}) {
    request.headers.Set("Host", host);
    const auto refused = gate.CheckNames(request);
    ASSERT_TRUE(refused) << host;
    EXPECT_EQ(refused->status, 404) << host;
    EXPECT_NE(refused->error.remedy().text().find("1 to 65535"), std::string::npos);
  }
  for (const char* host : {"web.localhost", "8000-web.evil.example", "web-8000.localhost"}) {
    request.headers.Set("Host", host);
    EXPECT_EQ(gate.CheckNames(request)->status, 421) << host;
  }
}

TEST_F(GateTest, RefusesARebindingName) {
  Gate gate({}, *keys_);
  http::Request request = Ask("GET");
  request.headers.Set("Host", "evil.example:8888");
  ASSERT_TRUE(gate.CheckNames(request));
  EXPECT_EQ(gate.CheckNames(request)->status, 421);
  request.headers.Remove("Host");
  EXPECT_EQ(gate.CheckNames(request)->status, 421);
}

TEST_F(GateTest, RefusesAForeignPage) {
  Gate gate({}, *keys_);
  http::Request request = Ask("POST");
  request.headers.Add("Origin", "http://evil.example");
  ASSERT_TRUE(gate.CheckNames(request));
  EXPECT_EQ(gate.CheckNames(request)->status, 403);
  EXPECT_TRUE(gate.CorsHeaders(request).fields().empty());
}

TEST_F(GateTest, AnswersThePreflightOfAPageThatMay) {
  Gate gate({.allowed_origins = {"https://app.example"}}, *keys_);
  http::Request request = Ask("OPTIONS");
  request.headers.Add("Origin", "https://app.example");
  EXPECT_FALSE(gate.AnswerPreflight(request));
  request.headers.Add("Access-Control-Request-Method", "POST");
  ASSERT_FALSE(gate.CheckNames(request));
  const auto answer = gate.AnswerPreflight(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(answer->headers.Find("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_FALSE(answer->headers.Find("Access-Control-Allow-Credentials"));
}

TEST_F(GateTest, LetsMetricsBePublicOnlyWhenAsked) {
  Gate gate({}, *keys_);
  const Route metrics = {.method = "GET",
                         .pattern = "/metrics",
                         .scope = Scope::kRead,
                         .name = "metrics",
                         .operation = {}};
  EXPECT_EQ(gate.Wanted(metrics), Scope::kRead);
  gate.Reconfigure({.metrics_public = true});
  EXPECT_EQ(gate.Wanted(metrics), Scope::kPublic);
}

TEST_F(GateTest, AuditsNewestFirstAndForgetsTheOldest) {
  AuditLog audit(*store_, 10);
  for (int i = 0; i < 600; ++i)
    audit.Add({.unix_ms = i,
               .request_id = "r",
               .owner = i % 2 == 0 ? "a" : "b",
               .peer = "p",
               .operation = "o",
               .method = "POST",
               .path = std::string(1000, 'x'),
               .status = 200});
  const auto rows = audit.List({.owner = "b", .limit = 3}).value();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].unix_ms, 599);
  EXPECT_EQ(rows[1].unix_ms, 597);
  EXPECT_EQ(rows[0].path.size(), 512U);
  EXPECT_LE(audit.List({.limit = 1000})->size(), 10U + 256U);
  EXPECT_EQ(audit.List({.before = rows[2].id, .limit = 1})->front().id, rows[2].id - 1);
}

}  // namespace
}  // namespace cay::api
