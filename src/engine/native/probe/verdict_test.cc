#include "engine/native/probe/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace cay::engine::native {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Facts WholeMachine(uid_t uid, CgroupLayout layout) {
  Facts facts;
  facts.kernel = "6.18.0";
  facts.uid = uid;
  facts.outcomes.values.fill(kWorks);
  facts.cgroup_layout = layout;
  for (ControllerFact& controller : facts.controllers) controller.there = true;
  facts.landlock_abi = 7;
  facts.swap_accounting = true;
  facts.max_user_namespaces = 15000;
  facts.highest_open_files = 1 << 20;
  return facts;
}

Facts RootOnV2() { return WholeMachine(0, CgroupLayout::kV2); }

Facts OrdinaryUser(CgroupLayout layout) {
  Facts facts = WholeMachine(1234, layout);
  for (const Feature feature :
       {Feature::kIdmappedMounts, Feature::kIdmappedUsr, Feature::kOverlayOnIdmapped,
        Feature::kLoopDevices, Feature::kLookup}) {
    facts.outcomes[feature] = kNotTried;
  }
  return facts;
}

void WithoutControllers(Facts& facts) {
  for (ControllerFact& controller : facts.controllers) controller = {false, "no group is yours"};
}

Protection Get(const Verdict& verdict, std::string_view key) {
  const Protection* protection = verdict.Find(key);
  EXPECT_NE(protection, nullptr) << key;
  return protection == nullptr ? Protection{} : *protection;
}

TEST(VerdictTest, RootOnAWholeMachineIsFullyEnforcedInEveryLayout) {
  for (const CgroupLayout layout : {CgroupLayout::kV2, CgroupLayout::kV1, CgroupLayout::kHybrid}) {
    const Verdict verdict = Evaluate(WholeMachine(0, layout));
    EXPECT_TRUE(verdict.fully_enforced) << CgroupLayoutName(layout);
    EXPECT_TRUE(verdict.can_run);
  }
}

TEST(VerdictTest, WhatWasFoundOfTheMachineIsHandedOn) {
  Facts facts = OrdinaryUser(CgroupLayout::kHybrid);
  facts.machine = "x86_64";
  facts.outcomes[Feature::kOverlay] = ENODEV;
  facts.controllers[static_cast<size_t>(Controller::kCpu)].there = false;
  facts.docker = true;
  facts.runtimes = {"runc"};
  const Machine machine = Evaluate(facts).machine;
  EXPECT_EQ(machine.kernel, "6.18.0");
  EXPECT_EQ(machine.architecture, "x86_64");
  EXPECT_EQ(machine.uid, 1234U);
  EXPECT_EQ(machine.cgroup_layout, "hybrid");
  EXPECT_EQ(machine.landlock_abi, 7);
  EXPECT_TRUE(machine.docker);
  EXPECT_FALSE(machine.kvm);
  EXPECT_EQ(machine.runtimes, facts.runtimes);
  ASSERT_EQ(machine.features.size(), kFeatureCount);
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const Outcome outcome = facts.outcomes[static_cast<Feature>(i)];
    EXPECT_EQ(machine.features[i].key, FeatureKey(static_cast<Feature>(i)));
    EXPECT_EQ(machine.features[i].works.has_value(), outcome != kNotTried);
    EXPECT_EQ(machine.features[i].works.value_or(false), outcome == kWorks);
  }
  ASSERT_EQ(machine.controllers.size(), kControllerCount);
  for (const MachineFeature& controller : machine.controllers)
    EXPECT_EQ(controller.works, controller.key != "cpu");
}

TEST(VerdictTest, EveryGapHasAReasonAndARemedy) {
  Facts facts = RootOnV2();
  facts.outcomes.values.fill(EPERM);
  facts.landlock_abi = 0;
  facts.swap_bytes = 1;
  facts.swap_accounting = false;
  WithoutControllers(facts);
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.can_run);
  for (const Protection& protection : verdict.protections) {
    if (protection.status == Status::kEnforced) continue;
    EXPECT_THAT(protection.why, Not(IsEmpty())) << protection.key;
    EXPECT_THAT(protection.remedy, Not(IsEmpty())) << protection.key;
  }
}

TEST(VerdictTest, SocketQueuesAreCountedWithTheMemoryOrBesideItOrNotAtAll) {
  Facts facts = WholeMachine(0, CgroupLayout::kHybrid);
  EXPECT_THAT(Get(Evaluate(facts), "sockets").why, IsEmpty());
  facts.socket_limits = true;
  EXPECT_EQ(Get(Evaluate(facts), "sockets").status, Status::kEnforced);
  EXPECT_THAT(Get(Evaluate(facts), "sockets").why, HasSubstr("an eighth"));
  facts.socket_limits = false;
  EXPECT_EQ(Get(Evaluate(facts), "sockets").status, Status::kNotEnforced);
  EXPECT_THAT(Get(Evaluate(facts), "sockets").remedy, HasSubstr("unified_cgroup_hierarchy"));
  WithoutControllers(facts);
  EXPECT_EQ(Get(Evaluate(facts), "sockets").status, Status::kNotEnforced);
}

