#include "sandbox/builds/build_rules.h"

#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

const Caller kAdmin{.owner = "ops", .admin = true};
const Caller kSomebody{.owner = "somebody"};

TEST(BuildRules, WhoMayBuildIsTheAdministratorsToSay) {
  BuildRules rules;
  EXPECT_TRUE(CheckMayBuild(rules, kAdmin));
  const auto refused = CheckMayBuild(rules, kSomebody);
  ASSERT_FALSE(refused) << "administrators alone, unless somebody says otherwise";
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
  rules.policy = BuildPolicy::kAll;
  EXPECT_TRUE(CheckMayBuild(rules, kSomebody));
  rules.policy = BuildPolicy::kNever;
  EXPECT_FALSE(CheckMayBuild(rules, kAdmin));
}

TEST(BuildRules, ForWhomPackagesAreInstalledIsTheAdministratorsToSay) {
  BuildRules rules{.policy = BuildPolicy::kNever};
  EXPECT_TRUE(CheckMayInstall(rules, kAdmin)) << "whoever builds";
  const auto refused = CheckMayInstall(rules, kSomebody);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
  rules.packages = BuildPolicy::kAll;
  EXPECT_TRUE(CheckMayInstall(rules, kSomebody));
  rules.packages = BuildPolicy::kNever;
  EXPECT_FALSE(CheckMayInstall(rules, kAdmin));
}

TEST(BuildRules, APolicyIsOneOfThreeWords) {
  for (const auto policy : {BuildPolicy::kNever, BuildPolicy::kAdmin, BuildPolicy::kAll})
    EXPECT_EQ(*ParseBuildPolicy(BuildPolicyName(policy)), policy);
  EXPECT_FALSE(ParseBuildPolicy("sometimes"));
  EXPECT_FALSE(ParseBuildPolicy(""));
}

TEST(BuildRules, OneOwnerHasAtMostHalfOfThePlaces) {
  const BuildRules rules{.at_a_time = 2, .waiting = 8};
  EXPECT_EQ(MostOf(rules, kSomebody), 5U);
  EXPECT_EQ(MostOf(rules, kAdmin), 10U);
  EXPECT_EQ(MostOf({.at_a_time = 1, .waiting = 0}, kSomebody), 1U) << "and always one";
}

}  // namespace
}  // namespace cay::sandbox
