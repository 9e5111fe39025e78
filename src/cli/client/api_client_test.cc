#include "cli/client/api_client.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>

#include "api/problem.h"
#include "cli/frame/remedy_words.h"

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
  const std::string remedy = ProblemError(401, R"({"remedy":"make a key"})").remedy().text();
  for (const char* way : {"--api-key-file", "CAY_API_KEY", "cay context add", "make a key"}) {
    EXPECT_NE(remedy.find(way), std::string::npos) << remedy;
  }
}

// As the API writes it; what an older program does not know as an action is words.
TEST(ProblemErrorTest, WhatCanBeDoneIsSaidInCommands) {
  const Error denied = Error(ErrorCode::kPermissionDenied, Fault::kCaller, "no key")
                           .WithRemedy(Remedy(Action::kAuthenticate));
  const Remedy remedy = ProblemError(401, api::ProblemJson(denied, {})).remedy();
  EXPECT_TRUE(remedy.InWords(CommandFor).ends_with("; cay keys create makes one"));
  EXPECT_FALSE(remedy.InWords(CommandFor).contains("Authorization"));
  EXPECT_EQ(ProblemError(409, R"({"remedy_parts":[{"text":"or "},{"action":"fly","of":"b1"}]})")
                .remedy()
                .InWords(CommandFor),
            "or b1");
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

TEST(MatchBeginningTest, OneIdBeginsSoOrNoneDoes) {
  const boost::json::array list = {{{"id", "aaaa1"}, {"name", "web"}},
                                   {{"id", "aaab2"}, {"name", "aaaa"}}};
  EXPECT_EQ(MatchBeginning(list, "aaab").value_or("?"), "aaab2");
  EXPECT_EQ(MatchBeginning(list, "web").value_or("?"), "");
  EXPECT_EQ(MatchBeginning(list, "aaa").error().code(), ErrorCode::kInvalidArgument);
}

TEST(MatchBeginningTest, ABeginningHasFourLettersOfAnId) {
  for (const char* good : {"aaaa", "0a1b", "aaaaaaaaaaaaaaaaaaa"}) EXPECT_TRUE(MayBeginAnId(good));
  for (const char* bad : {"", "web", "we/b", "Webs", "we-b", "aaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(MayBeginAnId(bad)) << bad;
  }
}

}  // namespace
}  // namespace cay::cli
