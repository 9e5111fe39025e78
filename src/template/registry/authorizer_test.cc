#include "template/registry/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/testing/test_clock.h"
#include "http/server/test_certificate.h"
#include "template/registry/test_registry.h"

namespace cay::templates::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A registry that wants tokens, and the server that gives them, which is the same one at "/token".
class TokenRegistry : public TestRegistry {
 public:
  TokenRegistry() {
    TestImage().ServeAt(*this);
    On("/token", [this](http::Exchange& exchange) {
      static_cast<void>(exchange.Respond({.status = token_status, .body = token_answer}));
    });
    Guard([this](http::Exchange& exchange) {
      if (exchange.request().path == "/token") return true;
      const auto shown = exchange.request().headers.Find("Authorization");
      if (shown && shown == accepted) return true;
      static_cast<void>(exchange.Respond({.status = 401, .headers = Challenge()}));
      return false;
    });
  }
  http::Headers Challenge() const {
    const std::string where = realm.empty() ? "http://" + Name() + "/token" : realm;
    return {{"WWW-Authenticate", challenge.empty() ? "Bearer realm=\"" + where +
                                                         "\",service=\"the service\",scope=\""
                                                         "repository:library/a:pull\""
                                                   : challenge}};
  }
  std::vector<Seen> TokenRequests() const {
    std::vector<Seen> requests;
    for (const Seen& one : seen()) {
      if (one.target.starts_with("/token")) requests.push_back(one);
    }
    return requests;
  }

  std::string accepted = "Bearer good";
  std::string token_answer = R"({"token":"good","expires_in":300})";
  int token_status = 200;
  std::string realm;
  std::string challenge;
};

Error ErrorOf(RegistryClient& client, const TestRegistry& registry, const CallOptions& call = {}) {
  const auto found = client.FetchDocument(ReferenceAt(registry.Name()), call);
  if (found) {
    ADD_FAILURE() << "it was fetched";
    return Error::Invalid("");
  }
  return found.error();
}

TEST(Tokens, AreGotOnceForManyRequests) {
  TokenRegistry registry;
  const auto client = OpenClient();
  for (int i = 0; i < 3; ++i) {
    const auto found = client->FetchDocument(ReferenceAt(registry.Name()), {});
    ASSERT_TRUE(found) << found.error().ToString();
  }
  ASSERT_EQ(registry.TokenRequests().size(), 1U);
  EXPECT_EQ(registry.TokenRequests()[0].target,
            "/token?service=the%20service&scope=repository%3Alibrary%2Fa%3Apull");
  EXPECT_EQ(registry.TokenRequests()[0].authorization, "");
}

TEST(Tokens, AreGotAnewWhenTheyExpireOrAreRefused) {
  FakeClock clock;
  TokenRegistry registry;
  const auto client = OpenClient();
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  clock.Advance(Millis(200'000));
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  EXPECT_EQ(registry.TokenRequests().size(), 1U);
  clock.Advance(Millis(100'000));
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  EXPECT_EQ(registry.TokenRequests().size(), 2U);
  registry.accepted = "Bearer other";
  registry.token_answer = R"({"access_token":"other"})";
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  EXPECT_EQ(registry.TokenRequests().size(), 3U);
}

TEST(Tokens, ThatAreNeverGoodEnoughAreNoLoop) {
  TokenRegistry registry;
  registry.accepted = "Bearer another";
  const auto client = OpenClient();
  const Error error = ErrorOf(*client, registry);
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(registry.TokenRequests().size(), 1U);
}

TEST(Tokens, AreGivenForTheCallersCredentials) {
  TokenRegistry registry;
  const auto client =
      OpenClient(TestSettings(),
                 *CredentialStore::Parse(R"({"auths":{")" + registry.Name() + R"(":{"auth":")" +
                                         EncodeBase64("stored:secret") + R"("}}})"));
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  const CallOptions call{.credentials = Credentials("caller", "secret2")};
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), call));
  const auto requests = registry.TokenRequests();
  ASSERT_EQ(requests.size(), 2U) << "one caller's token was shown for another";
  EXPECT_EQ(requests[0].authorization, "Basic " + EncodeBase64("stored:secret"));
  EXPECT_EQ(requests[1].authorization, "Basic " + EncodeBase64("caller:secret2"));
  EXPECT_THAT(requests[1].target, HasSubstr("account=caller"));
}

TEST(Tokens, AreGivenForRefreshTokensInABody) {
  TokenRegistry registry;
  const auto client =
      OpenClient(TestSettings(), *CredentialStore::Parse(R"({"auths":{")" + registry.Name() +
                                                         R"(":{"identitytoken":"a+b/c="}}})"));
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), {}));
  ASSERT_EQ(registry.TokenRequests().size(), 1U);
  const auto request = registry.TokenRequests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/token");
  EXPECT_THAT(request.body, HasSubstr("grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D"));
  EXPECT_EQ(request.authorization, "");
}

