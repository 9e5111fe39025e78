#include "sandbox/secrets/secret_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "network/intercept/credentials.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SecretKeeperTest : public ::testing::Test {
 protected:
  SecretKeeperTest()
      : directory_(testing::TempDir() + "cay-keeper-" + std::to_string(::getpid())),
        keeper_(directory_) {
    std::filesystem::create_directories(directory_);
    keeper_.OnChange([this](const std::string& owner, const std::string& name) {
      told_.push_back(owner + "/" + name);
    });
  }
  ~SecretKeeperTest() override { std::filesystem::remove_all(directory_); }

  void Keep(const std::string& name, const std::string& value, const std::string& owner = "me") {
    const auto put = keeper_.Put({.secret = {.name = name, .hosts = {"a.example"}, .value = value},
                                  .variable = VariableFor(name),
                                  .owner = owner});
    ASSERT_TRUE(put) << put.error().ToString();
  }
  static NetworkSpec Naming(std::vector<std::string> names) {
    NetworkSpec spec{.policy = {.mode = network::Mode::kAllow, .allow = {"a.example:443"}}};
    spec.secrets = std::move(names);
    return spec;
  }
  Result<NetworkSpec> Grant(NetworkSpec spec, const NetworkSpec& before = {},
                            const StringMap& env = {}) {
    TRY(keeper_.Grant("me", network::Bounds(), env, before, spec));
    return spec;
  }
  std::string WhyNot(NetworkSpec spec, const StringMap& env = {}) {
    const auto granted = Grant(std::move(spec), {}, env);
    return granted ? "granted" : granted.error().message();
  }

  std::string directory_;
  SecretKeeper keeper_;
  std::vector<std::string> told_;
};

TEST_F(SecretKeeperTest, ListsWithoutValuesAndTellsOfChanges) {
  Keep("a", "v4lue");
  Keep("b", "0ther", "team");
  EXPECT_THAT(*keeper_.List(""), SizeIs(2));
  const auto mine = keeper_.List("me");
  ASSERT_THAT(*mine, SizeIs(1));
  EXPECT_EQ(mine->at(0).secret.value, "");
  EXPECT_EQ(keeper_.Find("me", "a")->secret.value, "");
  EXPECT_EQ(keeper_.Find("me", "b").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(keeper_.Remove("me", "a"));
  EXPECT_FALSE(keeper_.Remove("me", "a"));
  EXPECT_THAT(told_, ElementsAre("me/a", "team/b", "me/a"));
}

TEST_F(SecretKeeperTest, WhatCannotBeASecretIsWellFormedAndRefused) {
  const auto refused = keeper_.Put({.secret = {.name = "a", .hosts = {"*.example"}, .value = "v"},
                                    .variable = "A",
                                    .owner = "me"});
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().sys_errno(), EINVAL);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(SecretKeeperTest, APlaceholderIsTheSandboxsOwnAndStays) {
  Keep("my-api", "v4lue");
  Keep("other", "0ther");
  const auto first = Grant(Naming({"my-api"}));
  ASSERT_TRUE(first) << first.error().ToString();
  ASSERT_THAT(first->granted, SizeIs(1));
  EXPECT_EQ(first->granted[0].variable, "MY_API");
  EXPECT_THAT(first->granted[0].placeholder, HasSubstr(network::kPlaceholderPrefix));
  EXPECT_NE(Grant(Naming({"my-api"}))->granted, first->granted);
  const auto more = Grant(Naming({"other", "my-api"}), *first);
  ASSERT_THAT(more->granted, SizeIs(2));
  EXPECT_EQ(more->granted[1], first->granted[0]);
  EXPECT_THAT(Grant(Naming({}), *first)->granted, IsEmpty());
  // A spec that comes with what another sandbox was given has nothing of it.
  EXPECT_NE(Grant(*first)->granted, first->granted);
}

TEST_F(SecretKeeperTest, WhatCannotBeSentIsNotGranted) {
  Keep("my-api", "v4lue");
  Keep("my.api", "v4lue");
  Keep("theirs", "v4lue", "team");
  EXPECT_EQ(WhyNot(Naming({"my-api"})), "granted");
  EXPECT_THAT(WhyNot(Naming({"theirs"})), HasSubstr("there is no secret \"theirs\""));
  EXPECT_EQ(Grant(Naming({"theirs"})).error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(WhyNot(Naming({"my-api", "my-api"})), HasSubstr("twice"));
  EXPECT_THAT(WhyNot(Naming({"my-api", "my.api"})), HasSubstr("that of \"my-api\" already"));
  EXPECT_THAT(WhyNot(Naming({"my-api"}), {{"MY_API", "x"}}), HasSubstr("in \"env\" already"));
  EXPECT_THAT(WhyNot(Naming(std::vector<std::string>(17, "a"))), HasSubstr("maximum of 16"));
  NetworkSpec elsewhere = Naming({"my-api"});
  elsewhere.policy.allow = {"b.example"};
  EXPECT_THAT(WhyNot(elsewhere), HasSubstr("does not allow"));
  NetworkSpec none = Naming({"my-api"});
  none.policy = {};
  none.join = {"app"};
  EXPECT_THAT(WhyNot(none), HasSubstr("nothing is reached"));
}

TEST_F(SecretKeeperTest, ValuesAreThoseThatAreKeptNowAndARemovedOneIsRevoked) {
  Keep("a", "one");
  const auto granted = Grant(Naming({"a"}))->granted;
  const auto named = NamedOf(granted);
  EXPECT_EQ(keeper_.ValuesOf("me", named)->at(0).value, "one");
  Keep("a", "two");
  const network::Secret now = keeper_.ValuesOf("me", named)->at(0);
  EXPECT_EQ(now.value, "two");
  EXPECT_EQ(now.placeholder, granted[0].placeholder);
  EXPECT_TRUE(keeper_.ValuesOf("team", named)->at(0).revoked);
  ASSERT_TRUE(keeper_.Remove("me", "a"));
  const network::Secret gone = keeper_.ValuesOf("me", named)->at(0);
  EXPECT_TRUE(gone.revoked);
  EXPECT_THAT(gone.value, IsEmpty());
  EXPECT_THAT(gone.hosts, ElementsAre("a.example"));
  EXPECT_TRUE(network::Credentials::Compile({gone}));
  EXPECT_FALSE(keeper_.StandingOf("me", granted)->at(0).kept);
  Keep("a", "three");
  EXPECT_FALSE(keeper_.ValuesOf("me", named)->at(0).revoked);
  EXPECT_TRUE(keeper_.StandingOf("me", granted)->at(0).kept);
}

TEST_F(SecretKeeperTest, WhereNothingIsNamedNothingIsRead) {
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_ + "/secrets");  // no file
  EXPECT_TRUE(Grant(Naming({})));
  EXPECT_TRUE(keeper_.ValuesOf("me", {}));
  EXPECT_TRUE(keeper_.StandingOf("me", {}));
  EXPECT_FALSE(Grant(Naming({"a"})));
}

}  // namespace
}  // namespace cay::sandbox
