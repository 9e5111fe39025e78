// Deliveries to a receiver of this test's own, over real sockets.
#include "api/webhooks/webhooks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "api/webhooks/webhook_rules.h"
#include "http/server/test_server.h"

namespace cay::api {
namespace {

using sandbox::EventLog;

struct Received {
  std::string target;
  std::string host;
  std::string event;
  std::string delivery;
  std::string signature;
  std::string body;
};

class WebhooksTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cay_webhooks.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    options_.allow_private = true;
    options_.first_retry = Millis(10);
    receiver_ = http::StartServer([this](http::Exchange& exchange) { Receive(exchange); });
    Start();
  }
  void TearDown() override {
    End();
    receiver_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Start() {
    store_ = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
    events_ = EventLog::Open(*store_).value();
    hooks_ = Webhooks::Open(options_, *store_, *events_).value();
  }
  void End() {
    hooks_->Stop();
    events_->Close();
    hooks_.reset();
    events_.reset();
    store_.reset();
  }

  void Receive(http::Exchange& exchange) {
    const http::Request& request = exchange.request();
    const auto header = [&](std::string_view name) {
      return std::string(request.headers.Find(name).value_or(""));
    };
    Received received = {.target = request.target,
                         .host = header("Host"),
                         .event = header("X-Cay-Event"),
                         .delivery = header("X-Cay-Delivery"),
                         .signature = header("X-Cay-Signature"),
                         .body = exchange.ReadWholeBody(1 * kMiB).value_or("")};
    int status = 204;
    {
      const std::lock_guard lock(mutex_);
      received_.push_back(std::move(received));
      if (failures_ > 0) {
        --failures_;
        status = failure_;
      }
    }
    http::Response response;
    response.status = status;
    if (status == 302) response.headers.Set("Location", "/elsewhere");
    static_cast<void>(exchange.Respond(std::move(response)));
  }

  std::string Url(std::string_view path = "/hook?x=1") const {
    return "http://localhost:" + std::to_string(receiver_->addresses().front().port) +
           std::string(path);
  }
  Webhook Make(std::vector<std::string> patterns) {
    return hooks_->Create({.url = Url(), .events = std::move(patterns)}).value();
  }
  void Happen(std::string type) {
    events_->Append({.type = std::move(type), .sandbox = "s1", .owner = "o", .reason = "test"});
  }
  void Fail(int times, int status) {
    const std::lock_guard lock(mutex_);
    failures_ = times;
    failure_ = status;
  }
  std::vector<Received> AllReceived() {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  std::string StateOf(const Webhook& hook) {
    const auto deliveries = hooks_->Deliveries(hook.id, 1).value();
    return deliveries.empty() ? "" : deliveries.front().state;
  }

  std::string directory_;
  WebhookOptions options_;
  std::mutex mutex_;
  std::vector<Received> received_;
  int failures_ = 0;
  int failure_ = 500;
  std::unique_ptr<http::Server> receiver_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Webhooks> hooks_;
};

TEST_F(WebhooksTest, TellsAnOwnersHookOnlyWhatIsTheOwners) {
  const Webhook own = hooks_->Create({.url = Url("/own"), .owner = "o"}).value();
  const Webhook other = hooks_->Create({.url = Url("/other"), .owner = "p"}).value();
  Happen("sandbox.created");
  events_->Append({.type = "sandbox.stopped", .sandbox = "s2", .owner = "p", .reason = "test"});
  ASSERT_TRUE(
      Eventually([&] { return StateOf(own) == "delivered" && StateOf(other) == "delivered"; }));
  for (const Received& one : AllReceived()) {
    EXPECT_EQ(one.event, one.target == "/own" ? "sandbox.created" : "sandbox.stopped");
  }
  EXPECT_EQ(AllReceived().size(), 2U);
  EXPECT_FALSE(hooks_->Create({.url = Url(), .owner = "a/b"}));
}

TEST_F(WebhooksTest, TellsWhatIsWantedAndSignsIt) {
  const Webhook hook = Make({"sandbox.*"});
  Happen("execution.completed");
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return StateOf(hook) == "delivered"; }));
  const auto received = AllReceived();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].target, "/hook?x=1");
  EXPECT_EQ(received[0].host.find("localhost:"), 0U);
  EXPECT_EQ(received[0].event, "sandbox.created");
  EXPECT_EQ(received[0].delivery, hooks_->Deliveries(hook.id, 10)->front().Id());
  EXPECT_NE(received[0].body.find(R"("type":"sandbox.created","sandbox_id":"s1")"),
            std::string::npos);
  const std::string& signature = received[0].signature;
  ASSERT_TRUE(signature.starts_with("t="));
  const int64_t time = std::stoll(signature.substr(2));
  EXPECT_EQ(signature, WebhookSignature(hook.secret, time, received[0].body).value());
  EXPECT_EQ(hooks_->GetMetrics().delivered, 1U);
}

