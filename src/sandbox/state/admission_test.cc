#include "sandbox/state/admission.h"

#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

Admission Small() {
  return Admission({.max_sandboxes = 3, .max_per_owner = 2, .max_memory = 1000});
}

TEST(Admission, AnOwnerAtItsQuotaIsToldSoAsTheCallersFault) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 1}));
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 1}));
  const auto refused = admission.Admit("a", 0, {.memory = 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().fault(), Fault::kCaller);
  EXPECT_TRUE(admission.Admit("b", 0, {.memory = 1}));
}

TEST(Admission, AKeysOwnQuotaGoesBeforeTheServers) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 1, {.memory = 1}));
  EXPECT_FALSE(admission.Admit("a", 1, {.memory = 1}));
  ASSERT_TRUE(admission.Admit("b", 3, {.memory = 1}));
  EXPECT_TRUE(admission.Admit("b", 3, {.memory = 1}));
}

TEST(Admission, AFullServerIsTheMachinesFault) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 1}));
  ASSERT_TRUE(admission.Admit("b", 0, {.memory = 1}));
  ASSERT_TRUE(admission.AdmitPooled({.memory = 1}));
  const auto refused = admission.Admit("c", 0, {.memory = 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  admission.ReleasePooled({.memory = 1});
  EXPECT_TRUE(admission.Admit("c", 0, {.memory = 1}));
}

TEST(Admission, MemoryIsPromisedOnce) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 600}));
  EXPECT_EQ(admission.Admit("b", 0, {.memory = 401}).error().fault(), Fault::kMachine);
  EXPECT_TRUE(admission.Admit("b", 0, {.memory = 400}));
  EXPECT_FALSE(admission.Resize(600, 601));
  EXPECT_TRUE(admission.Resize(600, 0));  // stopped
  EXPECT_TRUE(admission.Resize(400, 1000));
}

TEST(Admission, AMemoryLimitThatWouldOverflowTheSumIsRefused) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 600}));
  EXPECT_FALSE(admission.Admit("b", 0, {.memory = UINT64_MAX - 100}));
}

TEST(Admission, WhatIsRefusedIsNotCounted) {
  Admission admission = Small();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(admission.Admit("a", 0, {.memory = 2000}));
  EXPECT_TRUE(admission.Admit("a", 0, {.memory = 1000}));
}

TEST(Admission, AClaimTurnsAPoolsMemberIntoAnOwnersWithoutCountingTwice) {
  Admission admission = Small();
  ASSERT_TRUE(admission.AdmitPooled({.memory = 1000}));
  ASSERT_TRUE(admission.Claim("a", 1));
  EXPECT_FALSE(admission.Claim("a", 1));
  admission.Release("a", {.memory = 1000});
  EXPECT_TRUE(admission.Admit("a", 1, {.memory = 1000}));
}

TEST(Admission, WhatAnEarlierServerPromisedStandsOverTheRules) {
  Admission admission = Small();
  for (int i = 0; i < 5; ++i) admission.Adopt("a", {.memory = 500});
  EXPECT_FALSE(admission.Admit("b", 0, {.memory = 1}));
  for (int i = 0; i < 5; ++i) admission.Release("a", {.memory = 500});
  EXPECT_TRUE(admission.Admit("b", 0, {.memory = 1}));
}

TEST(Admission, NewRulesHoldForWhatComesAfterThem) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 1}));
  admission.SetRules({.max_sandboxes = 1, .max_per_owner = 2, .max_memory = 0});
  EXPECT_FALSE(admission.Admit("b", 0, {.memory = 1}));
}

TEST(Admission, DiskIsBoundedAndAStoppedOneKeepsIt) {
  Admission admission({.max_sandboxes = 10, .max_per_owner = 10, .max_disk = 1000});
  ASSERT_TRUE(admission.Admit("a", 0, {.memory = 1, .disk = 600}));
  const auto refused = admission.Admit("b", 0, {.memory = 1, .disk = 401});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  EXPECT_NE(refused.error().remedy().text().find("limits.disk_committed"), std::string::npos);
  EXPECT_TRUE(admission.Resize(1, 0));  // stopped
  EXPECT_FALSE(admission.AdmitPooled({.memory = 1, .disk = 401}));
  ASSERT_TRUE(admission.AdmitPooled({.memory = 1, .disk = 400}));
  ASSERT_TRUE(admission.Claim("b", 0));
  admission.Release("b", {.memory = 1, .disk = 400});
  EXPECT_TRUE(admission.Admit("b", 0, {.memory = 1, .disk = 400}));
}

TEST(Admission, DiskWithoutABoundIsNotRefused) {
  Admission admission({.max_sandboxes = 10, .max_per_owner = 10});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(admission.Admit("a", 0, {.disk = UINT64_MAX / 16}));
}

}  // namespace
}  // namespace cay::sandbox