TEST(VerdictTest, WithoutListenersForFiltersItIsSaidWhatIsRefusedAndWhatIsNotBounded) {
  Facts facts = RootOnV2();
  facts.outcomes[Feature::kSeccompListeners] = EBUSY;
  EXPECT_EQ(Get(Evaluate(facts), "uncharged").status, Status::kPartly);
  EXPECT_THAT(Get(Evaluate(facts), "uncharged").why, HasSubstr("netlink sockets"));
  EXPECT_THAT(Get(Evaluate(facts), "uncharged").remedy, HasSubstr("container"));
  facts.outcomes[Feature::kSeccompListeners] = EINVAL;
  EXPECT_THAT(Get(Evaluate(facts), "uncharged").remedy, HasSubstr("5.9"));
  EXPECT_TRUE(Evaluate(facts).can_run);
}

TEST(VerdictTest, HowManySandboxesSpendWhatTheMachineHasOnceIsSaidInNumbers) {
  Facts facts = RootOnV2();
  facts.max_files = 2'466'170;
  facts.max_tcp_bytes = 2304 * kMiB;
  Protection shares = Get(Evaluate(facts), "machine");
  EXPECT_EQ(shares.status, Status::kEnforced);
  EXPECT_THAT(shares.why, HasSubstr("3 default sandboxes can spend fs.file-max (2466170)"));
  EXPECT_THAT(shares.why, HasSubstr("5 default sandboxes can spend net.ipv4.tcp_mem (2.2 GiB)"));
  facts.socket_limits = true;
  EXPECT_THAT(Get(Evaluate(facts), "machine").why,
              HasSubstr("37 default sandboxes can spend net.ipv4.tcp_mem"));
  facts.max_files = 100'000;
  EXPECT_EQ(Get(Evaluate(facts), "machine").status, Status::kPartly);
  EXPECT_THAT(Get(Evaluate(facts), "machine").remedy, HasSubstr("fs.file-max"));
  facts.max_files = INT64_MAX;
  facts.max_tcp_bytes = 0;
  EXPECT_THAT(Get(Evaluate(facts), "machine").why, IsEmpty());
  facts.strict_commit = true;
  EXPECT_EQ(Get(Evaluate(facts), "machine").status, Status::kPartly);
}

TEST(VerdictTest, AMissingMemoryControllerIsAGapThatDoesNotBlock) {
  Facts facts = WholeMachine(0, CgroupLayout::kHybrid);
  facts.controllers[static_cast<size_t>(Controller::kMemory)] = {false, "memory is disabled"};
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.fully_enforced);
  EXPECT_TRUE(verdict.can_run);
  EXPECT_EQ(Get(verdict, "memory").status, Status::kNotEnforced);
  EXPECT_EQ(Get(verdict, "memory").why, "memory is disabled");
  EXPECT_EQ(Get(verdict, "pids").status, Status::kEnforced);
}

TEST(VerdictTest, SwapIsAGapOnlyWhereThereIsSwapThatCannotBeCounted) {
  Facts facts = RootOnV2();
  facts.swap_accounting = false;
  EXPECT_EQ(Get(Evaluate(facts), "swap").status, Status::kEnforced);
  facts.swap_bytes = 1 << 30;
  EXPECT_EQ(Get(Evaluate(facts), "swap").status, Status::kNotEnforced);
  EXPECT_EQ(Get(Evaluate(facts), "swap").remedy, "swapoff -a");
}

TEST(VerdictTest, WithoutLoopDevicesTheDiskLimitHoldsInMemory) {
  Facts facts = RootOnV2();
  facts.outcomes[Feature::kLoopDevices] = ENOENT;
  const Verdict verdict = Evaluate(facts);
  EXPECT_EQ(Get(verdict, "disk").status, Status::kEnforced);
  EXPECT_THAT(Get(verdict, "disk").why, HasSubstr("in memory"));
  EXPECT_THAT(Get(verdict, "disk").why, HasSubstr("modprobe loop"));
  EXPECT_TRUE(verdict.fully_enforced);
}

TEST(VerdictTest, AnOrdinaryUserWithADelegatedGroupLacksOnlyUserIds) {
  const Verdict verdict = Evaluate(OrdinaryUser(CgroupLayout::kV2));
  EXPECT_TRUE(verdict.can_run);
  EXPECT_FALSE(verdict.fully_enforced);
  for (const Protection& protection : verdict.protections) {
    // Networks by sk_lookup are root's; an ordinary user's are led otherwise.
    if (protection.key == "network_lookup") continue;
    EXPECT_EQ(protection.status, protection.key == "user_ids" ? Status::kPartly : Status::kEnforced)
        << protection.key << ": " << protection.why;
  }
}

