#include "sandbox/secrets/authority_book.h"

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
using ::testing::SizeIs;

constexpr int64_t kDay = AuthorityPlan::kDayMs;
constexpr int64_t kYear = 365 * kDay;
constexpr int64_t kNow = 1'800'000'000'000;

class AuthorityBookTest : public ::testing::Test {
 protected:
  AuthorityBookTest() : directory_(testing::TempDir() + "cay-auth-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(directory_);
  }
  ~AuthorityBookTest() override { std::filesystem::remove_all(directory_); }

  ServerAuthority At(int64_t now) const {
    auto got = AuthorityBook(directory_).Get(now);
    EXPECT_TRUE(got) << got.error().ToString();
    return got ? *std::move(got) : ServerAuthority{};
  }

  std::string directory_;
};

TEST_F(AuthorityBookTest, ItIsMadeOnceAndTheSameForTheNextServer) {
  const ServerAuthority first = At(kNow);
  EXPECT_TRUE(IssueLeaf(first.identity, "api.example.com"));
  const ServerAuthority second = At(kNow + kYear);
  EXPECT_EQ(second.identity.certificate, first.identity.certificate);
  EXPECT_EQ(second.mark, first.mark);
  EXPECT_THAT(second.trusted, SizeIs(1));
}

TEST_F(AuthorityBookTest, NoFileHasTheKeyAndOthersCannotReadThem) {
  (void)At(kNow);
  for (const std::string name : {"secrets.authority", "secrets.key"}) {
    const std::string path = directory_ + "/" + name;
    EXPECT_THAT(ReadFile(path).value_or(""), Not(HasSubstr("PRIVATE KEY")));
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << name;
  }
}

TEST_F(AuthorityBookTest, AnotherIsTrustedBeforeItSignsAndSignsBeforeTheFirstEnds) {
  const ServerAuthority first = At(kNow);
  const ServerAuthority both = At(kNow + 8 * kYear + kDay);
  EXPECT_EQ(both.identity.certificate, first.identity.certificate);
  EXPECT_THAT(both.trusted, SizeIs(2));
  EXPECT_NE(both.mark, first.mark);
  const ServerAuthority next = At(kNow + 9 * kYear + kDay);
  EXPECT_NE(next.identity.certificate, first.identity.certificate);
  EXPECT_EQ(next.identity.certificate, both.trusted.at(1));
  EXPECT_EQ(next.trusted, both.trusted);
  const ServerAuthority later = At(kNow + 11 * kYear);
  EXPECT_EQ(later.identity.certificate, next.identity.certificate);
  EXPECT_THAT(later.trusted, SizeIs(1)) << "the first has ended";
}

TEST_F(AuthorityBookTest, OneOfAClockThatWasAheadIsNotUsed) {
  const ServerAuthority ahead = At(kNow + kYear);
  const ServerAuthority now = At(kNow);
  EXPECT_NE(now.identity.certificate, ahead.identity.certificate);
  EXPECT_THAT(now.trusted, SizeIs(2));
}

TEST_F(AuthorityBookTest, WhatCannotBeOpenedIsAnErrorAndStays) {
  (void)At(kNow);
  const std::string sealed = ReadFile(directory_ + "/secrets.authority").value_or("");
  std::filesystem::remove(directory_ + "/secrets.key");
  EXPECT_FALSE(AuthorityBook(directory_).Get(kNow));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/secrets.key"));
  ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets.key", std::string(32, 'x'), 0600));
  const auto refused = AuthorityBook(directory_).Get(kNow);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("secrets.authority"));
  EXPECT_EQ(ReadFile(directory_ + "/secrets.authority").value_or(""), sealed);
}

}  // namespace
}  // namespace cay::sandbox
