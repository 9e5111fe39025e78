#include "build/run/step_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::build {
namespace {

using ::testing::Contains;
using ::testing::Not;

TEST(Trust, ProgramsAreLedToAFileOfTheStep) {
  RunStep step;
  step.env = {"PATH=/bin", "PIP_CERT=/etc/own.pem"};
  Trust(step, "certificates");
  ASSERT_EQ(step.secrets.size(), 1U);
  EXPECT_EQ(step.secrets[0].content, "certificates");
  EXPECT_EQ(step.secrets[0].mode, 0444U) << "steps of every user read it";
  EXPECT_THAT(step.env, Contains("SSL_CERT_FILE=" + step.secrets[0].target));
  EXPECT_THAT(step.env, Contains("PIP_CERT=/etc/own.pem"));
  EXPECT_THAT(step.env, Not(Contains("PIP_CERT=" + step.secrets[0].target)));
}

}  // namespace
}  // namespace cay::build
