#include "api/problem.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

Error Of(ErrorCode code, Fault fault) { return {code, fault, "what happened"}; }

TEST(Problem, TheStatusFollowsTheCodeAndWhoseFaultItIs) {
  using enum ErrorCode;
  struct Case {
    ErrorCode code;
    int callers, machines;
  };
  for (const Case& one : {
           Case{kInvalidArgument, 400, 500},
           Case{kNotFound, 404, 404},
           Case{kAlreadyExists, 409, 409},
           Case{kLimitTooHigh, 422, 422},
           Case{kIllegalState, 409, 409},
           Case{kPermissionDenied, 403, 500},
           Case{kNotExecutable, 422, 422},
           Case{kCommandNotFound, 422, 422},
           Case{kNotSupported, 422, 501},
           Case{kNotEnforceable, 422, 422},
           Case{kResourceExhausted, 429, 503},
           Case{kTimeout, 408, 504},
           Case{kProtocol, 400, 502},
           Case{kUnavailable, 503, 503},
           Case{kIo, 422, 500},
           Case{kInternal, 500, 500},
       }) {
    EXPECT_EQ(StatusOf(Of(one.code, Fault::kCaller)), one.callers) << ErrorCodeName(one.code);
    EXPECT_EQ(StatusOf(Of(one.code, Fault::kMachine)), one.machines) << ErrorCodeName(one.code);
  }
  EXPECT_EQ(StatusOf(Error::Invalid("no JSON")), 400);
  EXPECT_EQ(StatusOf(Error::Impossible("a directory")), 422);
  EXPECT_EQ(StatusOf(BodyTooLarge(1)), 413);
  EXPECT_EQ(StatusOf(RangeNotSatisfiable(1)), 416);
}

TEST(Problem, TheDocumentSaysAllThatTheErrorKnows) {
  const Error error = Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox \"x\"")
                          .WithRemedy("look at GET /api/sandboxes");
  const http::Response response = ProblemResponse(error, "r1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.headers.Find("Content-Type"), "application/problem+json");
  EXPECT_FALSE(response.headers.Find("Retry-After"));
  EXPECT_EQ(response.body,
            R"({"type":"about:blank","title":"Not Found","status":404,)"
            R"("detail":"there is no sandbox \"x\"","code":"not_found","fault":"caller",)"
            R"("remedy":"look at GET /api/sandboxes","request_id":"r1"})");
}

TEST(Problem, WhatMayBeTriedAgainSaysWhen) {
  const Error full = Of(ErrorCode::kResourceExhausted, Fault::kMachine);
  EXPECT_EQ(ProblemResponse(full, "").headers.Find("Retry-After"), "1");
  const http::Response limited =
      ProblemResponse(Of(ErrorCode::kResourceExhausted, Fault::kCaller), {.retry_after = 7});
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.headers.Find("Retry-After"), "7");
  EXPECT_NE(limited.body.find(R"("retry_after":7)"), std::string::npos);
}

TEST(Problem, AQuotaIsNotWorthAnotherTry) {
  EXPECT_FALSE(ProblemResponse(Of(ErrorCode::kResourceExhausted, Fault::kCaller), "")
                   .headers.Find("Retry-After"));
  const http::Response busy = ProblemResponse(Error::Busy("too many at once"), "");
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.headers.Find("Retry-After"), "1");
}

TEST(Problem, AFullDiskOfTheSandboxIsNotTheMachines) {
  Error full = Of(ErrorCode::kResourceExhausted, Fault::kCaller);
  full.set_sys_errno(ENOSPC);
  EXPECT_EQ(StatusOf(full), 507);
  EXPECT_FALSE(ProblemResponse(full, "").headers.Find("Retry-After"));
  EXPECT_EQ(StatusOf(Error::FromErrno("the server's own", ENOSPC)), 503);
}

TEST(Problem, AStatusCanBeSaid) {
  const http::Response response =
      ProblemResponse(Of(ErrorCode::kPermissionDenied, Fault::kCaller), {.status = 401});
  EXPECT_EQ(response.status, 401);
  EXPECT_NE(response.body.find(R"("title":"Unauthorized","status":401)"), std::string::npos);
}

}  // namespace
}  // namespace cay::api
