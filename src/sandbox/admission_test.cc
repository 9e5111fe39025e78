#include "sandbox/admission.h"

#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

Admission Small() {
  return Admission({.max_sandboxes = 3, .max_per_owner = 2, .max_memory = 1000});
}

TEST(Admission, AnOwnerAtItsQuotaIsToldSoAsTheCallersFault) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, 1));
  ASSERT_TRUE(admission.Admit("a", 0, 1));
  const auto refused = admission.Admit("a", 0, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().fault(), Fault::kCaller);
  EXPECT_TRUE(admission.Admit("b", 0, 1));
}

TEST(Admission, AKeysOwnQuotaGoesBeforeTheServers) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 1, 1));
  EXPECT_FALSE(admission.Admit("a", 1, 1));
  ASSERT_TRUE(admission.Admit("b", 3, 1));
  EXPECT_TRUE(admission.Admit("b", 3, 1));
}

TEST(Admission, AFullServerIsTheMachinesFault) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, 1));
  ASSERT_TRUE(admission.Admit("b", 0, 1));
  ASSERT_TRUE(admission.AdmitPooled(1));
  const auto refused = admission.Admit("c", 0, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  admission.ReleasePooled(1);
  EXPECT_TRUE(admission.Admit("c", 0, 1));
}

TEST(Admission, MemoryIsPromisedOnce) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, 600));
  EXPECT_EQ(admission.Admit("b", 0, 401).error().fault(), Fault::kMachine);
  EXPECT_TRUE(admission.Admit("b", 0, 400));
  EXPECT_FALSE(admission.Resize(600, 601));
  EXPECT_TRUE(admission.Resize(600, 0));  // stopped
  EXPECT_TRUE(admission.Resize(400, 1000));
}

TEST(Admission, AMemoryLimitThatWouldOverflowTheSumIsRefused) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, 600));
  EXPECT_FALSE(admission.Admit("b", 0, UINT64_MAX - 100));
}

TEST(Admission, WhatIsRefusedIsNotCounted) {
  Admission admission = Small();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(admission.Admit("a", 0, 2000));
  EXPECT_TRUE(admission.Admit("a", 0, 1000));
}

TEST(Admission, AClaimTurnsAPoolsMemberIntoAnOwnersWithoutCountingTwice) {
  Admission admission = Small();
  ASSERT_TRUE(admission.AdmitPooled(1000));
  ASSERT_TRUE(admission.Claim("a", 1));
  EXPECT_FALSE(admission.Claim("a", 1));
  admission.Release("a", 1000);
  EXPECT_TRUE(admission.Admit("a", 1, 1000));
}

TEST(Admission, WhatAnEarlierServerPromisedStandsOverTheRules) {
  Admission admission = Small();
  for (int i = 0; i < 5; ++i) admission.Adopt("a", 500);
  EXPECT_FALSE(admission.Admit("b", 0, 1));
  for (int i = 0; i < 5; ++i) admission.Release("a", 500);
  EXPECT_TRUE(admission.Admit("b", 0, 1));
}

TEST(Admission, NewRulesHoldForWhatComesAfterThem) {
  Admission admission = Small();
  ASSERT_TRUE(admission.Admit("a", 0, 1));
  admission.SetRules({.max_sandboxes = 1, .max_per_owner = 2, .max_memory = 0});
  EXPECT_FALSE(admission.Admit("b", 0, 1));
}

}  // namespace
}  // namespace cay::sandbox