TEST(VerdictTest, AnOrdinaryUserWithoutAGroupIsToldHowToGetOne) {
  Facts facts = OrdinaryUser(CgroupLayout::kV2);
  WithoutControllers(facts);
  EXPECT_THAT(Get(Evaluate(facts), "memory").remedy, HasSubstr("Delegate=yes"));
  facts = OrdinaryUser(CgroupLayout::kHybrid);
  WithoutControllers(facts);
  EXPECT_THAT(Get(Evaluate(facts), "memory").remedy, HasSubstr("sudo"));
}

TEST(VerdictTest, AnOrdinaryUsersProcessLimitNeedsNoCgroup) {
  Facts facts = OrdinaryUser(CgroupLayout::kV1);
  WithoutControllers(facts);
  EXPECT_EQ(Get(Evaluate(facts), "pids").status, Status::kEnforced);
  EXPECT_EQ(Get(Evaluate(facts), "memory").status, Status::kNotEnforced);
}

TEST(VerdictTest, AProcessThatMayOpenFewFilesIsAGap) {
  Facts facts = RootOnV2();
  facts.highest_open_files = 1024;
  EXPECT_EQ(Get(Evaluate(facts), "open_files").status, Status::kPartly);
}

TEST(VerdictTest, ACoreDumpHelperThatACrashWouldStartBlocks) {
  Facts facts = RootOnV2();
  EXPECT_EQ(Get(Evaluate(facts), "core_dumps").status, Status::kEnforced);
  facts.core_helper = "the hard limit of core files is 0";
  const Verdict verdict = Evaluate(facts);
  EXPECT_EQ(Get(verdict, "core_dumps").status, Status::kBlocks);
  EXPECT_FALSE(Get(verdict, "core_dumps").remedy.empty());
  EXPECT_FALSE(verdict.can_run);
}

TEST(VerdictTest, ForbiddenUserNamespacesBlockAndNameTheSwitch) {
  Facts facts = OrdinaryUser(CgroupLayout::kV2);
  facts.outcomes[Feature::kUserNamespace] = ENOSPC;
  facts.max_user_namespaces = 0;
  Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.can_run);
  EXPECT_EQ(Get(verdict, "namespaces").remedy, "sudo sysctl -w user.max_user_namespaces=15000");

  facts.max_user_namespaces = 15000;
  facts.unprivileged_userns_clone = 0;
  EXPECT_THAT(Get(Evaluate(facts), "namespaces").remedy, HasSubstr("unprivileged_userns_clone=1"));
}

TEST(VerdictTest, AnAppArmorThatTakesCapabilitiesIsNamed) {
  Facts facts = OrdinaryUser(CgroupLayout::kV2);
  facts.apparmor_restrict_userns = 1;
  facts.outcomes[Feature::kMountNamespace] = EPERM;
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.can_run);
  EXPECT_THAT(Get(verdict, "namespaces").remedy,
              HasSubstr("apparmor_restrict_unprivileged_userns=0"));
}

TEST(VerdictTest, WhatNeedsAUserNamespaceSaysSo) {
  Facts facts = OrdinaryUser(CgroupLayout::kV2);
  facts.outcomes.values.fill(kNotTried);
  facts.outcomes[Feature::kUserNamespace] = EPERM;
  EXPECT_THAT(Get(Evaluate(facts), "seccomp").why, HasSubstr("needs a user namespace"));
}

TEST(VerdictTest, AHiddenProcBlocksAndPointsToTheContainer) {
  Facts facts = RootOnV2();
  facts.outcomes[Feature::kMountProc] = EPERM;
  const Verdict verdict = Evaluate(facts);
  EXPECT_EQ(Get(verdict, "proc").status, Status::kBlocks);
  EXPECT_THAT(Get(verdict, "proc").remedy, HasSubstr("systempaths=unconfined"));
}

TEST(VerdictTest, AStateDirectoryThatCannotBeIdmappedPointsToAnotherDisk) {
  Facts facts = RootOnV2();
  facts.outcomes[Feature::kIdmappedMounts] = EINVAL;
  EXPECT_THAT(Get(Evaluate(facts), "user_ids").remedy, HasSubstr("CAY_STATE_DIR"));
}

