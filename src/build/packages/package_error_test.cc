#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/packages/derive.h"

namespace cay::build {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Error ErrorOf(const std::string& output, StepEnd end = {.exit_code = 1}) {
  return PackageError({.step = {.text = "pip install nope"}, .end = end, .output_end = output});
}

TEST(PackageError, WhatTheRegistryDoesNotHaveIsTheCallersFault) {
  for (const char* output :
       {"ERROR: No matching distribution found for nope\n", "npm error code E404\n",
        "E: Unable to locate package nope\n", "npm ERR! code ETARGET\n"}) {
    const Error error = ErrorOf(output);
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << output;
    EXPECT_EQ(error.fault(), Fault::kCaller) << output;
    EXPECT_THAT(error.message(), HasSubstr("pip install nope")) << output;
  }
}

TEST(PackageError, ARegistryThatWasNotReachedIsTheMachines) {
  for (const char* output : {"WARNING: Retrying (… NewConnectionError('…: Connection refused'))\n"
                             "ERROR: No matching distribution found for nope\n",
                             "npm error code ENOTFOUND\n", "E: Failed to fetch http://…\n"}) {
    const Error error = ErrorOf(output);
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << output;
    EXPECT_EQ(error.fault(), Fault::kMachine) << output;
    EXPECT_THAT(error.remedy().text(), HasSubstr("packages_allow")) << output;
  }
}

TEST(PackageError, HasTheLastLinesAndNoMore) {
  std::string output;
  for (int i = 0; i < 100; ++i) output += "line " + std::to_string(i) + "\n";
  const Error error = ErrorOf(output);
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("exit code 1"));
  EXPECT_THAT(error.message(), HasSubstr("line 88\n"));
  EXPECT_THAT(error.message(), HasSubstr("line 99"));
  EXPECT_THAT(error.message(), Not(HasSubstr("line 87\n")));
  EXPECT_LT(ErrorOf(std::string(100'000, 'x')).message().size(), 3000U);
}

TEST(PackageError, LimitsOfTheStepAreSaid) {
  EXPECT_EQ(ErrorOf("x", {.timed_out = true}).code(), ErrorCode::kTimeout);
  const Error full = ErrorOf("x", {.exit_code = 1, .disk_full = true});
  EXPECT_EQ(full.code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(full.remedy().text(), HasSubstr("build_disk"));
  EXPECT_THAT(ErrorOf("", {.signal = 9}).message(), HasSubstr("signal 9"));
}

}  // namespace
}  // namespace cay::build
