#include "store/database.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "store/migrations.h"

namespace cay::store {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = ::testing::TempDir() + "cay-database-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~DatabaseTest() override { std::filesystem::remove_all(directory_); }

  Database Open() {
    auto db = Database::Open(directory_ + "/db", Durability::kProcess);
    EXPECT_TRUE(db) << db.error().ToString();
    return std::move(*db);
  }
  static int64_t Count(Database& db) {
    auto count = db.Prepare("SELECT count(*) FROM thing");
    EXPECT_TRUE(count);
    EXPECT_TRUE(count->Step());
    return count->Int(0);
  }

  std::string directory_;
};

constexpr std::array<Migration, 2> kSteps = {{
    {"things", "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"},
    {"sizes", "ALTER TABLE thing ADD COLUMN size INTEGER; INSERT INTO thing VALUES (1, 'a', 7)"},
}};

TEST_F(DatabaseTest, BoundValuesComeBackAsTheyWere) {
  Database db = Open();
  ASSERT_TRUE(db.Execute("CREATE TABLE thing (id, name, bytes, absent)"));
  auto insert = db.Prepare("INSERT INTO thing VALUES (?1, ?2, ?3, ?4)");
  ASSERT_TRUE(insert);
  const std::string text = "Robert'); DROP TABLE thing;--";
  const std::string bytes("a\0b", 3);
  insert->Bind(1, int64_t{-5});
  insert->Bind(2, text);
  insert->BindBlob(3, bytes);
  insert->BindNull(4);
  ASSERT_TRUE(insert->Step());
  auto select = db.Prepare("SELECT id, name, bytes, absent FROM thing");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int(0), -5);
  EXPECT_EQ(select->Text(1), text);
  EXPECT_EQ(select->Text(2), bytes);
  EXPECT_TRUE(select->IsNull(3));
  EXPECT_FALSE(*select->Step());
}

TEST_F(DatabaseTest, ATransactionThatFailsLeavesNothing) {
  Database db = Open();
  ASSERT_TRUE(Migrate(db, kSteps));
  const auto done = db.Transact([&]() -> Result<void> {
    TRY(db.Execute("INSERT INTO thing VALUES (2, 'b', 0)"));
    return Failure(Error::Invalid("no"));
  });
  EXPECT_EQ(done.error().message(), "no");
  EXPECT_EQ(Count(db), 1);
  EXPECT_TRUE(db.Transact([&] { return db.Execute("INSERT INTO thing VALUES (2, 'b', 0)"); }));
  EXPECT_EQ(Count(db), 2);
}

TEST_F(DatabaseTest, AnInnerTransactionThatFailsLeavesTheOuterOnesWork) {
  Database db = Open();
  ASSERT_TRUE(Migrate(db, kSteps));
  ASSERT_TRUE(db.Transact([&]() -> Result<void> {
    TRY(db.Execute("INSERT INTO thing VALUES (2, 'b', 0)"));
    const auto inner = db.TransactInside([&]() -> Result<void> {
      TRY(db.Execute("INSERT INTO thing VALUES (3, 'c', 0)"));
      return db.Execute("INSERT INTO thing VALUES (4, 'a', 0)");
    });
    EXPECT_EQ(inner.error().code(), ErrorCode::kAlreadyExists);
    return {};
  }));
  EXPECT_EQ(Count(db), 2);
}

TEST_F(DatabaseTest, AStatementTwiceAtOnceIsTwoStatements) {
  Database db = Open();
  ASSERT_TRUE(Migrate(db, kSteps));
  ASSERT_TRUE(db.Execute("INSERT INTO thing VALUES (2, 'b', 0)"));
  const char* sql = "SELECT id FROM thing ORDER BY id";
  auto first = db.Prepare(sql);
  ASSERT_TRUE(*first->Step());
  auto second = db.Prepare(sql);
  ASSERT_TRUE(*second->Step());
  ASSERT_TRUE(*second->Step());
  EXPECT_EQ(first->Int(0), 1);
  EXPECT_EQ(second->Int(0), 2);
}

TEST_F(DatabaseTest, MigrationsAreTakenOnceAndInOrder) {
  {
    Database db = Open();
    ASSERT_TRUE(Migrate(db, std::span(kSteps).first(1)));
    EXPECT_EQ(Count(db), 0);
  }
  Database db = Open();
  ASSERT_TRUE(Migrate(db, kSteps));
  ASSERT_TRUE(Migrate(db, kSteps));
  EXPECT_EQ(Count(db), 1);
}

TEST_F(DatabaseTest, AMigrationThatFailsChangesNothingAndIsNamed) {
  Database db = Open();
  const std::array<Migration, 2> broken = {{kSteps[0], {"wrong", "DROP TABLE thing; NONSENSE"}}};
  const auto done = Migrate(db, broken);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("wrong"), std::string::npos);
  EXPECT_EQ(Count(db), 0);
  EXPECT_TRUE(Migrate(db, kSteps));
}

TEST_F(DatabaseTest, ADatabaseOfANewerProgramIsRefused) {
  Database db = Open();
  ASSERT_TRUE(Migrate(db, kSteps));
  const auto done = Migrate(db, std::span(kSteps).first(1));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kNotSupported);
  EXPECT_FALSE(done.error().remedy().text().empty());
}

TEST_F(DatabaseTest, TheTablesOfTheProgramCanBeMade) {
  Database db = Open();
  const auto done = Migrate(db, AllMigrations());
  EXPECT_TRUE(done) << done.error().ToString();
}

}  // namespace
}  // namespace cay::store
