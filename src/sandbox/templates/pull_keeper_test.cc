#include "sandbox/templates/pull_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/os/file.h"
#include "template/registry/test_registry.h"
#include "template/test_directory.h"

namespace cay::sandbox {
namespace {

using templates::registry::TestRegistry;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Caller kAdmin{.owner = "ops", .admin = true};
const Caller kSomebody{.owner = "somebody"};
const Caller kOther{.owner = "other"};
constexpr Millis kLong{30'000};

Result<std::vector<engine::SandboxStatus>> NoSandboxes() {
  return std::vector<engine::SandboxStatus>();
}

// A registry whose manifest waits until it may be given: every pull is under way until then. It is
// no image that could be unpacked: pulls fail then, and nothing is left of them.
class PullKeeperTest : public ::testing::Test {
 protected:
  PullKeeperTest() {
    registry_.Guard([this](http::Exchange& exchange) {
      if (exchange.request().path == "/v2/") return true;
      open_.get_future_of_all().wait();
      return true;
    });
    for (const char* directory : {"state", "run"}) dir_.MakeDirectory(directory, 0711);
    store_ = *store::Store::Open(paths_);
    events_ = *EventLog::Open(*store_);
    templates_.emplace(*templates::TemplateStore::Open(paths_, NoSandboxes));
    rules_.private_registries = {"127.0.0.0/8"};
    rules_.create_patience = Millis(50);
  }
  ~PullKeeperTest() override { open_.Open(); }

  std::unique_ptr<PullKeeper> Open() {
    auto keeper = PullKeeper::Open(rules_, *templates_, *store_, *events_);
    EXPECT_TRUE(keeper) << keeper.error().ToString();
    return *std::move(keeper);
  }
  std::string Image(int number) { return registry_.Name() + "/a" + std::to_string(number) + ":1"; }
  PullView Ended(PullKeeper& keeper, const std::string& id) {
    PullView view = *keeper.Get(kAdmin, id);
    while (!HasEnded(view.state)) view = *keeper.Await(kAdmin, id, view.change, kLong);
    return view;
  }

  // Opened once, for all who wait.
  class Gate {
   public:
    Gate() : future_(promise_.get_future()) {}
    void Open() {
      if (!open_.exchange(true)) promise_.set_value();
    }
    std::shared_future<void> get_future_of_all() const { return future_; }

   private:
    std::promise<void> promise_;
    std::shared_future<void> future_;
    std::atomic<bool> open_ = false;
  };

  templates::TestDirectory dir_;
  Paths paths_{dir_.At("state"), dir_.At("run")};
  Gate open_;
  TestRegistry registry_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::optional<templates::TemplateStore> templates_;
  PullRules rules_;
};

TEST_F(PullKeeperTest, WhoAsksForTheSameSharesThePull) {
  const auto keeper = Open();
  const auto first = keeper->Start(kAdmin, {.image = Image(1)});
  ASSERT_TRUE(first) << first.error().ToString();
  EXPECT_EQ(keeper->Start(kAdmin, {.image = Image(1)})->id, first->id);
  EXPECT_EQ(keeper->GetMetrics().joined, 1U);
  EXPECT_FALSE(keeper->Get(kSomebody, first->id)) << "it is not theirs";
  const auto waited = keeper->Obtain(kSomebody, Image(1));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(waited.error().message(), HasSubstr("is being pulled: 0 %"));
  EXPECT_TRUE(keeper->Get(kSomebody, first->id)) << "they asked for it, too";
  EXPECT_THAT(keeper->List(kOther), SizeIs(0));
  const auto another = keeper->Start(kAdmin, {.image = Image(2), .name = Image(1)});
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code(), ErrorCode::kIllegalState);
}

TEST_F(PullKeeperTest, SoManyAreUnderWayAndSoManyWait) {
  rules_.at_a_time = 1;
  rules_.waiting = 1;
  const auto keeper = Open();
  ASSERT_TRUE(keeper->Start(kAdmin, {.image = Image(1)}));
  const auto second = keeper->Start(kAdmin, {.image = Image(2)});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->state, PullState::kWaiting);
  const auto third = keeper->Start(kAdmin, {.image = Image(3)});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kUnavailable);
  ASSERT_TRUE(keeper->Cancel(kAdmin, second->id));
  EXPECT_EQ(Ended(*keeper, second->id).state, PullState::kCancelled);
  EXPECT_FALSE(keeper->Cancel(kAdmin, second->id)) << "it has ended";
  EXPECT_TRUE(keeper->Start(kAdmin, {.image = Image(3)})) << "there is room now";
}

TEST_F(PullKeeperTest, OneThatIsUnderWayCanBeCancelled) {
  const auto keeper = Open();
  const auto pull = keeper->Start(kAdmin, {.image = Image(1)});
  ASSERT_TRUE(pull);
  ASSERT_TRUE(keeper->Cancel(kAdmin, pull->id));
  EXPECT_EQ(Ended(*keeper, pull->id).state, PullState::kCancelled);
}

TEST_F(PullKeeperTest, TheNextServerKnowsWhatWasInterrupted) {
  std::string id;
  {
    const auto keeper = Open();
    id = keeper->Start(kAdmin, {.image = Image(1)})->id;
    keeper->Stop();
    EXPECT_FALSE(keeper->Start(kAdmin, {.image = Image(1)})) << "the server ends";
  }
  ASSERT_TRUE(store_->Flush());
  const auto keeper = Open();
  const auto known = keeper->Get(kAdmin, id);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->state, PullState::kInterrupted);
  EXPECT_EQ(known->image, Image(1));
}

TEST_F(PullKeeperTest, AnErrorOfARegistryIsTheCallersAndIsTold) {
  open_.Open();
  rules_.create_patience = kLong;
  const auto keeper = Open();
  const auto missing = keeper->Obtain(kSomebody, Image(1));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("pulling " + Image(1)));
  const auto batch = events_->After(0, {}, 10, Millis(1000));
  ASSERT_THAT(batch.events, SizeIs(1));
  EXPECT_EQ(batch.events[0].type, "template.pull_failed");
  EXPECT_EQ(batch.events[0].owner, "somebody");
}

TEST_F(PullKeeperTest, RulesSayWhatACreateWaitsFor) {
  const auto keeper = Open();
  EXPECT_TRUE(keeper->IsWanted(Image(1)));
  EXPECT_FALSE(keeper->IsWanted("python")) << "a short name is a template's";
  EXPECT_FALSE(keeper->IsWanted("host"));
  rules_.policy = PullPolicy::kNever;
  keeper->Reconfigure(rules_);
  EXPECT_FALSE(keeper->IsWanted(Image(1)));
  rules_.allow = {"other/*"};
  keeper->Reconfigure(rules_);
  const auto refused = keeper->Start(kAdmin, {.image = Image(1)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
}

}  // namespace
}  // namespace cay::sandbox
