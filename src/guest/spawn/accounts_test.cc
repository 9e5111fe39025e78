#include "guest/spawn/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const AccountFiles kFiles{.passwd =
                              "root:x:0:0:root:/root:/bin/sh\n"
                              "# a comment\n"
                              "\n"
                              "broken:x:abc:0::/:/bin/sh\n"
                              "huge:x:4294967296:0::/:/bin/sh\n"
                              "user:x:1000:1001::/home/user:/bin/sh\n"
                              "www:x:33:33::/var/www:/bin/sh",
                          .group =
                              "root:x:0:\n"
                              "user:x:1001:user\n"
                              "audio:x:29:www,user\n"
                              "video:x:44:user\n"
                              "audio2:x:29:user\n"};

TEST(ResolveUser, WithoutASpecItIsUid1000) {
  EXPECT_EQ(ResolveUser("", kFiles), (Account{.uid = 1000, .gid = 1000, .groups = {}}));
}

TEST(ResolveUser, ANameHasItsGroupsEachOnce) {
  const auto user = ResolveUser("user", kFiles);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 1000U);
  EXPECT_EQ(user->gid, 1001U);
  EXPECT_THAT(user->groups, ElementsAre(29U, 44U));
}

TEST(ResolveUser, ANumberTakesItsGroupFromPasswdWhenItIsThere) {
  EXPECT_EQ(ResolveUser("33", kFiles)->gid, 33U);
  EXPECT_EQ(ResolveUser("77", kFiles)->gid, 0U);
  EXPECT_EQ(ResolveUser("1000", {})->gid, 1000U);
}

TEST(ResolveUser, AGroupThatIsGivenStandsAlone) {
  const auto user = ResolveUser("user:audio", kFiles);
  EXPECT_EQ(user->gid, 29U);
  EXPECT_THAT(user->groups, IsEmpty());
  EXPECT_EQ(
      ResolveUser("5:6", kFiles),
      (Account{.uid = 5, .gid = 6, .groups = {}, .name = "5", .home = "/", .shell = "/bin/sh"}));
}

TEST(ResolveUser, WhatDoesNotExistIsRefusedByName) {
  EXPECT_THAT(ResolveUser("nobody", kFiles).error().message(), HasSubstr("no user nobody"));
  EXPECT_THAT(ResolveUser("user:x", kFiles).error().message(), HasSubstr("no group x"));
  EXPECT_FALSE(ResolveUser("broken", kFiles));
  EXPECT_FALSE(ResolveUser("huge", kFiles));
  EXPECT_FALSE(ResolveUser("65536", kFiles));
  EXPECT_FALSE(ResolveUser("0:65536", kFiles));
  EXPECT_FALSE(ResolveUser(":", kFiles));
  EXPECT_FALSE(ResolveUser("user:", kFiles));
  EXPECT_FALSE(ResolveUser("-1", kFiles));
}

TEST(ResolveUser, HostileFilesCannotMakeManyGroups) {
  AccountFiles files{.passwd = "u:x:1:1::/:/bin/sh\n", .group = {}};
  for (int i = 2; i < 5000; ++i) files.group += "g:x:" + std::to_string(i) + ":u\n";
  EXPECT_EQ(ResolveUser("u", files)->groups.size(), kMaxGroups);
}

TEST(ResolveUser, FilesOfNoiseOnlyMakeUsersUnknown) {
  for (const std::string& noise :
       {std::string(10'000, ':'), std::string(10'000, '\n'), std::string(1000, '\0'),
        std::string("u"), std::string("u:"), std::string("u:::"), std::string("u::1"),
        std::string("u::1:")}) {
    EXPECT_FALSE(ResolveUser("u", {.passwd = noise, .group = noise}));
  }
}

TEST(LookUpUser, InSingleUserModeOnlyUid1000IsThere) {
  EXPECT_TRUE(LookUpUser("", true));
  EXPECT_TRUE(LookUpUser("1000:1000", true));
  EXPECT_EQ(LookUpUser("0:0", true).error().code(), ErrorCode::kNotSupported);
}

TEST(IsAdministrator, RootTheUsualUserAndMembersOfTheGroups) {
  const AccountFiles files{.passwd =
                               "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/:/bin/sh\n"
                               "bob:x:1002:27::/:/bin/sh\ncarol:x:1003:1003::/:/bin/sh\n",
                           .group = "sudo:x:27:alice\nwheel:x:10:x,carol\naudio:x:29:dave\n"};
  EXPECT_TRUE(IsAdministrator(0, files));
  EXPECT_TRUE(IsAdministrator(kDefaultUid, files));
  EXPECT_TRUE(IsAdministrator(1001, files));
  EXPECT_TRUE(IsAdministrator(1002, files));  // sudo is its own group
  EXPECT_TRUE(IsAdministrator(1003, files));
}

TEST(IsAdministrator, NobodyElse) {
  const AccountFiles files{.passwd = "dave:x:1004:1004::/:/bin/sh\nalice:x:1005:1:::\n",
                           .group = "sudo:x:27:dav,davex\nsudoers:x:28:dave\n"};
  EXPECT_FALSE(IsAdministrator(1004, files));
  EXPECT_FALSE(IsAdministrator(1005, files));
  EXPECT_FALSE(IsAdministrator(65'534, files));
  EXPECT_FALSE(IsAdministrator(1006, {}));
}

}  // namespace
}  // namespace cay::guest
