#include "api/legacy/legacy_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::api::rest {
namespace {

using ::testing::HasSubstr;

Result<sandbox::SandboxSpec> Read(const std::string& body) {
  return ReadLegacySpec(ParseJson(body).value());
}

TEST(LegacySpec, HasTheNamesOfEarlierSystems) {
  const auto spec = Read(R"({"project_id":"demo","environment_type":"python3.11","env":{"B":"2"},
      "environment_config":{"packages":[],"env_vars":{"DEBUG":"1"}},"timeout":60})");
  ASSERT_TRUE(spec) << spec.error().ToString();
  EXPECT_EQ(spec->project, "demo");
  EXPECT_EQ(spec->template_name, "python3.11");
  EXPECT_EQ(spec->env, (StringMap{{"B", "2"}, {"DEBUG", "1"}}));
  EXPECT_TRUE(Read(R"({"environment_config":null,"project_id":null})"));
  EXPECT_TRUE(Read("{}"));
}

TEST(LegacySpec, PackagesAreTakenAsTheyWereTyped) {
  const auto spec = Read(
      R"({"environment_config":{"packages":["tensorflow","keras"],"requirements":"numpy\n",
          "package_json":{"dependencies":{"a":"1"}},"package_lock":"{}"}})");
  ASSERT_TRUE(spec) << spec.error().ToString();
  const build::AskedPackages& asked = spec->packages.asked;
  EXPECT_EQ(asked.packages, (std::vector<std::string>{"tensorflow", "keras"}));
  EXPECT_EQ(asked.requirements, "numpy\n");
  EXPECT_EQ(asked.package_json, R"({"dependencies":{"a":"1"}})");
  EXPECT_EQ(asked.package_lock, "{}");
  EXPECT_TRUE(Read("{}")->packages.none());
  for (const char* bad : {R"({"packages":"tensorflow"})", R"({"packages":[1]})",
                          R"({"pakages":[]})", R"({"env_vars":{"A":1}})", R"([])",
                          R"({"requirements":["a"]})", R"({"package_json":[]})"}) {
    const auto wrong = Read(R"({"environment_config":)" + std::string(bad) + "}");
    ASSERT_FALSE(wrong) << bad;
    EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument) << bad;
    EXPECT_THAT(wrong.error().message(), HasSubstr("environment_config")) << bad;
  }
}

TEST(LegacySpec, TwoNamesOfOneThingMustAgree) {
  EXPECT_TRUE(Read(R"({"project_id":"a","project_name":"a"})"));
  EXPECT_FALSE(Read(R"({"project_id":"a","project_name":"b"})"));
  EXPECT_FALSE(Read(R"({"environment":"node20","environment_type":"python3.11"})"));
  EXPECT_EQ(Read(R"({"environment":null,"environment_type":"node20"})")->template_name, "node20");
  EXPECT_FALSE(Read(R"({"env":{"A":"1"},"environment_config":{"env_vars":{"A":"2"}}})"));
  EXPECT_TRUE(Read(R"({"env":{"A":"1"},"environment_config":{"env_vars":{"A":"1"}}})"));
}

}  // namespace
}  // namespace cay::api::rest
