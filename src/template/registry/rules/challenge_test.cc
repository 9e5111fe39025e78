#include "template/registry/rules/challenge.h"

#include <gtest/gtest.h>

#include "base/testing/test_clock.h"
#include "template/registry/rules/retry_after.h"

namespace cay::templates::registry {
namespace {

TEST(Challenges, ReadsWhatRegistriesSend) {
  const auto read =
      ParseChallenges(R"(Bearer realm="https://auth.example/token",service="registry.example",)"
                      R"(scope="repository:a/b:pull,push", error="insufficient_scope")");
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().scheme, "bearer");
  EXPECT_EQ(read->front().Parameter("realm"), "https://auth.example/token");
  EXPECT_EQ(read->front().Parameter("scope"), "repository:a/b:pull,push");
  EXPECT_EQ(read->front().Parameter("nothing"), "");
}

TEST(Challenges, ReadsSeveralInOneField) {
  const auto read = ParseChallenges(
      R"(Negotiate, NTLM abc==, BASIC Realm = "a \"b\"" , Bearer realm=x,service=y)");
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->size(), 4U);
  EXPECT_EQ((*read)[2].scheme, "basic");
  EXPECT_EQ((*read)[2].Parameter("realm"), "a \"b\"");
  ASSERT_NE(FindChallenge(*read, "bearer"), nullptr);
  EXPECT_EQ(FindChallenge(*read, "bearer")->Parameter("service"), "y");
  EXPECT_EQ(FindChallenge(*read, "digest"), nullptr);
}

TEST(Challenges, ReadsAllFieldsOfThatName) {
  const auto read = ChallengesOf({{"WWW-Authenticate", "Basic realm=x"},
                                  {"Other", "Digest realm=x"},
                                  {"www-authenticate", "Bearer realm=y"}});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 2U);
}

TEST(Challenges, RefusesWhatIsNone) {
  std::string many;
  for (int i = 0; i < 9; ++i) many += "Basic,";
  std::string parameters = "Bearer ";
  for (int i = 0; i < 17; ++i) parameters += "p" + std::to_string(i) + "=1,";
  for (const std::string& text :
       {std::string("\"x\""), std::string("Bearer realm=\"x"), std::string("Bearer realm=\"x\\"),
        std::string("Bearer realm=x realm=y"), std::string("Bearer realm=x,realm=y"),
        std::string("Bearer[x"), many, parameters,
        "Bearer realm=\"" + std::string(Challenge::kMaxValue + 1, 'x') + "\""}) {
    EXPECT_FALSE(ParseChallenges(text)) << text;
  }
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  FakeClock clock;
  const auto at = [](const std::string& value) { return RetryAfter({{"Retry-After", value}}); };
  EXPECT_EQ(at("120"), Millis(120'000));
  EXPECT_EQ(at("0"), Millis(0));
  EXPECT_EQ(at("99999999999999999"), std::chrono::hours(24 * 36'525));
  EXPECT_EQ(at("Sun, 06 Nov 1994 08:49:37 GMT"), Millis(0));
  EXPECT_GT(*at("Fri, 31 Dec 2100 23:59:59 GMT"), std::chrono::hours(24 * 365));
  for (const char* text : {"", "-1", "soon", "Sun, 99 Nov 1994 08:49:37 GMT",
                           "Sunday, 06-Nov-94 08:49:37 GMT", "99999999999999999999999"})
    EXPECT_FALSE(at(text)) << text;
  EXPECT_FALSE(RetryAfter({}));
}

}  // namespace
}  // namespace cay::templates::registry