TEST_F(WebhooksTest, TriesAgainAfterAFailure) {
  Fail(2, 500);
  const Webhook hook = Make({"*"});
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return StateOf(hook) == "delivered"; }));
  const auto received = AllReceived();
  ASSERT_EQ(received.size(), 3U);
  EXPECT_EQ(received[0].delivery, received[2].delivery);
  EXPECT_EQ(hooks_->Deliveries(hook.id, 1)->front().attempts, 3U);
}

TEST_F(WebhooksTest, GivesUpAndFollowsNoRedirect) {
  options_.max_attempts = 2;
  hooks_->Reconfigure(options_);
  Fail(2, 302);
  const Webhook hook = Make({"*"});
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return StateOf(hook) == "failed"; }));
  for (const Received& one : AllReceived()) EXPECT_EQ(one.target, "/hook?x=1");
  EXPECT_EQ(AllReceived().size(), 2U);
  EXPECT_EQ(hooks_->Deliveries(hook.id, 1)->front().status, 302);
}

TEST_F(WebhooksTest, WhatWaitsSurvivesARestart) {
  options_.first_retry = Millis(3'600'000);
  hooks_->Reconfigure(options_);
  Fail(1, 503);
  const Webhook hook = Make({"*"});
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] {
    const auto deliveries = hooks_->Deliveries(hook.id, 1).value();
    return !deliveries.empty() && deliveries.front().attempts == 1;
  }));
  ASSERT_EQ(StateOf(hook), "waiting");
  hooks_->Stop();
  Happen("sandbox.stopped");  // not sent by this one: the place in the log is kept
  End();
  // The hour has passed.
  {
    const auto store = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
    ASSERT_TRUE(store->Write(
        [](store::Database& db) { return db.Execute("UPDATE webhook_delivery SET next_ms = 0"); }));
  }
  Start();
  ASSERT_TRUE(Eventually([&] { return hooks_->GetMetrics().delivered == 2; }));
  const auto received = AllReceived();
  ASSERT_EQ(received.size(), 3U);
  EXPECT_EQ(received[0].delivery, received[1].delivery);
  EXPECT_EQ(received[2].event, "sandbox.stopped");
  ASSERT_EQ(hooks_->List().size(), 1U);
  EXPECT_EQ(hooks_->List().front().secret, hook.secret);
}

TEST_F(WebhooksTest, TheQueueAndTheHistoryAreBounded) {
  options_.max_queued = 3;
  options_.kept = 2;
  options_.first_retry = Millis(3'600'000);
  hooks_->Reconfigure(options_);
  Fail(1000, 500);
  const Webhook hook = Make({"*"});
  for (int i = 0; i < 10; ++i) Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return hooks_->GetMetrics().dropped == 7; }));
  EXPECT_EQ(hooks_->GetMetrics().waiting, 3U);
  // Until each was tried: an attempt that is on its way would put its delivery off by the hour.
  ASSERT_TRUE(Eventually([&] {
    return std::ranges::none_of(hooks_->Deliveries(hook.id, 100).value(), [](const Delivery& one) {
      return one.state == "waiting" && one.attempts == 0;
    });
  }));
  Fail(0, 500);
  ASSERT_TRUE(store_->Write(
      [](store::Database& db) { return db.Execute("UPDATE webhook_delivery SET next_ms = 0"); }));
  Happen("sandbox.stopped");  // makes the senders look
  ASSERT_TRUE(Eventually([&] { return hooks_->GetMetrics().waiting == 0; }));
  ASSERT_TRUE(Eventually([&] { return hooks_->Deliveries(hook.id, 100)->size() == 2; }));
}

TEST_F(WebhooksTest, APrivateAddressIsRefusedUnlessAllowed) {
  const Webhook hook = Make({"*"});
  options_.allow_private = false;
  options_.max_attempts = 1;
  hooks_->Reconfigure(options_);
  const auto refused = hooks_->Create({.url = Url()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
  // Nor is one that came in before, or whose name has changed since.
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return StateOf(hook) == "failed"; }));
  EXPECT_TRUE(AllReceived().empty());
}

TEST_F(WebhooksTest, WhatIsDeletedIsToldNothing) {
  const Webhook hook = Make({"*"});
  const Webhook other = Make({"*"});
  ASSERT_TRUE(hooks_->Delete(hook.id));
  EXPECT_EQ(hooks_->Delete(hook.id).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(hooks_->Deliveries(hook.id, 1).error().code(), ErrorCode::kNotFound);
  Happen("sandbox.created");
  ASSERT_TRUE(Eventually([&] { return StateOf(other) == "delivered"; }));
  EXPECT_EQ(AllReceived().size(), 1U);
}

TEST_F(WebhooksTest, ThereIsAMostOfThem) {
  options_.max_webhooks = 1;
  hooks_->Reconfigure(options_);
  Make({"*"});
  const auto second = hooks_->Create({.url = Url()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace cay::api
