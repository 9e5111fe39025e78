#include "network/intercept/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kMine = "cay-secret-" + std::string(32, 'a');
const std::string kOther = "cay-secret-" + std::string(32, 'b');

Secret Mine() {
  return {.name = "mine", .hosts = {"api.example.com"}, .placeholder = kMine, .value = "v4lue"};
}
Secret Other() {
  return {
      .name = "other", .hosts = {"other.example:8443"}, .placeholder = kOther, .value = "0ther"};
}
Credentials Both(Secret mine = Mine()) {
  auto compiled = Credentials::Compile({std::move(mine), Other()});
  EXPECT_TRUE(compiled) << compiled.error().message();
  return *std::move(compiled);
}
std::string Filled(const Credentials& credentials, std::string name, std::string value) {
  http::Headers headers{{name, std::move(value)}};
  const auto filled = credentials.Fill("api.example.com", 443, headers);
  return filled ? std::string(*headers.Find(name)) : "refused: " + filled.error().message();
}

TEST(Credentials, CoversTheHostsOfItsSecretsAtTheirPorts) {
  const Credentials both = Both();
  EXPECT_TRUE(both.Covers("api.example.com", 443));
  EXPECT_TRUE(both.Covers("other.example", 8443));
  EXPECT_FALSE(both.Covers("other.example", 443));
  EXPECT_FALSE(both.Covers("example.com", 443));
  EXPECT_FALSE(both.Covers("api.example.com", 80));
  EXPECT_FALSE(both.Covers("", 443));
}

TEST(Credentials, APlaceholderInAHeaderBecomesTheValue) {
  EXPECT_EQ(Filled(Both(), "X-Key", kMine), "v4lue");
  EXPECT_EQ(Filled(Both(), "Authorization", "token " + kMine + "!"), "token v4lue!");
  EXPECT_EQ(Filled(Both(), "X-Key", kMine + kMine), "v4luev4lue");
  EXPECT_EQ(Filled(Both(), "X-Key", "cay-secret-unknown"), "cay-secret-unknown");
}

// It is intercepted as before, so that it can be refused.
TEST(Credentials, APlaceholderOfARevokedSecretIsRefusedEverywhere) {
  Secret revoked = Mine();
  revoked.revoked = true;
  EXPECT_FALSE(Credentials::Compile({revoked})) << "it has a value";
  revoked.value.clear();
  const Credentials both = Both(revoked);
  EXPECT_TRUE(both.Covers("api.example.com", 443));
  EXPECT_EQ(both.Foreign("api.example.com", 443, "x " + kMine), "mine");
  EXPECT_EQ(both.Found(kMine), "mine");
  EXPECT_THAT(Filled(both, "X-Key", kMine), HasSubstr("\"mine\", which was revoked"));
  EXPECT_THAT(Filled(both, "Authorization", "Basic " + EncodeBase64("git:" + kMine)),
              HasSubstr("refused"));
  EXPECT_THAT(Filled(both, "X-Key", kOther), HasSubstr("which is not for api.example.com"));
  EXPECT_EQ(Filled(both, "X-Key", "else"), "else");
  revoked.hosts.clear();
  EXPECT_FALSE(Both(revoked).Covers("api.example.com", 443));
  EXPECT_EQ(Both(revoked).Found(kMine), "mine");
}

TEST(Credentials, BasicCredentialsAreDecodedFilledAndEncoded) {
  EXPECT_EQ(Filled(Both(), "Authorization", "Basic " + EncodeBase64("git:" + kMine)),
            "Basic " + EncodeBase64("git:v4lue"));
  EXPECT_EQ(Filled(Both(), "Authorization", "basic " + EncodeBase64(kMine + ":")),
            "Basic " + EncodeBase64("v4lue:"));
  EXPECT_EQ(Filled(Both(), "Authorization", "Basic !!" + kMine), "Basic !!v4lue");
  EXPECT_THAT(Filled(Both(), "Authorization", "Basic " + EncodeBase64("git:" + kOther)),
              HasSubstr("refused"));
}