TEST(Tokens, AreNotAskedForWhereTheRegistryMayNotSend) {
  // The realm's name is at an address that nobody has named.
  TokenRegistry registry;
  registry.realm = "https://auth.internal/token";
  RegistrySettings settings = TestSettings();
  settings.private_registries = {registry.Name()};
  const auto client = RegistryClient::Open(settings, {}, [](const std::string& host) {
    return host == "auth.internal" ? Result<std::vector<network::Address>>(
                                         std::vector{*network::Address::Parse("10.0.0.1")})
                                   : LookUpHost(host);
  });
  const Error refused = ErrorOf(**client, registry);
  EXPECT_EQ(refused.code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr("10.0.0.1"));
  // Nor without TLS, nor to what is no server.
  registry.realm = "http://auth.internal/token";
  EXPECT_THAT(ErrorOf(**client, registry).message(), HasSubstr("everybody on the way"));
  registry.realm = "file:///etc/passwd";
  EXPECT_THAT(ErrorOf(**client, registry).message(), HasSubstr("no address of a server"));
}

TEST(Tokens, MustBeTokens) {
  for (const std::string& answer :
       {std::string("{}"), std::string("good"), std::string(R"({"token":""})"),
        std::string(R"({"token":"hunter2\r\nX: y"})"), std::string(R"({"token":["hunter2"]})"),
        R"({"token":")" + std::string(Authorizer::kMaxTokenBytes + 1, 'x') + "\"}",
        std::string(Authorizer::kMaxAnswerBytes + 1, ' ')}) {
    TokenRegistry registry;
    registry.token_answer = answer;
    const auto client = OpenClient();
    const Error error = ErrorOf(*client, registry);
    EXPECT_THAT(error.message(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(error.message(), HasSubstr("gives tokens"));
  }
}

TEST(Tokens, RefusedAreToldWithoutWhatWasShown) {
  TokenRegistry registry;
  registry.token_status = 403;
  const auto client = OpenClient();
  const CallOptions call{.credentials = Credentials("me", "hunter2")};
  const Error error = ErrorOf(*client, registry, call);
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(error.ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error.ToString(), Not(HasSubstr(EncodeBase64("me:hunter2"))));
}

TEST(Authorizer, SaysThatAProgramAloneHasTheCredentials) {
  TokenRegistry registry;
  registry.challenge = "Basic realm=x";
  const auto client =
      OpenClient(TestSettings(), *CredentialStore::Parse(R"({"credsStore":"pass"})"));
  const Error error = ErrorOf(*client, registry);
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(error.message(), HasSubstr("docker-credential-pass, which is never run"));
}

TEST(Authorizer, ShowsBasicCredentialsWhereTheyAreAskedFor) {
  TokenRegistry registry;
  registry.challenge = "Basic realm=\"x\"";
  registry.accepted = "Basic " + EncodeBase64("me:secret");
  const auto client = OpenClient();
  const CallOptions good{.credentials = Credentials("me", "secret")};
  EXPECT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), good));
  const CallOptions bad{.credentials = Credentials("me", "hunter2")};
  const Error error = ErrorOf(*client, registry, bad);
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(error.ToString(), Not(HasSubstr("hunter2")));
  registry.challenge = "Digest realm=x";
  EXPECT_EQ(ErrorOf(*client, registry).code(), ErrorCode::kNotSupported);
}

TEST(Authorizer, ShowsNothingToThoseToWhomARegistryRedirects) {
  TestRegistry elsewhere;
  const TestImage image;
  elsewhere.Give("/stored", {.body = image.config});
  TokenRegistry registry;
  registry.Give(TestImage::BlobPath(image.config),
                {.status = 307,
                 .headers = {{"Location", "http://" + elsewhere.Name() + "/stored?signed=1"}}});
  const auto client = OpenClient();
  const CallOptions call{.credentials = Credentials("me", "secret")};
  const auto bytes =
      client->FetchBlob(ReferenceAt(registry.Name()), DescriptorOf(image.config), kMiB, call);
  ASSERT_TRUE(bytes) << bytes.error().ToString();
  EXPECT_EQ(*bytes, image.config);
  ASSERT_EQ(elsewhere.seen().size(), 1U);
  EXPECT_EQ(elsewhere.seen()[0].authorization, "");
  EXPECT_EQ(elsewhere.seen()[0].target, "/stored?signed=1");
  // Those who ask for something are told no, and the registry's credentials are not used.
  elsewhere.Give("/stored", {.status = 401, .headers = registry.Challenge()});
  const size_t before = registry.TokenRequests().size();
  EXPECT_EQ(client->FetchBlob(ReferenceAt(registry.Name()), DescriptorOf(image.config), kMiB, call)
                .error()
                .code(),
            ErrorCode::kPermissionDenied);
  EXPECT_EQ(registry.TokenRequests().size(), before);
}

TEST(Authorizer, KeepsTheCallersCredentialsFromMirrors) {
  TokenRegistry mirror;
  TokenRegistry registry;
  RegistrySettings settings = TestSettings();
  settings.mirrors = {{registry.Name(), {mirror.Name()}}};
  const auto client = OpenClient(settings);
  const CallOptions call{.credentials = Credentials("me", "secret")};
  ASSERT_TRUE(client->FetchDocument(ReferenceAt(registry.Name()), call));
  ASSERT_EQ(mirror.TokenRequests().size(), 1U);
  EXPECT_EQ(mirror.TokenRequests()[0].authorization, "");
  EXPECT_EQ(registry.seen().size(), 0U);
}

}  // namespace
}  // namespace cay::templates::registry
