#include "sandbox/secrets/secret_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/os/file.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kMe = kOwnerWithoutKey;

class SecretBookTest : public ::testing::Test {
 protected:
  SecretBookTest()
      : directory_(testing::TempDir() + "cay-secrets-" + std::to_string(::getpid())),
        book_(directory_) {
    std::filesystem::create_directories(directory_);
  }
  ~SecretBookTest() override { std::filesystem::remove_all(directory_); }

  static KeptSecret Secret(const std::string& name, const std::string& value) {
    return {.secret = {.name = name, .hosts = {"a.example"}, .value = value}, .variable = "TOKEN"};
  }
  std::string Content(const std::string& name) const {
    return ReadFile(directory_ + "/" + name).value_or("");
  }

  std::string directory_;
  SecretBook book_;
};

TEST_F(SecretBookTest, KeepsWhatItIsGivenAndReplacesByName) {
  const auto none = book_.List(kMe);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(book_.Put(Secret("b", "one")));
  ASSERT_TRUE(book_.Put(Secret("a", "two")));
  ASSERT_TRUE(book_.Put(Secret("b", "three")));
  const auto all = SecretBook(directory_).List(kMe);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].secret.name, "a");
  EXPECT_EQ((*all)[1].secret.value, "three");
  const auto found = book_.Find(kMe, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->secret.value, "two");
  EXPECT_EQ(found->variable, "TOKEN");
  ASSERT_TRUE(book_.Remove(kMe, "a"));
  EXPECT_EQ(book_.Find(kMe, "a").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(book_.Remove(kMe, "a").error().code(), ErrorCode::kNotFound);
}

