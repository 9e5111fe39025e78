#include "cli/local/doctor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace cay::cli {
namespace {

using engine::Diagnosis;
using engine::ProtectionGroup;
using engine::ProtectionStatus;
using ::testing::HasSubstr;
using ::testing::Not;

Diagnosis WholeMachine() {
  Diagnosis diagnosis{.protections = {}, .fully_enforced = true, .can_run = true};
  diagnosis.machine = {.kernel = "6.18.0",
                       .architecture = "x86_64",
                       .cgroup_layout = "v2",
                       .controllers = {{"memory", "memory", true}, {"io", "io", true}},
                       .landlock_abi = 7,
                       .features = {{"seccomp", "system call filters", true},
                                    {"overlay", "overlayfs", true},
                                    {"loop_devices", "loop devices", true}},
                       .runtimes = {}};
  const auto add = [&](ProtectionGroup group, std::string key, std::string name) {
    diagnosis.protections.push_back(
        {.group = group, .key = std::move(key), .name = std::move(name), .why = {}, .remedy = {}});
  };
  add(ProtectionGroup::kLimits, "memory", "memory limit");
  add(ProtectionGroup::kIsolation, "system_calls", "system call filter");
  return diagnosis;
}

TEST(DoctorReportTest, AWholeMachineIsSaidToBeFullyEnforced) {
  const std::string text = RenderDoctor(WholeMachine(), true);
  EXPECT_THAT(text, HasSubstr("fully enforced for this user"));
  EXPECT_THAT(text, HasSubstr("Linux 6.18.0 x86_64"));
  EXPECT_THAT(text, HasSubstr("v2: memory\n"));  // Cay limits nothing by io
  EXPECT_THAT(text, HasSubstr("nothing that Cay uses"));
  EXPECT_THAT(text, HasSubstr("✓ memory limit"));
  EXPECT_THAT(text, Not(HasSubstr("mend it")));
}

TEST(DoctorReportTest, AGapIsMarkedWithItsReasonAndItsRemedy) {
  Diagnosis diagnosis = WholeMachine();
  diagnosis.fully_enforced = false;
  diagnosis.machine.features[1].works = false;
  diagnosis.machine.features[2].works = std::nullopt;
  diagnosis.protections[0].status = ProtectionStatus::kNotEnforced;
  diagnosis.protections[0].why = "the tree is read-only";
  diagnosis.protections[0].remedy = "run elsewhere";
  const std::string text = RenderDoctor(diagnosis, true);
  EXPECT_THAT(text, HasSubstr("✗ memory limit"));
  EXPECT_THAT(text, HasSubstr("the tree is read-only"));
  EXPECT_THAT(text, HasSubstr("mend it: run elsewhere"));
  EXPECT_THAT(text, HasSubstr("not fully enforced: memory limit"));
  EXPECT_THAT(text, HasSubstr("overlayfs\n"));
  EXPECT_THAT(text, Not(HasSubstr("loop devices")));
}

TEST(DoctorReportTest, OneWayToANetworkIsEnoughAndNoneIsNoGapOfADefaultSandbox) {
  Diagnosis diagnosis = WholeMachine();
  diagnosis.protections.push_back({.group = ProtectionGroup::kNetworks,
                                   .key = "network_lookup",
                                   .name = "BPF sk_lookup",
                                   .status = ProtectionStatus::kNotEnforced,
                                   .why = "it is for root",
                                   .remedy = {}});
  EXPECT_THAT(RenderDoctor(diagnosis, true), HasSubstr("Sandboxes can have no network"));
  diagnosis.protections.push_back({.group = ProtectionGroup::kNetworks,
                                   .key = "network_redirect",
                                   .name = "nftables redirect",
                                   .why = {},
                                   .remedy = {}});
  const std::string text = RenderDoctor(diagnosis, true);
  EXPECT_THAT(text, HasSubstr("✗ BPF sk_lookup"));
  EXPECT_THAT(text, HasSubstr("it is for root"));
  EXPECT_THAT(text, HasSubstr("✓ nftables redirect"));
  EXPECT_THAT(text, HasSubstr("can have a network for this user, by nftables redirect.\n"));
  diagnosis.machine.landlock_abi = 0;
  EXPECT_THAT(RenderDoctor(diagnosis, true), HasSubstr("and no package cache: it needs Landlock"));
  EXPECT_THAT(text, HasSubstr("fully enforced for this user"));
  diagnosis.fully_enforced = false;
  EXPECT_THAT(RenderDoctor(diagnosis, true), Not(HasSubstr("enforced: BPF")));
  const auto json = boost::json::parse(RenderDoctorJson(diagnosis));
  EXPECT_EQ(json.at("protections").at(3).at("group").as_string(), "networks");
}

TEST(DoctorReportTest, WithoutUtf8OnlyAsciiIsUsed) {
  Diagnosis diagnosis = WholeMachine();
  diagnosis.fully_enforced = diagnosis.can_run = false;
  diagnosis.protections[1].status = ProtectionStatus::kBlocks;
  const std::string text = RenderDoctor(diagnosis, false);
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_THAT(text, HasSubstr("No sandbox can run for this user: system call filter"));
}

TEST(DoctorReportTest, JsonHasEveryProtectionAndFeature) {
  Diagnosis diagnosis = WholeMachine();
  diagnosis.fully_enforced = diagnosis.can_run = false;
  diagnosis.machine.features[1].works = false;
  diagnosis.machine.features[2].works = std::nullopt;
  diagnosis.machine.runtimes = {"runc"};
  const auto json = boost::json::parse(RenderDoctorJson(diagnosis));
  EXPECT_FALSE(json.at("fully_enforced").as_bool());
  EXPECT_FALSE(json.at("can_run").as_bool());
  EXPECT_EQ(json.at("kernel").as_string(), "6.18.0");
  EXPECT_EQ(json.at("machine").as_string(), "x86_64");
  EXPECT_TRUE(json.at("features").at("seccomp").as_bool());
  EXPECT_FALSE(json.at("features").at("overlay").as_bool());
  EXPECT_TRUE(json.at("features").at("loop_devices").is_null());
  EXPECT_EQ(json.at("features").as_object().size(), 3U);
  EXPECT_EQ(json.at("cgroups").at("layout").as_string(), "v2");
  EXPECT_TRUE(json.at("cgroups").at("controllers").at("io").as_bool());
  EXPECT_EQ(json.at("landlock_abi").as_int64(), 7);
  EXPECT_EQ(json.at("runtimes").at(0).as_string(), "runc");
  EXPECT_EQ(json.at("protections").as_array().size(), 2U);
  EXPECT_EQ(json.at("protections").at(0).at("name").as_string(), "memory");
}

}  // namespace
}  // namespace cay::cli
