#include "guest/spawn/start_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/zsh\n"
    "user:x:1000:1000::/home/user:/bin/bash\n"
    "svc:x:33:33::nowhere:\n";

std::vector<std::string> EnvOf(const char* user, std::vector<std::string> env,
                               std::vector<std::string> account_env) {
  protocol::StartRequest request;
  request.env = std::move(env);
  request.account_env = std::move(account_env);
  const auto account = ResolveUser(user, {.passwd = std::string(kPasswd), .group = ""});
  EXPECT_TRUE(account.has_value());
  FollowAccount(request, *account);
  return request.env;
}

TEST(FollowAccount, PutsWhatPasswdHasForTheUser) {
  EXPECT_THAT(EnvOf("root", {"HOME=/home/user", "PATH=/bin"}, {"HOME", "USER", "LOGNAME", "SHELL"}),
              UnorderedElementsAre("HOME=/root", "PATH=/bin", "USER=root", "LOGNAME=root",
                                   "SHELL=/bin/zsh"));
}

TEST(FollowAccount, LeavesWhatSomebodyChose) {
  EXPECT_THAT(EnvOf("0", {"HOME=/data", "USER=user"}, {"USER"}),
              ElementsAre("HOME=/data", "USER=root"));
  EXPECT_THAT(EnvOf("0", {"HOME=/data"}, {}), ElementsAre("HOME=/data"));
}

TEST(FollowAccount, AUserWithoutAnEntryIsItsNumber) {
  EXPECT_THAT(EnvOf("77", {"HOME=/home/user"}, {"HOME", "USER", "SHELL"}),
              UnorderedElementsAre("HOME=/", "USER=77", "SHELL=/bin/sh"));
}

TEST(FollowAccount, AnEntryWithoutPathsHasTheUsualOnes) {
  EXPECT_THAT(EnvOf("svc", {}, {"HOME", "SHELL"}), UnorderedElementsAre("HOME=/", "SHELL=/bin/sh"));
}

TEST(FollowAccount, NobodyNamedChangesNothing) {
  EXPECT_THAT(EnvOf("", {"HOME=/home/user"}, {"HOME"}), ElementsAre("HOME=/home/user"));
}

TEST(FollowAccount, AVariableWithALongerNameIsAnother) {
  EXPECT_THAT(EnvOf("root", {"HOMEBREW=1", "SHELLOPTS=x"}, {"HOME"}),
              UnorderedElementsAre("HOMEBREW=1", "SHELLOPTS=x", "HOME=/root"));
}

TEST(ChooseShell, OnlyWhereItIsAskedFor) {
  protocol::StartRequest request;
  request.argv = {"/bin/sh", "-c", "true"};
  ChooseShell(request);
  EXPECT_EQ(request.argv.front(), "/bin/sh");
  request.shell = true;
  ChooseShell(request);
  EXPECT_THAT(request.argv.front(),
              ::testing::AnyOf("/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/local/bin/bash"));
  EXPECT_THAT(std::vector(request.argv.begin() + 1, request.argv.end()), ElementsAre("-c", "true"));
}

}  // namespace
}  // namespace cay::guest