TEST_F(SecretBookTest, NoFileHasTheValueAndOthersCannotReadThem) {
  ASSERT_TRUE(book_.Put(Secret("a", "unspeakable")));
  for (const std::string name : {"secrets", "secrets.key", "secrets.lock"}) {
    EXPECT_THAT(Content(name), Not(HasSubstr("unspeakable")));
    struct stat info{};
    ASSERT_EQ(::stat((directory_ + "/" + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << name;
  }
}

TEST_F(SecretBookTest, WhatCannotBeOpenedIsAnErrorAndStays) {
  ASSERT_TRUE(book_.Put(Secret("a", "one")));
  const std::string sealed = Content("secrets");
  const std::string key = Content("secrets.key");
  const auto stays = [&] {
    EXPECT_FALSE(book_.List(kMe));
    EXPECT_FALSE(book_.Put(Secret("b", "two")));
    EXPECT_FALSE(book_.Remove(kMe, "a"));
    EXPECT_EQ(Content("secrets"), sealed);
  };
  std::filesystem::remove(directory_ + "/secrets.key");
  stays();
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/secrets.key"));
  for (const std::string& other :
       {std::string("short"), std::string(32, 'x'), std::string(33, 'x')}) {
    ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets.key", other, 0600));
    stays();
  }
  ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets.key", key, 0600));
  EXPECT_TRUE(book_.Find(kMe, "a"));
  std::string changed = sealed;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets", changed, 0600));
  EXPECT_FALSE(book_.List(kMe));
}

TEST_F(SecretBookTest, WhatCanNotBeASecretIsNotKept) {
  EXPECT_FALSE(book_.Put(Secret("a b", "one")));
  EXPECT_FALSE(book_.Put(Secret("a", "")));
  KeptSecret wrong = Secret("a", "one");
  wrong.variable = "A=B";
  EXPECT_FALSE(book_.Put(wrong));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/secrets"));
}

TEST_F(SecretBookTest, ANewerProgramsFieldsStay) {
  KeptSecret newer = Secret("a", "one");
  protocol::CborWriter pair;
  pair.Unsigned(40);
  pair.Unsigned(7);
  newer.rest = {.count = 1, .pairs = std::move(pair).Take()};
  ASSERT_TRUE(book_.Put(newer));
  ASSERT_TRUE(book_.Put(Secret("b", "two")));
  const auto found = book_.Find(kMe, "a");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->rest.pairs, newer.rest.pairs);
}

// As a program wrote it that knew no owners, and nothing that was removed.
TEST_F(SecretBookTest, AFileWithoutOwnersIsOfTheOwnerWithoutAKey) {
  protocol::CborWriter writer;
  writer.Map(1);
  writer.Unsigned(1);
  writer.Array(1);
  writer.Map(3);
  writer.Unsigned(1);
  writer.Map(6);
  writer.Unsigned(1);
  writer.Bytes("old");
  writer.Unsigned(2);
  writer.Array(1);
  writer.Bytes("a.example");
  for (const unsigned empty : {3U, 4U, 5U}) {
    writer.Unsigned(empty);
    writer.Bytes("");
  }
  writer.Unsigned(6);
  writer.Bytes("v4lue");
  writer.Unsigned(2);
  writer.Bytes("OLD");
  writer.Unsigned(3);
  writer.Signed(7);
  ASSERT_TRUE(SealedFiles(directory_).Write("secrets", "cay secrets 1", std::move(writer).Take()));
  const auto found = book_.Find(kMe, "old");
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->secret.value, "v4lue");
  EXPECT_EQ(found->variable, "OLD");
  ASSERT_TRUE(book_.Put(Secret("new", "one")));
  EXPECT_TRUE(book_.Find(kMe, "old"));
}

TEST_F(SecretBookTest, OwnersHaveTheirOwn) {
  KeptSecret others = Secret("a", "theirs");
  others.owner = "team";
  EXPECT_EQ(*book_.Put(Secret("a", "mine")), false);
  EXPECT_EQ(*book_.Put(others), false);
  EXPECT_EQ(*book_.Put(others), true);
  EXPECT_EQ(book_.Find(kMe, "a")->secret.value, "mine");
  EXPECT_EQ(book_.Find("team", "a")->secret.value, "theirs");
  EXPECT_EQ(book_.List("team")->size(), 1U);
  EXPECT_EQ(book_.Find("nobody", "a").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(book_.Remove(kMe, "a"));
  EXPECT_TRUE(book_.Find("team", "a"));
}

TEST_F(SecretBookTest, AnOwnerHasABoundedNumber) {
  for (size_t i = 0; i < SecretBook::kMaxOfOwner; ++i)
    ASSERT_TRUE(book_.Put(Secret("s" + std::to_string(i), "v")));
  const auto refused = book_.Put(Secret("more", "v"));
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(book_.Put(Secret("s0", "w"))) << "is there already";
  KeptSecret others = Secret("a", "v");
  others.owner = "team";
  EXPECT_TRUE(book_.Put(others));
}

TEST_F(SecretBookTest, OfWhatIsRemovedItKnowsWhereItWentAndNoValue) {
  ASSERT_TRUE(book_.Put(Secret("a", "one")));
  ASSERT_TRUE(book_.Remove(kMe, "a"));
  const auto pages = book_.Read();
  ASSERT_TRUE(pages);
  const RemovedSecret* const removed = pages->FindRemoved(kMe, "a");
  ASSERT_NE(removed, nullptr);
  EXPECT_THAT(removed->hosts, ElementsAre("a.example"));
  EXPECT_EQ(pages->FindRemoved("team", "a"), nullptr);
  ASSERT_TRUE(book_.Put(Secret("a", "two")));
  EXPECT_EQ(book_.Read()->FindRemoved(kMe, "a"), nullptr);
}

TEST_F(SecretBookTest, ItsMarkIsAnotherAfterEachChange) {
  const uint64_t none = book_.Mark();
  ASSERT_TRUE(book_.Put(Secret("a", "one")));
  const uint64_t one = book_.Mark();
  EXPECT_NE(one, none);
  EXPECT_EQ(book_.Mark(), one);
  ASSERT_TRUE(SecretBook(directory_).Put(Secret("a", "one")));
  EXPECT_NE(book_.Mark(), one);
}

TEST(SecretVariables, AreMadeOfNames) {
  EXPECT_EQ(VariableFor("my-api.token"), "MY_API_TOKEN");
  EXPECT_EQ(VariableFor("2fa"), "_2FA");
  EXPECT_TRUE(IsVariableName("_A1"));
  for (const std::string_view wrong : {"", "1A", "A-B", "A=B", "A B"})
    EXPECT_FALSE(IsVariableName(wrong)) << wrong;
}

}  // namespace
}  // namespace cay::sandbox
