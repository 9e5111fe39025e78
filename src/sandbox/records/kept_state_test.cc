// What a server keeps in the store: sandboxes, idempotency keys, events.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <thread>

#include "sandbox/events/event_log.h"
#include "sandbox/fields.h"
#include "sandbox/records/idempotency_table.h"
#include "sandbox/records/sandbox_json.h"
#include "sandbox/records/sandbox_table.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using store::Database;

class KeptState : public ::testing::Test {
 protected:
  KeptState() {
    std::string pattern = ::testing::TempDir() + "cay-kept-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    paths_ = {.state_dir = pattern, .run_dir = pattern};
    Open();
  }
  ~KeptState() override {
    events_.reset();
    store_.reset();
    std::filesystem::remove_all(paths_.state_dir);
  }

  void Open() {
    events_.reset();
    store_.reset();
    auto store = store::Store::Open(paths_);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(*store);
    auto events = EventLog::Open(*store_);
    ASSERT_TRUE(events);
    events_ = std::move(*events);
  }
  std::vector<StoredSandbox> Load() {
    std::vector<StoredSandbox> all;
    EXPECT_TRUE(store_->Read([&](Database& db) -> Result<void> {
      all = TRY(LoadSandboxes(db));
      return {};
    }));
    return all;
  }
  Result<void> Save(const SandboxRecord& record) {
    return store_->Write([&](Database& db) { return SaveSandbox(db, record); });
  }
  std::vector<std::string> TypesAfter(uint64_t after, const EventFilter& filter = {}) {
    std::vector<std::string> types;
    for (const Event& event : events_->After(after, filter, 100, Millis(0)).events)
      types.push_back(event.type);
    return types;
  }

  Paths paths_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
};

