#include "api/gate/key_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/testing/test_eventually.h"
#include "crypto/digest.h"
#include "store/foreign_writes.h"
#include "store/migrations.h"

namespace cay::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class KeyRingTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cay_keys.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    store_ = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
    ring_ = KeyRing::Open(*store_).value();
  }
  void TearDown() override {
    ring_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  NewKey Make(Scope scope) { return ring_->Create({.name = "test", .scope = scope}).value(); }

  std::string directory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<KeyRing> ring_;
};

TEST_F(KeyRingTest, NeedsNoKeyUntilThereIsOne) {
  EXPECT_FALSE(ring_->needed());
  Make(Scope::kUse);
  EXPECT_TRUE(ring_->needed());
}

TEST_F(KeyRingTest, KnowsItsKeys) {
  const NewKey made = Make(Scope::kRead);
  const auto who = ring_->Authenticate(made.token);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->key_id, made.key.id);
  EXPECT_EQ(who->scope, Scope::kRead);
}

TEST_F(KeyRingTest, RefusesEverythingElseInTheSameWords) {
  const NewKey made = Make(Scope::kUse);
  std::string wrong_secret = made.token;
  wrong_secret.back() = wrong_secret.back() == 'a' ? 'b' : 'a';
  std::string wrong_id = made.token;
  wrong_id[5] = wrong_id[5] == 'a' ? 'b' : 'a';
  const std::string words = ring_->Authenticate("").error().ToString();
  for (const std::string& token :
       {wrong_secret, wrong_id, made.token + "x", made.key.id, made.key.hash,
        made.token.substr(0, made.token.size() - 1), std::string("cay_") + std::string(60, '\0')}) {
    const auto who = ring_->Authenticate(token);
    ASSERT_FALSE(who);
    EXPECT_EQ(who.error().code(), ErrorCode::kPermissionDenied);
    EXPECT_EQ(who.error().ToString(), words);
  }
}

TEST_F(KeyRingTest, KeepsTheLastAdministratorsKeyUnlessToldOtherwise) {
  const NewKey first = Make(Scope::kAdmin);
  const NewKey second = Make(Scope::kAdmin);
  const NewKey user = Make(Scope::kUse);
  const auto brief =
      ring_->Create({.name = "expired", .scope = Scope::kAdmin, .expires_in = Millis(1)});
  std::this_thread::sleep_until(
      std::chrono::system_clock::time_point(Millis(*brief->key.expires_unix_ms + 1)));
  ASSERT_TRUE(ring_->Revoke(second.key.id, LastAdmin::kStays));
  const auto refused = ring_->Revoke(first.key.id, LastAdmin::kStays);
  EXPECT_EQ(refused.error().code(), ErrorCode::kIllegalState);
  EXPECT_THAT(refused.error().remedy().text(),
              HasSubstr("cay keys revoke --local " + first.key.id));
  EXPECT_TRUE(ring_->Authenticate(first.token));
  EXPECT_TRUE(ring_->Revoke(user.key.id, LastAdmin::kStays));
  EXPECT_TRUE(ring_->Revoke(brief->key.id, LastAdmin::kStays));
  EXPECT_TRUE(ring_->Revoke(first.key.id, LastAdmin::kMayGo));
}

TEST_F(KeyRingTest, RevokesAtOnceAndStillNeedsKeys) {
  const NewKey made = Make(Scope::kUse);
  ASSERT_TRUE(ring_->Revoke(made.key.id, LastAdmin::kMayGo));
  EXPECT_FALSE(ring_->Authenticate(made.token));
  EXPECT_TRUE(ring_->needed());
  EXPECT_FALSE(ring_->usable());
  const auto again = ring_->Revoke(made.key.id, LastAdmin::kMayGo);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kNotFound);
}

TEST_F(KeyRingTest, RefusesAKeyThatHasExpired) {
  NewKey made = MakeKey({.name = "short", .expires_in = Millis(1)}, 1000).value();
  ASSERT_TRUE(store_->Write([&](store::Database& db) { return InsertKey(db, made.key); }));
  auto fresh = KeyRing::Open(*store_).value();
  EXPECT_FALSE(fresh->Authenticate(made.token));
  EXPECT_TRUE(fresh->needed());
}

TEST_F(KeyRingTest, SurvivesARestartWithoutTheSecret) {
  const NewKey made = Make(Scope::kAdmin);
  ring_.reset();
  store_.reset();
  std::string everything;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      everything.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  EXPECT_THAT(everything, HasSubstr(made.key.id));
  EXPECT_THAT(everything, Not(HasSubstr(made.token.substr(made.token.rfind('_') + 1))));
  store_ = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
  ring_ = KeyRing::Open(*store_).value();
  EXPECT_TRUE(ring_->Authenticate(made.token));
}

TEST_F(KeyRingTest, SeesWhatAnotherProcessDid) {
  ASSERT_FALSE(ring_->needed());
  // `cay keys create --local` has a connection of its own.
  auto other = store::Database::Open(directory_ + "/cay.db", store::Durability::kPower).value();
  const NewKey made = MakeKey({.name = "local", .scope = Scope::kAdmin}, 1000).value();
  ASSERT_TRUE(other.Transact([&] { return InsertKey(other, made.key); }));
  ASSERT_TRUE(store::LeaveForeignMark(directory_));
  EXPECT_TRUE(ring_->needed());
  EXPECT_TRUE(ring_->Authenticate(made.token));
  ASSERT_TRUE(
      other.Transact([&] { return RevokeKey(other, made.key.id, 2000, LastAdmin::kMayGo); }));
  ASSERT_TRUE(store::LeaveForeignMark(directory_));
  EXPECT_FALSE(ring_->StillWorks(made.key.id));
  EXPECT_FALSE(ring_->Authenticate(made.token));
}

