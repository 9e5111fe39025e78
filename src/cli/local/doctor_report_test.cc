#include "cli/local/doctor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>

namespace cay::cli {
namespace {

using engine::native::Evaluate;
using engine::native::Facts;
using engine::native::Feature;
using ::testing::HasSubstr;
using ::testing::Not;

Facts WholeMachine() {
  Facts facts;
  facts.kernel = "6.18.0";
  facts.machine = "x86_64";
  facts.outcomes.values.fill(engine::native::kWorks);
  facts.cgroup_layout = engine::native::CgroupLayout::kV2;
  for (auto& controller : facts.controllers) controller.there = true;
  facts.landlock_abi = 7;
  facts.highest_open_files = 1 << 20;
  return facts;
}

TEST(DoctorReportTest, AWholeMachineIsSaidToBeFullyEnforced) {
  const std::string text = RenderDoctor(WholeMachine(), Evaluate(WholeMachine()), true);
  EXPECT_THAT(text, HasSubstr("fully enforced for this user"));
  EXPECT_THAT(text, HasSubstr("✓ memory limit"));
  EXPECT_THAT(text, Not(HasSubstr("mend it")));
}

TEST(DoctorReportTest, AGapIsMarkedWithItsReasonAndItsRemedy) {
  Facts facts = WholeMachine();
  facts.controllers[0] = {false, "the tree is read-only; run elsewhere"};
  const std::string text = RenderDoctor(facts, Evaluate(facts), true);
  EXPECT_THAT(text, HasSubstr("✗ memory limit"));
  EXPECT_THAT(text, HasSubstr("the tree is read-only"));
  EXPECT_THAT(text, HasSubstr("mend it: "));
  EXPECT_THAT(text, HasSubstr("not fully enforced: memory limit"));
}

TEST(DoctorReportTest, WithoutUtf8OnlyAsciiIsUsed) {
  Facts facts = WholeMachine();
  facts.outcomes[Feature::kSeccomp] = EINVAL;
  const std::string text = RenderDoctor(facts, Evaluate(facts), false);
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_THAT(text, HasSubstr("No sandbox can run for this user: system call filter"));
}

TEST(DoctorReportTest, JsonHasEveryProtectionAndFeature) {
  Facts facts = WholeMachine();
  facts.outcomes[Feature::kLoopDevices] = engine::native::kNotTried;
  facts.outcomes[Feature::kOverlay] = ENODEV;
  facts.runtimes = {"runc"};
  const auto json = boost::json::parse(RenderDoctorJson(facts, Evaluate(facts)));
  EXPECT_FALSE(json.at("fully_enforced").as_bool());
  EXPECT_FALSE(json.at("can_run").as_bool());
  EXPECT_TRUE(json.at("features").at("seccomp").as_bool());
  EXPECT_FALSE(json.at("features").at("overlay").as_bool());
  EXPECT_TRUE(json.at("features").at("loop_devices").is_null());
  EXPECT_EQ(json.at("features").as_object().size(), engine::native::kFeatureCount);
  EXPECT_EQ(json.at("cgroups").at("layout").as_string(), "v2");
  EXPECT_EQ(json.at("runtimes").at(0).as_string(), "runc");
}

}  // namespace
}  // namespace cay::cli
