#include "sandbox/rules/health.h"

#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

HealthLook Look(uint64_t memory, uint64_t cpu_us, uint64_t disk) {
  HealthLook look{.before = {}, .after = {}, .apart = Millis(100)};
  look.before.cpu_us = 1'000'000;
  look.after.cpu_us = 1'000'000 + cpu_us;
  look.after.memory = memory;
  look.after.disk = disk;
  return look;
}

engine::Limits Limits() {
  engine::Limits limits;
  limits.memory = 1000;
  limits.cpus = 2000;
  limits.disk = 1000;
  return limits;
}

TEST(Health, SharesAreOfTheLimits) {
  const Health health = HealthOf(Look(450, 24'000, 100), Limits());
  EXPECT_EQ(health.memory_percent, 45.0);
  EXPECT_EQ(health.cpu_percent, 12.0);
  EXPECT_EQ(health.disk_percent, 10.0);
  EXPECT_EQ(health.Line(), "HEALTHY: Memory=45% CPU=12%");
}

TEST(Health, ADiskThatTakesNoMoreIsFullWhateverItsShare) {
  HealthLook look = Look(0, 0, 500);
  look.guest = protocol::Info{.guest_version = "", .disk_free_bytes = 92, .inodes_free = 7};
  EXPECT_EQ(HealthOf(look, Limits()).Line(), "UNHEALTHY: Disk is full");
  EXPECT_TRUE(HealthOf(look, Limits(), {.disk = 0}).healthy());
  look.guest->disk_free_bytes = kGiB;
  EXPECT_TRUE(HealthOf(look, Limits()).healthy());
  look.guest->inodes_free = 0;
  EXPECT_EQ(HealthOf(look, Limits()).reason, "Disk is full: no more files can be made");
}

TEST(Health, WhatIsNearItsLimitIsSaid) {
  EXPECT_EQ(HealthOf(Look(950, 0, 0), Limits()).Line(),
            "UNHEALTHY: Memory usage exceeds threshold: 95%");
  EXPECT_EQ(HealthOf(Look(0, 200'000, 1000), Limits()).reason,
            "CPU usage exceeds threshold: 100%; Disk usage exceeds threshold: 100%");
  EXPECT_TRUE(HealthOf(Look(950, 0, 0), Limits(), {.memory = 96}).healthy());
  EXPECT_TRUE(HealthOf(Look(1000, 0, 0), Limits(), {.memory = 0}).healthy());
}

TEST(Health, FilesThatTheKernelKeepsAreNoUse) {
  HealthLook look = Look(950, 0, 0);
  look.after.memory_cache = 600;
  EXPECT_EQ(HealthOf(look, Limits()).memory_percent, 35.0);
  look.after.memory_cache = 2000;
  EXPECT_EQ(HealthOf(look, Limits()).memory_percent, 0.0);
}

TEST(Health, WhatTheMachineDoesNotSayIsNoReason) {
  const Health health = HealthOf({}, Limits());
  EXPECT_FALSE(health.memory_percent);
  EXPECT_FALSE(health.cpu_percent);
  EXPECT_TRUE(health.healthy());
  EXPECT_EQ(health.Line(), "HEALTHY: Memory=unknown CPU=unknown");
}

TEST(Health, ACounterThatWentBackIsNoUse) {
  HealthLook look = Look(0, 0, 0);
  look.after.cpu_us = 5;
  EXPECT_EQ(HealthOf(look, Limits()).cpu_percent, 0.0);
}

}  // namespace
}  // namespace cay::sandbox