TEST_F(KeyRingTest, SeesWhatAProcessDidThatLeavesNoMark) {
  ASSERT_FALSE(ring_->needed());
  auto other = store::Database::Open(directory_ + "/cay.db", store::Durability::kPower).value();
  const NewKey made = MakeKey({.name = "local", .scope = Scope::kAdmin}, 1000).value();
  ASSERT_TRUE(other.Transact([&] { return InsertKey(other, made.key); }));
  EXPECT_TRUE(Eventually([&] { return ring_->needed(); }));
}

TEST_F(KeyRingTest, GivesAllKeysOfAnOwnerTheSameNameAndNumber) {
  const NewKey first =
      ring_->Create({.name = "old", .owner = "team-a", .max_sandboxes = 7}).value();
  const NewKey second = ring_->Create({.name = "new", .owner = "team-a"}).value();
  const NewKey alone = ring_->Create({.name = "alone"}).value();
  EXPECT_EQ(second.key.max_sandboxes, 7U);
  ASSERT_TRUE(ring_->Revoke(first.key.id, LastAdmin::kMayGo));
  const auto who = ring_->Authenticate(second.token);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->owner, "team-a");
  EXPECT_EQ(who->max_sandboxes, 7U);
  EXPECT_EQ(ring_->Authenticate(alone.token)->owner, alone.key.id);
  EXPECT_EQ(ring_->Authenticate(alone.token)->max_sandboxes, 0U);
  ASSERT_TRUE(ring_->Create({.name = "more", .owner = "team-a", .max_sandboxes = 9}));
  EXPECT_EQ(ring_->Authenticate(second.token)->max_sandboxes, 9U);
}

TEST_F(KeyRingTest, NamesTheMachineWhenNoKeyWorksAnyMore) {
  const NewKey made = Make(Scope::kAdmin);
  EXPECT_THAT(ring_->Authenticate("wrong").error().remedy().text(), Not(HasSubstr("--local")));
  ASSERT_TRUE(ring_->Revoke(made.key.id, LastAdmin::kMayGo));
  EXPECT_THAT(ring_->Authenticate(made.token).error().remedy().text(), HasSubstr("--local"));
  EXPECT_THAT(ring_->HowToGetIn().text(), HasSubstr("--local"));
}

// A database as the program before owners wrote it.
TEST(OwnersOfKeys, AreTheKeysThemselvesInADatabaseFromBefore) {
  auto db = store::Database::Open(":memory:", store::Durability::kProcess).value();
  const auto all = store::AllMigrations();
  size_t before = 0;
  while (std::string_view(all[before].name) != "owners of keys") ++before;
  ASSERT_TRUE(store::Migrate(db, all.first(before)));
  ASSERT_TRUE(db.Execute(R"(
    INSERT INTO api_key(id, name, scope, hash, created_ms, requests_per_second, max_sandboxes)
      VALUES('aaaaaaaaaaaa', 'a', 'use', 'x', 1, 0, 3), ('bbbbbbbbbbbb', 'b', 'read', 'y', 2, 0, 0);
    INSERT INTO audit(unix_ms, request_id, owner, peer, operation, method, path, status)
      VALUES(1, 'r', 'aaaaaaaaaaaa', '', '', '', '', 200), (2, 'r', 'local', '', '', '', '', 200))"));
  ASSERT_TRUE(store::Migrate(db, all));
  const auto keys = ReadKeys(db).value();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].owner, keys[0].id);
  EXPECT_EQ(keys[0].max_sandboxes, 3U);
  EXPECT_EQ(keys[1].owner, keys[1].id);
  EXPECT_EQ(keys[1].max_sandboxes, 0U);
  auto audit = db.Prepare("SELECT key_id FROM audit ORDER BY id").value();
  std::vector<std::string> ids;
  while (audit.Step().value()) ids.push_back(audit.Text(0));
  EXPECT_THAT(ids, ElementsAre("aaaaaaaaaaaa", ""));
}

TEST_F(KeyRingTest, NotesWhenAKeyWasUsed) {
  const NewKey made = Make(Scope::kUse);
  EXPECT_FALSE(ring_->List()[0].last_used_unix_ms);
  ASSERT_TRUE(ring_->Authenticate(made.token));
  EXPECT_TRUE(ring_->List()[0].last_used_unix_ms);
}

TEST(MakeKey, RefusesNamesThatAreNone) {
  EXPECT_FALSE(MakeKey({.name = ""}, 0));
  EXPECT_FALSE(MakeKey({.name = "a\nb"}, 0));
  EXPECT_FALSE(MakeKey({.name = std::string(129, 'a')}, 0));
  EXPECT_FALSE(MakeKey({.name = "a", .expires_in = Millis(0)}, 0));
  for (const char* owner : {"a/b", "..", ".a", "-a", "a b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(MakeKey({.name = "a", .owner = owner}, 0)) << owner;
  }
  EXPECT_FALSE(MakeKey({.name = "a", .owner = std::string(65, 'a')}, 0));
  EXPECT_TRUE(MakeKey({.name = "a", .owner = "Ann.O+x@example.org"}, 0));
}

TEST(MakeKey, MakesSecretsThatDiffer) {
  EXPECT_NE(MakeKey({.name = "a"}, 0)->token, MakeKey({.name = "a"}, 0)->token);
}

// RFC 4231, test case 2.
TEST(HmacSha256Hex, IsWhatTheRfcSays) {
  EXPECT_EQ(HmacSha256Hex("Jefe", "what do ya want for nothing?").value(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace cay::api
