#include "api/webhooks/webhook_rules.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

TEST(WebhookRules, PatternsMatchTypes) {
  EXPECT_TRUE(Matches("*", "sandbox.created"));
  EXPECT_TRUE(Matches("sandbox.*", "sandbox.created"));
  EXPECT_TRUE(Matches("sandbox.created", "sandbox.created"));
  EXPECT_FALSE(Matches("sandbox.*", "sandbox."));
  EXPECT_FALSE(Matches("sandbox.*", "sandboxes.created"));
  EXPECT_FALSE(Matches("sandbox.*", "execution.completed"));
  EXPECT_FALSE(Matches("sandbox.created", "sandbox.created2"));
  EXPECT_TRUE(MatchesAny({"execution.*", "sandbox.created"}, "sandbox.created"));
  EXPECT_FALSE(MatchesAny({"execution.*", "sandbox.created"}, "sandbox.destroyed"));
}

TEST(WebhookRules, PatternsThatAreNoneAreRefused) {
  for (const char* good : {"*", "sandbox.*", "sandbox.created", "a_b-c.d"}) {
    EXPECT_TRUE(CheckPattern(good)) << good;
  }
  for (const char* bad : {"", ".*x", "**", "sand*", "*.created", "a b", "A.b", "a\n"}) {
    EXPECT_FALSE(CheckPattern(bad)) << bad;
  }
  EXPECT_FALSE(CheckPattern(std::string(65, 'a')));
}

TEST(WebhookRules, SecretsHaveALength) {
  EXPECT_TRUE(CheckWebhookSecret("0123456789abcdef"));
  EXPECT_FALSE(CheckWebhookSecret("0123456789abcde"));
  EXPECT_FALSE(CheckWebhookSecret("0123456789 abcdef"));
  EXPECT_FALSE(CheckWebhookSecret(std::string(257, 'x')));
}

// printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
TEST(WebhookRules, SignsAsOpensslDoes) {
  EXPECT_EQ(WebhookSignature("0123456789abcdef", 1'700'000'000, R"({"id":1})").value(),
            "t=1700000000,v1=4bcaced68dfea90a68df035b89cb7fb26692d899d32a1ccb1b0616cf48e4d1ed");
}

TEST(WebhookRules, WaitsTwiceAsLongEachTimeAndAtMostAnHour) {
  const Millis first(5000);
  EXPECT_EQ(RetryDelay(first, 1), Millis(5000));
  EXPECT_EQ(RetryDelay(first, 2), Millis(10'000));
  EXPECT_EQ(RetryDelay(first, 4), Millis(40'000));
  EXPECT_EQ(RetryDelay(first, 100), Millis(3'600'000));
  EXPECT_EQ(RetryDelay(first, UINT64_MAX), Millis(3'600'000));
}

}  // namespace
}  // namespace cay::api
