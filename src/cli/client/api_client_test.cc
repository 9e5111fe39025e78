#include "cli/client/api_client.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>

namespace cay::cli {
namespace {

TEST(ProblemErrorTest, CarriesCodeDetailAndRemedy) {
  const Error error = ProblemError(
      422,
      R"({"status":422,"detail":"memory limit 64g is over 32g","code":"limit_too_high","remedy":"ask for less"})");
  EXPECT_EQ(error.code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(error.fault(), Fault::kCaller);
  EXPECT_EQ(error.ToString(), "memory limit 64g is over 32g (ask for less)");
}

TEST(ProblemErrorTest, WhatIsNoProblemDocumentIsToldByItsStatus) {
  for (const char* body : {"", "<html>", "[]", R"({"code":"no_such_code"})"}) {
    const Error error = ProblemError(503, body);
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << body;
    EXPECT_EQ(error.message(), "the server answered 503 Service Unavailable");
  }
  EXPECT_EQ(ProblemError(404, "").code(), ErrorCode::kNotFound);
  EXPECT_EQ(ProblemError(401, "").code(), ErrorCode::kPermissionDenied);
  EXPECT_NE(ProblemError(401, "").remedy(), "");
}

TEST(ProblemErrorTest, NamesTheFieldsAndTheWait) {
  EXPECT_EQ(
      ProblemError(400,
                   R"({"detail":"bad request","errors":[{"field":"memry","detail":"unknown"},7]})")
          .message(),
      "bad request; memry: unknown");
  EXPECT_EQ(ProblemError(429, R"({"detail":"too many","retry_after":3})").ToString(),
            "too many (try again in 3s)");
}

TEST(MatchSandboxTest, ANameComesBeforeTheBeginningOfAnId) {
  const boost::json::array list = {{{"id", "aaaa1"}, {"name", "web"}},
                                   {{"id", "aaab2"}, {"name", ""}},
                                   {{"id", "webx3"}, {"name", "twice"}},
                                   {{"id", "dddd4"}, {"name", "twice"}}};
  EXPECT_EQ(MatchSandbox(list, "web").value_or("?"), "aaaa1");
  EXPECT_EQ(MatchSandbox(list, "aaab").value_or("?"), "aaab2");
  EXPECT_EQ(MatchSandbox(list, "aaa").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MatchSandbox(list, "twice").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MatchSandbox(list, "none").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MatchSandbox(list, "").error().code(), ErrorCode::kNotFound);
}

TEST(MatchSandboxTest, TheSameNameOfTwoOwnersIsToldApartByTheOwner) {
  const boost::json::array list = {{{"id", "aaaa1"}, {"name", "web"}, {"owner", "team-a"}},
                                   {{"id", "bbbb2"}, {"name", "web"}, {"owner", "team-b"}}};
  EXPECT_EQ(MatchSandbox(list, "team-b/web").value_or("?"), "bbbb2");
  EXPECT_EQ(MatchSandbox(list, "team-c/web").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MatchSandbox(list, "team-a/").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MatchSandbox(list, "web").error().remedy(), "say whose, such as team-a/web");
}

}  // namespace
}  // namespace cay::cli
