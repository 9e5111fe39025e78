#include "guest_link/request_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/file_messages.h"
#include "protocol/frame.h"

namespace cay {
namespace {

using ::testing::HasSubstr;

void ExpectTooLong(const Result<void>& checked, const std::string& text,
                   ErrorCode code = ErrorCode::kLimitTooHigh) {
  ASSERT_FALSE(checked) << text;
  EXPECT_EQ(checked.error().code(), code);
  EXPECT_EQ(checked.error().fault(), Fault::kCaller);
  EXPECT_THAT(checked.error().message(), HasSubstr(text));
  EXPECT_THAT(checked.error().message(), ::testing::Not(HasSubstr("field")));
}

TEST(RequestLimits, WhatFitsExecveIsTaken) {
  protocol::StartRequest request;
  request.argv = {"echo", std::string(131'071, 'x')};
  request.env = {"A=" + std::string(131'069, 'x')};
  EXPECT_TRUE(CheckLengths(request));
  EXPECT_TRUE(CheckStartSize(protocol::kMaxStartBytes));
}

TEST(RequestLimits, WhatDoesNotIsNamedWithItsLengthAndTheMost) {
  protocol::StartRequest request;
  request.argv = {"echo", std::string(140'000, 'x')};
  ExpectTooLong(
      CheckLengths(request),
      "argument list too long: 140000 bytes, over the maximum of 131071 for one argument");
  request.argv.assign(17'001, "x");
  ExpectTooLong(CheckLengths(request), "17001 arguments, over the maximum of 16384");
  request.argv = {"true"};
  request.env.assign(5000, "A=1");
  ExpectTooLong(CheckLengths(request), "5000 environment variables, over the maximum of 4096");
  request.env = {"LONG=" + std::string(131'072, 'x')};
  ExpectTooLong(CheckLengths(request), "for one variable: LONG");
  request.env.clear();
  request.cwd = "/" + std::string(5000, 'x');
  ExpectTooLong(CheckLengths(request), "the working directory has 5001 bytes");
  request.cwd = "/";
  request.user = std::string(65, 'x');
  ExpectTooLong(CheckLengths(request), "the user has 65 bytes, over the maximum of 64");
  ExpectTooLong(CheckStartSize(protocol::kMaxStartBytes + 1), "together");
}

TEST(RequestLimits, RequestsAboutFilesNameUserAndPath) {
  protocol::StatRequest request{.user = std::string(65, 'x'), .path = "/"};
  ExpectTooLong(CheckLengths(request), "the user");
  request.user.clear();
  request.path = std::string(4096, '/');
  ExpectTooLong(CheckLengths(request), "the path");
}

}  // namespace
}  // namespace cay