SandboxRecord Full() {
  SandboxRecord record(*SandboxId::Generate());
  SandboxView& view = record.view;
  view.state = SandboxState::kPaused;
  view.reason = "idle_timeout";
  view.owner = "me";
  view.spec = {.template_name = "t",
               .name = "n",
               .project = "p",
               .memory = 1,
               .cpus = 2,
               .pids = 3,
               .disk = 4,
               .open_files = 5,
               .file_size = 6,
               .cpu_time = Millis(18'000),
               .timeout = Millis(7),
               .idle_timeout = Millis(0),
               .on_timeout = OnTimeout::kPause,
               .env = {{"A", "b"}},
               .metadata = {{"k", "\"v\"\n"}},
               .user = "u",
               .workdir = "/w",
               .hostname = "h",
               .network = {.policy = {.mode = network::Mode::kAllow, .allow = {"a.example:443"}}},
               .mounts = {{"/s", "/t", false}},
               .tmpfs = {{"/x", 8}},
               .volumes = {{"v", "/v", true}},
               .noexec = true,
               .read_only = true,
               .privileges = Privileges::kRoot,
               .best_effort = true};
  view.limits.memory = 9;
  view.limits.inodes = 10;
  view.not_enforced = {{engine::LimitKind::kPids, "why"}};
  view.created_unix_ms = 11;
  view.started_unix_ms = 12;
  view.last_activity_unix_ms = 13;
  view.expires_unix_ms = 14;
  view.executions = 15;
  view.from_pool = true;
  view.stage_us = {{"boot", 16}, {"attach", 0}};
  view.create_us = 17;
  record.template_env = {"PATH=/bin"};
  record.user = "user";
  record.workdir = "/workspace";
  record.trust = "0123abcd";
  record.own_variables = {"HOME"};
  Startup& startup = view.startup.emplace();
  startup.plan.command = {"/entry", "serve"};
  startup.plan.stop_signal = 3;
  CheckPlan& check = startup.plan.check.emplace();
  check.argv = {"test"};
  check.interval = Millis(18);
  check.timeout = Millis(19);
  check.start_period = Millis(20);
  check.start_interval = Millis(21);
  check.retries = 22;
  startup.state = StartupState::kExited;
  startup.process = 23;
  startup.guest_process = 24;
  startup.reason = "why";
  startup.exit_code = -25;
  startup.signal = 26;
  startup.started_unix_ms = 27;
  startup.ended_unix_ms = 28;
  return record;
}

TEST_F(KeptState, ASandboxComesBackAsItWas) {
  const SandboxRecord record = Full();
  ASSERT_TRUE(Save(record));
  Open();
  const auto all = Load();
  ASSERT_EQ(all.size(), 1U);
  const SandboxRecord& back = all[0].record;
  EXPECT_FALSE(all[0].destroying);
  EXPECT_EQ(back.view.id, record.view.id);
  EXPECT_EQ(back.view.state, record.view.state);
  EXPECT_EQ(back.view.reason, record.view.reason);
  EXPECT_EQ(back.view.owner, record.view.owner);
  EXPECT_EQ(back.view.created_unix_ms, 11);
  EXPECT_EQ(back.view.started_unix_ms, 12);
  EXPECT_EQ(back.view.last_activity_unix_ms, 13);
  EXPECT_EQ(back.view.expires_unix_ms, 14);
  EXPECT_EQ(back.view.executions, 15U);
  EXPECT_EQ(DocumentOf(back), DocumentOf(record));
  EXPECT_EQ(back.view.stage_us, record.view.stage_us);
  EXPECT_EQ(back.view.spec.cpu_time, Millis(18'000));
  EXPECT_TRUE(back.view.spec.read_only);
  EXPECT_EQ(back.view.spec.privileges, Privileges::kRoot);
  EXPECT_EQ(back.view.spec.mounts.at(0).source, "/s");
  EXPECT_EQ(back.view.spec.metadata.at("k"), "\"v\"\n");
  EXPECT_EQ(back.trust, record.trust);
  EXPECT_EQ(back.own_variables, record.own_variables);
  EXPECT_EQ(back.view.startup, record.view.startup);
  EXPECT_TRUE(back.view.health) << "it is tested anew";
}

TEST_F(KeptState, ANameIsOneLivingSandboxsOfItsOwner) {
  const SandboxRecord first = Full();
  SandboxRecord second = Full();
  ASSERT_TRUE(Save(first));
  EXPECT_EQ(Save(second).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(Load().size(), 1U);
  ASSERT_TRUE(store_->Write(
      [&](Database& db) { return MarkDestroyed(db, first.view.id, "requested", 20); }));
  EXPECT_TRUE(Save(second));
}

TEST_F(KeptState, ADestroyedOneIsHistoryOfABoundedNumber) {
  std::vector<SandboxId> ids;
  ASSERT_TRUE(store_->Write([&](Database& db) -> Result<void> {
    for (size_t i = 0; i < kDestroyedKept + 5; ++i) {
      SandboxRecord record = Full();
      record.view.spec.name.clear();
      ids.push_back(record.view.id);
      TRY(SaveSandbox(db, record));
      TRY(MarkDestroyed(db, record.view.id, "requested", static_cast<int64_t>(100 + i)));
    }
    return {};
  }));
  EXPECT_THAT(Load(), IsEmpty());
  ASSERT_TRUE(store_->Read([&](Database& db) -> Result<void> {
    EXPECT_FALSE(TRY(FindDestroyed(db, ids.front().text(), {})));
    const auto last = TRY(FindDestroyed(db, ids.back().text(), {}));
    EXPECT_TRUE(last);
    EXPECT_EQ(last->reason, "requested");
    return {};
  }));
}

TEST_F(KeptState, APromiseToDestroyIsSeenByTheNextServer) {
  const SandboxRecord record = Full();
  ASSERT_TRUE(Save(record));
  ASSERT_TRUE(
      store_->Write([&](Database& db) { return MarkDestroying(db, record.view.id, "lifetime"); }));
  Open();
  ASSERT_EQ(Load().size(), 1U);
  EXPECT_TRUE(Load()[0].destroying);
  EXPECT_EQ(Load()[0].record.view.reason, "lifetime");
}

// Older programs wrote ten numbers, in this order.
TEST_F(KeptState, StagesWithoutNamesAreThoseOfTheEngineThatThereWas) {
  SandboxRecord record(*SandboxId::Generate());
  ASSERT_TRUE(ReadDocument(R"({"stage_us":[1,2,3,4,5,6,7,8,9]})", record));
  const engine::StageTimes expected = {{"prepare", 1}, {"cgroup", 2}, {"scratch", 3}, {"netns", 4},
                                       {"clone", 5},   {"id_map", 6}, {"attach", 7},  {"layers", 8},
                                       {"confine", 9}, {"exec", 0}};
  EXPECT_EQ(record.view.stage_us, expected);
  // An older program finds nothing under the name that it knows, and takes it for zeros.
  EXPECT_EQ(DocumentOf(record).find("stage_us"), std::string::npos);
  SandboxRecord back(record.view.id);
  ASSERT_TRUE(ReadDocument(DocumentOf(record), back));
  EXPECT_EQ(back.view.stage_us, expected);
}

// Nothing is taken for a zero, which means no limit or no protection.
TEST_F(KeptState, AValueOfAnotherKindIsAsIfItWereNotThere) {
  SandboxRecord record(*SandboxId::Generate());
  ASSERT_TRUE(ReadDocument(
      R"({"spec":{"memory":"much","pids":4294967296,"timeout_ms":"x","cpu_time_ms":-1,"mounts":[)"
      R"({"source":"/a","target":"/a"},{"source":"/b","target":"/b","read_only":"no"},)"
      R"({"source":"/c","target":"/c","read_only":false}],"tmpfs":[{"target":"/t","size":null}]}})",
      record));
  const SandboxSpec& spec = record.view.spec;
  EXPECT_FALSE(spec.memory);
  EXPECT_FALSE(spec.pids);
  EXPECT_FALSE(spec.timeout);
  EXPECT_FALSE(spec.cpu_time);
  ASSERT_EQ(spec.mounts.size(), 3U);
  EXPECT_TRUE(spec.mounts[0].read_only);
  EXPECT_TRUE(spec.mounts[1].read_only);
  EXPECT_FALSE(spec.mounts[2].read_only);
  ASSERT_EQ(spec.tmpfs.size(), 1U);
  EXPECT_EQ(spec.tmpfs[0].size, engine::Tmpfs{}.size);
}

TEST_F(KeptState, ADamagedDocumentIsAnErrorAndNotAnEmptySandbox) {
  SandboxRecord record = Full();
  EXPECT_EQ(ReadDocument("{\"spec\":", record).error().code(), ErrorCode::kIo);
  EXPECT_FALSE(ReadDocument("[]", record));
}

// Digests of it are in databases: the text is that of b62e561 for good.
TEST_F(KeptState, TheTextBehindOldIdempotencyKeysDoesNotChange) {
  SandboxSpec spec{.name = "web", .memory = 64 * kMiB, .timeout = Millis(5000)};
  spec.on_timeout = OnTimeout::kStop;
  spec.env["A"] = "b";
  spec.mounts = {{"/srv", "/x", true}};
  spec.tmpfs = {{"/t", kMiB}};
  spec.noexec = true;
  EXPECT_EQ(
      LegacySpecText(spec),
      R"({"name":"web","memory":67108864,"timeout_ms":5000,"on_timeout":"stop","env":{"A":"b"},)"
      R"("metadata":{},"mounts":[{"source":"/srv","target":"/x","read_only":true}],)"
      R"("tmpfs":[{"target":"/t","size":1048576}],"noexec":true,"best_effort":false})");
}

// What a sandbox says of itself when its row is lost.
TEST_F(KeptState, APromiseComesBackAsItWasWritten) {
  SandboxRecord record(*SandboxId::Generate());
  record.view.owner = "somebody";
  record.view.spec.name = "web";
  record.view.spec.env["A"] = "b";
  record.user = "1000";
  SandboxRecord back(record.view.id);
  ASSERT_TRUE(ReadPromise(PromiseOf(record), back));
  EXPECT_EQ(back.view.owner, "somebody");
  EXPECT_EQ(DocumentOf(back), DocumentOf(record));
  EXPECT_FALSE(ReadPromise("{", back));
  EXPECT_FALSE(ReadPromise("", back));
}

TEST_F(KeptState, ARowWhoseDocumentIsDamagedIsNamedAndKept) {
  const SandboxRecord record(*SandboxId::Generate());
  ASSERT_TRUE(store_->Write([&](Database& db) -> Result<void> {
    TRY(SaveSandbox(db, record));
    return db.Execute("UPDATE sandbox SET document = substr(document, 1, 20)");
  }));
  ASSERT_TRUE(store_->Read([&](Database& db) -> Result<void> {
    const auto all = TRY(LoadSandboxes(db));
    EXPECT_EQ(all.size(), 1U);
    EXPECT_EQ(all.at(0).record.view.id, record.view.id);
    EXPECT_NE(all.at(0).damage.find("damaged"), std::string::npos);
    return {};
  }));
}

TEST_F(KeptState, AnIdempotencyKeyIsForgottenAfterADay) {
  ASSERT_TRUE(store_->Write([&](Database& db) {
    return SaveIdempotentCreate(
        db, {.owner = "me", .key = "k", .digest = "d", .sandbox = "s", .unix_ms = 1000});
  }));
  const auto find = [&](const std::string& owner, int64_t now) {
    bool found = false;
    EXPECT_TRUE(store_->Read([&](Database& db) -> Result<void> {
      found = TRY(FindIdempotentCreate(db, owner, "k", now)).has_value();
      return {};
    }));
    return found;
  };
  EXPECT_TRUE(find("me", 1000 + kIdempotencyKeyLifeMs - 1));
  EXPECT_FALSE(find("me", 1000 + kIdempotencyKeyLifeMs));
  EXPECT_FALSE(find("other", 1001));
  ASSERT_TRUE(store_->Write(
      [&](Database& db) { return TrimIdempotentCreates(db, 1000 + kIdempotencyKeyLifeMs); }));
  EXPECT_FALSE(find("me", 1001));
}

TEST_F(KeptState, EventsComeInOrderAndAfterARestartToo) {
  events_->Append({.type = "a"});
  const uint64_t first = events_->last_id();
  events_->Append({.type = "b"});
  EXPECT_THAT(TypesAfter(0), ElementsAre("a", "b"));
  EXPECT_THAT(TypesAfter(first), ElementsAre("b"));
  Open();
  EXPECT_THAT(TypesAfter(first), ElementsAre("b"));
  EXPECT_GT(events_->Append({.type = "c"}).id, first + 1);
  EXPECT_THAT(TypesAfter(first), ElementsAre("b", "c"));
}

TEST_F(KeptState, AnEventWhoseTransactionIsNotDoneHoldsBackThoseAfterIt) {
  const Event first = events_->Reserve({.type = "first"});
  const Event second = events_->Reserve({.type = "second"});
  events_->Append({.type = "third"});
  EXPECT_THAT(TypesAfter(0), IsEmpty());
  events_->Publish(second);
  EXPECT_THAT(TypesAfter(0), IsEmpty());
  events_->Publish(first);
  EXPECT_THAT(TypesAfter(0), ElementsAre("first", "second", "third"));
}

TEST_F(KeptState, AnEventThatIsWithdrawnNeverWas) {
  const Event withdrawn = events_->Reserve({.type = "no"});
  events_->Append({.type = "yes"});
  events_->Withdraw(withdrawn);
  EXPECT_THAT(TypesAfter(0), ElementsAre("yes"));
  Open();
  EXPECT_THAT(TypesAfter(0), ElementsAre("yes"));
}

TEST_F(KeptState, OwnersAndSandboxesAreFilters) {
  events_->Append({.type = "a", .sandbox = "1", .owner = "me"});
  events_->Append({.type = "b", .sandbox = "2", .owner = "me"});
  events_->Append({.type = "c", .sandbox = "3", .owner = "other"});
  EXPECT_THAT(TypesAfter(0, {.owner = "me", .sandbox = ""}), ElementsAre("a", "b"));
  EXPECT_THAT(TypesAfter(0, {.owner = "", .sandbox = "3"}), ElementsAre("c"));
  EXPECT_EQ(events_->After(0, {.owner = "nobody", .sandbox = ""}, 10, Millis(0)).last,
            events_->last_id());
}

TEST_F(KeptState, WhoIsTooLateIsToldWhatItMissed) {
  for (size_t i = 0; i < EventLog::kKept + 3; ++i) events_->Append({.type = "x"});
  const auto batch = events_->After(1, {}, 10, Millis(0));
  EXPECT_EQ(batch.missed_up_to, 3U);
  ASSERT_EQ(batch.events.size(), 10U);
  EXPECT_EQ(batch.events.front().id, 4U);
  EXPECT_EQ(events_->After(3, {}, 1, Millis(0)).missed_up_to, 0U);
}

TEST_F(KeptState, WhoWaitsIsWokenByAnEventOrTheEnd) {
  auto waiting = std::async(
      std::launch::async, [&] { return events_->After(0, {}, 10, Millis(60'000)).events.size(); });
  events_->Append({.type = "x"});
  EXPECT_EQ(waiting.get(), 1U);
  auto ended = std::async(std::launch::async, [&] {
    return events_->After(events_->last_id(), {}, 10, Millis(60'000)).events.size();
  });
  events_->Close();
  EXPECT_EQ(ended.get(), 0U);
}

}  // namespace
}  // namespace cay::sandbox