TEST(Credentials, AFormatIsWhatTheHeaderIsThen) {
  Secret mine = Mine();
  mine.header = "authorization";
  mine.format = "Bearer {}";
  EXPECT_EQ(Filled(Both(mine), "Authorization", "token " + kMine), "Bearer v4lue");
  EXPECT_EQ(Filled(Both(mine), "Authorization", "Basic " + EncodeBase64("x:" + kMine)),
            "Basic " + EncodeBase64("x:v4lue"));
  // In another header than its own it stays what it is.
  EXPECT_EQ(Filled(Both(mine), "X-Key", kMine), kMine);
}

TEST(Credentials, ThePlaceholderOfAnotherHostIsRefusedAndNothingIsFilled) {
  http::Headers headers{{"A", kMine}, {"B", "x" + kOther}};
  const auto filled = Both().Fill("api.example.com", 443, headers);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(filled.error().message(), HasSubstr("\"other\""));
  EXPECT_EQ(*headers.Find("A"), kMine);
  http::Headers elsewhere{{"A", kMine}};
  EXPECT_FALSE(Both().Fill("api.example.com", 8443, elsewhere));
}

TEST(Credentials, WhatSaysHowAMessageGoesOnIsNeverFilled) {
  EXPECT_EQ(Filled(Both(), "Connection", kMine), kMine);
  EXPECT_EQ(Filled(Both(), "Host", kMine), kMine);
}

TEST(Credentials, FindsPlaceholdersAcrossPieces) {
  const Credentials both = Both();
  const std::string body = "cay-secret-cay-secret-" + kOther + kMine;
  for (size_t size = 1; size <= body.size(); ++size) {
    ForeignScan scan(both, "api.example.com", 443);
    std::optional<std::string> found;
    for (size_t at = 0; at < body.size() && !found; at += size)
      found = scan.Add(std::string_view(body).substr(at, size));
    EXPECT_EQ(found, "other") << "in pieces of " << size;
    ForeignScan own(both, "other.example", 8443);
    EXPECT_FALSE(own.Add(kOther.substr(0, size)));
  }
}

TEST(Credentials, WhatCannotBeASecretIsRefusedWithoutItsValue) {
  const auto message = [](auto change) {
    Secret secret = Mine();
    secret.value = "unspeakable";
    change(secret);
    const auto compiled = Credentials::Compile({secret});
    return compiled ? std::string("taken") : compiled.error().message();
  };
  const std::vector<std::string> messages = {
      message([](Secret& s) { s.name = "a b"; }),
      message([](Secret& s) { s.hosts = {}; }),
      message([](Secret& s) { s.hosts = {"*.example.com"}; }),
      message([](Secret& s) { s.hosts = {"10.0.0.1"}; }),
      message([](Secret& s) { s.hosts = {"a.example:0"}; }),
      message([](Secret& s) { s.hosts = {"a.example:70000"}; }),
      message([](Secret& s) { s.hosts = {"host.cay.internal"}; }),
      message([](Secret& s) { s.value = "unspeakable\r\nX: y"; }),
      message([](Secret& s) { s.value = " unspeakable"; }),
      message([](Secret& s) { s.value = ""; }),
      message([](Secret& s) { s.header = "Host"; }),
      message([](Secret& s) { s.header = "a b"; }),
      message([](Secret& s) { s.format = "Bearer {}"; }),
      message([](Secret& s) { s.header = "A", s.format = "Bearer"; }),
      message([](Secret& s) { s.header = "A", s.format = "{}{}"; }),
      message([](Secret& s) { s.header = "A", s.format = "{}\n"; }),
      message([](Secret& s) { s.placeholder = "short"; }),
  };
  for (const std::string& one : messages) {
    EXPECT_NE(one, "taken");
    EXPECT_THAT(one, Not(HasSubstr("unspeakable")));
  }
  EXPECT_FALSE(Credentials::Compile({Mine(), Mine()}));
  EXPECT_EQ(message([](Secret&) {}), "taken");
}

TEST(Credentials, PlaceholdersAreRandomAndOfOneForm) {
  const auto one = MakePlaceholder();
  const auto another = MakePlaceholder();
  ASSERT_TRUE(one && another);
  EXPECT_EQ(one->size(), kPlaceholderBytes);
  EXPECT_TRUE(one->starts_with(kPlaceholderPrefix));
  EXPECT_NE(*one, *another);
}

}  // namespace
}  // namespace cay::network
