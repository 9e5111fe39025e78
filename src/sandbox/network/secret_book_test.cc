#include "sandbox/network/secret_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/os/file.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  const auto none = book_.List();
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(book_.Put(Secret("b", "one")));
  ASSERT_TRUE(book_.Put(Secret("a", "two")));
  ASSERT_TRUE(book_.Put(Secret("b", "three")));
  const auto all = SecretBook(directory_).List();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].secret.name, "a");
  EXPECT_EQ((*all)[1].secret.value, "three");
  const auto found = book_.Find("a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->secret.value, "two");
  EXPECT_EQ(found->variable, "TOKEN");
  ASSERT_TRUE(book_.Remove("a"));
  EXPECT_EQ(book_.Find("a").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(book_.Remove("a").error().code(), ErrorCode::kNotFound);
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
    EXPECT_FALSE(book_.List());
    EXPECT_FALSE(book_.Put(Secret("b", "two")));
    EXPECT_FALSE(book_.Remove("a"));
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
  EXPECT_TRUE(book_.Find("a"));
  std::string changed = sealed;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets", changed, 0600));
  EXPECT_FALSE(book_.List());
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
  const auto found = book_.Find("a");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->rest.pairs, newer.rest.pairs);
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
