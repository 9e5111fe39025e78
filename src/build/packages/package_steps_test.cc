#include "build/packages/package_steps.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "build/packages/derive.h"
#include "template/test_directory.h"

namespace cay::build {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A template of one directory, or of two as `host` is: "/" and "/usr".
class PackageSteps : public ::testing::Test {
 protected:
  PackageSteps() {
    base_.name = "base";
    base_.env = {"PATH=/opt/own/bin:/usr/bin", "HOME=/home/user", "LANG=C.UTF-8"};
    SetRoots(false);
  }
  void SetRoots(bool on_machine) {
    engine::HostLayers root{.overlays = {{.target = "/", .layers = {directory_.path() + "/root"}}},
                            .hostname = "cay"};
    if (on_machine)
      root.overlays.push_back({.target = "/usr", .layers = {directory_.path() + "/usr"}});
    base_.root = root;
  }
  void Put(const std::string& path) {
    std::string made = directory_.path();
    for (size_t at = 0; at != std::string::npos;) {
      const size_t next = path.find('/', at + 1);
      made += path.substr(at, next == std::string::npos ? next : next - at);
      if (next != std::string::npos) ::mkdir(made.c_str(), 0755);
      at = next;
    }
    std::ofstream(made) << "#!/bin/sh\n";
  }
  std::string Refusal(const std::vector<std::string>& packages) {
    const auto plan = PlanPackages({.packages = packages}, {}, base_);
    return plan ? "" : plan.error().ToString();
  }

  templates::TestDirectory directory_;
  templates::Template base_;
};

TEST_F(PackageSteps, PackagesAreThoseOfTheManagerThatIsThere) {
  Put("/root/usr/bin/npm");
  const auto node = PlanPackages({.packages = {"lodash"}}, {}, base_);
  ASSERT_TRUE(node) << node.error().ToString();
  ASSERT_EQ(node->steps.size(), 1U);
  EXPECT_EQ(node->steps[0].manager, Manager::kNpm);
  EXPECT_THAT(node->variables,
              ElementsAre("PATH=/opt/cay-packages/node/node_modules/.bin:/opt/own/bin:/usr/bin"));
  EXPECT_THAT(PresetsOf(*node), ElementsAre("npm"));
  Put("/root/opt/own/bin/pip3");
  const auto both = PlanPackages({.packages = {"six"}}, {}, base_);
  ASSERT_TRUE(both) << both.error().ToString();
  EXPECT_EQ(both->steps[0].manager, Manager::kPip);
  EXPECT_EQ(both->steps[0].run.argv.front(), "/opt/own/bin/pip3");
  EXPECT_EQ(PlanPackages({.packages = {"six"}}, Manager::kNpm, base_)->steps[0].manager,
            Manager::kNpm);
}

TEST_F(PackageSteps, WhatWasTypedIsInFilesAndArgumentsAndInNoScript) {
  Put("/root/usr/bin/pip");
  Put("/root/usr/bin/npm");
  Put("/root/usr/bin/apt-get");
  const auto plan =
      PlanPackages({.packages = {"pip:evil-name", "npm:evil-name", "apt:evil-name"}}, {}, base_);
  ASSERT_TRUE(plan) << plan.error().ToString();
  ASSERT_EQ(plan->steps.size(), 3U);
  for (const PackageStep& step : plan->steps) {
    for (size_t i = 0; i + 1 < step.run.argv.size(); ++i) {
      if (step.run.argv[i] == "-c") {
        EXPECT_THAT(step.run.argv[i + 1], Not(HasSubstr("evil")));
      }
    }
  }
  EXPECT_EQ(plan->steps[0].manager, Manager::kApt);
  EXPECT_EQ(plan->steps[0].run.argv.back(), "evil-name");
  EXPECT_EQ(plan->steps[2].run.files.front().content, "evil-name\n");
  EXPECT_THAT(plan->steps[2].run.env, Not(Contains(HasSubstr("HOME="))));
}

TEST_F(PackageSteps, OverTheMachinesOwnUsrPipHasADirectoryOfItsOwn) {
  ::mkdir((directory_.path() + "/root").c_str(), 0755);
  Put("/usr/bin/pip3");
  SetRoots(true);
  const auto plan = PlanPackages({.packages = {"six"}}, {}, base_);
  ASSERT_TRUE(plan) << plan.error().ToString();
  EXPECT_THAT(plan->steps[0].run.argv, Contains("/opt/cay-packages/python"));
  ASSERT_EQ(plan->steps[0].run.mounts.size(), 1U);
  EXPECT_TRUE(plan->steps[0].run.mounts[0].read_only);
  EXPECT_THAT(plan->variables, Contains("PYTHONPATH=/opt/cay-packages/python"));
  EXPECT_THAT(Refusal({"apt:jq"}), HasSubstr("own /usr"));
}

TEST_F(PackageSteps, AManagerThatIsNotThereIsSaidWithTheEnvironmentThatHasIt) {
  ::mkdir((directory_.path() + "/root").c_str(), 0755);
  EXPECT_THAT(Refusal({"six"}), HasSubstr("has no pip"));
  EXPECT_THAT(Refusal({"npm:six"}), HasSubstr("has no npm"));
  EXPECT_THAT(Refusal({"apt:six"}), HasSubstr("has no apt-get"));
}

TEST_F(PackageSteps, TheNameOfWhatIsDerivedIsOfAllThatItDependsOn) {
  Put("/root/usr/bin/pip");
  const auto name = [&](const AskedPackages& asked, const std::string& owner) {
    return PlanDerive(base_, asked, {.owner = owner})->name;
  };
  const std::string one = name({.packages = {"a", "b"}}, "team");
  EXPECT_TRUE(one.starts_with("packages-"));
  EXPECT_EQ(name({.packages = {"b"}, .requirements = "a\n"}, "team"), one);
  EXPECT_NE(name({.packages = {"a"}}, "team"), one);
  EXPECT_NE(name({.packages = {"a", "b"}}, "other"), one) << "owners share nothing";
  base_.env.emplace_back("PIP_INDEX_URL=x");
  EXPECT_NE(name({.packages = {"a", "b"}}, "team"), one) << "another template";
  EXPECT_FALSE(PlanDerive(base_, {.requirements = "# none\n"}, {}));
}

}  // namespace
}  // namespace cay::build