TEST(VerdictTest, LandlockTellsAbsentFromSwitchedOffFromTooOld) {
  Facts facts = RootOnV2();
  facts.outcomes[Feature::kLandlockScopes] = EOPNOTSUPP;
  facts.landlock_abi = 0;
  facts.landlock_errno = EOPNOTSUPP;
  EXPECT_THAT(Get(Evaluate(facts), "landlock").remedy, HasSubstr("lsm="));
  facts.landlock_errno = ENOSYS;
  EXPECT_THAT(Get(Evaluate(facts), "landlock").why, HasSubstr("no Landlock"));
  facts.landlock_abi = 4;
  EXPECT_THAT(Get(Evaluate(facts), "landlock").why, HasSubstr("ABI 4"));
  EXPECT_TRUE(Evaluate(facts).can_run);
}

TEST(VerdictTest, WhereEveryChangeOfIdsMakesTheGuestReadableRootMakesNoSandbox) {
  Facts facts = RootOnV2();
  facts.suid_dumpable = 1;
  EXPECT_EQ(Get(Evaluate(facts), "privileges").status, Status::kBlocks);
  EXPECT_EQ(Get(Evaluate(facts), "privileges").remedy, "sysctl -w fs.suid_dumpable=2");
  for (const int harmless : {0, 2}) {
    facts.suid_dumpable = harmless;
    EXPECT_EQ(Get(Evaluate(facts), "privileges").status, Status::kEnforced);
  }
  facts = OrdinaryUser(CgroupLayout::kV2);  // whose guest changes no ids
  facts.suid_dumpable = 1;
  EXPECT_EQ(Get(Evaluate(facts), "privileges").status, Status::kEnforced);
}

TEST(VerdictTest, WhatOfAMountsSocketsIsReachableIsSaid) {
  Facts facts = RootOnV2();
  facts.landlock_abi = 7;
  EXPECT_THAT(Get(Evaluate(facts), "mounts").why, HasSubstr("read-only: no socket is reachable"));
  EXPECT_THAT(Get(Evaluate(facts), "mounts").why, HasSubstr("Linux 7.1"));
  facts.landlock_abi = 9;
  EXPECT_THAT(Get(Evaluate(facts), "mounts").why, ::testing::StartsWith("of FIFOs only"));
  facts = OrdinaryUser(CgroupLayout::kV2);
  facts.landlock_abi = 7;
  EXPECT_THAT(Get(Evaluate(facts), "mounts").why,
              ::testing::StartsWith("only those that are there"));
}

TEST(VerdictTest, EveryFeatureHasAKeyAndAName) {
  for (size_t i = 0; i < kFeatureCount; ++i) {
    EXPECT_THAT(FeatureKey(static_cast<Feature>(i)), Not(IsEmpty())) << i;
    EXPECT_THAT(FeatureName(static_cast<Feature>(i)), Not(IsEmpty())) << i;
  }
}

TEST(VerdictTest, WhatNetworksNeedIsNoGapOfASandboxWithoutOne) {
  Facts facts = RootOnV2();
  EXPECT_EQ(Get(Evaluate(facts), "network_lookup").status, Status::kEnforced);
  EXPECT_EQ(Get(Evaluate(facts), "network_redirect").status, Status::kEnforced);
  facts.outcomes[Feature::kLookup] = EPERM;
  facts.outcomes[Feature::kRedirect] = ENOENT;
  const Verdict verdict = Evaluate(facts);
  EXPECT_TRUE(verdict.fully_enforced);
  EXPECT_EQ(Get(verdict, "network_lookup").status, Status::kNotEnforced);
  EXPECT_THAT(Get(verdict, "network_lookup").remedy, HasSubstr("CAP_BPF"));
  EXPECT_THAT(Get(verdict, "network_redirect").remedy, HasSubstr("modprobe"));
  facts.outcomes[Feature::kLookup] = ENOSYS;
  EXPECT_THAT(Get(Evaluate(facts), "network_lookup").remedy, HasSubstr("Linux 5.9"));
}

TEST(VerdictTest, AnOrdinaryUsersNetworksAreByNftables) {
  Facts facts = OrdinaryUser(CgroupLayout::kV2);
  EXPECT_THAT(Get(Evaluate(facts), "network_lookup").why, HasSubstr("for root"));
  EXPECT_EQ(Get(Evaluate(facts), "network_lookup").remedy, "sudo cay ...");
  EXPECT_EQ(Get(Evaluate(facts), "network_redirect").status, Status::kEnforced);
  facts.outcomes[Feature::kRedirect] = kNotTried;
  facts.outcomes[Feature::kUserNamespace] = ENOSPC;
  facts.max_user_namespaces = 0;
  const Protection redirect = Get(Evaluate(facts), "network_redirect");
  EXPECT_THAT(redirect.why, HasSubstr("needs a user"));
  EXPECT_EQ(redirect.remedy, "sudo sysctl -w user.max_user_namespaces=15000");
}

}  // namespace
}  // namespace cay::engine::native
