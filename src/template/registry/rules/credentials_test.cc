#include "template/registry/rules/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/encoding.h"

namespace cay::templates::registry {
namespace {

using testing::HasSubstr;
using testing::Not;

CredentialStore StoreOf(const std::string& json) {
  auto store = CredentialStore::Parse(json);
  EXPECT_TRUE(store) << store.error().ToString();
  return *std::move(store);
}

std::string Auth(const std::string& name, const std::string& plain) {
  return "\"" + name + R"(":{"auth":")" + EncodeBase64(plain) + "\"}";
}

TEST(CredentialStore, FindsEntriesAsDockerWritesThem) {
  const CredentialStore store =
      StoreOf(R"({"auths":{)" + Auth("https://index.docker.io/v1/", "hub:one") + "," +
              Auth("registry.example", "a:two:with:colons") + "," +
              Auth("registry.example:5000", "b:three") + "," +
              Auth("https://old.example/v2/", "c:four") + R"(},"HttpHeaders":{"X":"y"}})");
  EXPECT_EQ(store.Find("docker.io")->password, "one");
  EXPECT_EQ(store.Find("registry.example")->username, "a");
  EXPECT_EQ(store.Find("registry.example")->password, "two:with:colons");
  EXPECT_EQ(store.Find("registry.example:5000")->password, "three");
  EXPECT_EQ(store.Find("old.example")->password, "four");
  for (const char* other : {"example", "registry.example:5001", "index.docker.io.evil", "v1"})
    EXPECT_FALSE(store.Find(other)) << other;
}

TEST(CredentialStore, TakesDockersOtherNamesForItsRegistry) {
  EXPECT_EQ(StoreOf(R"({"auths":{)" + Auth("docker.io", "a:b") + "}}").Find("docker.io")->password,
            "b");
  EXPECT_EQ(
      StoreOf(R"({"auths":{)" + Auth("index.docker.io", "a:b") + "}}").Find("docker.io")->password,
      "b");
}

TEST(CredentialStore, ReadsIdentityTokensAndPlainNames) {
  const CredentialStore store =
      StoreOf(R"({"auths":{"r.example":{"auth":"PHRva2VuPjo=","identitytoken":"refresh"},)"
              R"("p.example":{"username":"u","password":"p"}}})");
  EXPECT_EQ(store.Find("r.example")->username, "<token>");
  EXPECT_EQ(store.Find("r.example")->identity_token, "refresh");
  EXPECT_EQ(store.Find("p.example")->BasicField(), "Basic dTpw");
}

TEST(CredentialStore, NamesTheProgramThatAloneHasThem) {
  const CredentialStore store = StoreOf(
      R"({"auths":{"r.example":{}},"credsStore":"pass","credHelpers":{"h.example":"ecr-login"}})");
  EXPECT_FALSE(store.Find("r.example"));
  EXPECT_EQ(store.HelperOf("r.example"), "docker-credential-pass");
  EXPECT_EQ(store.HelperOf("h.example"), "docker-credential-ecr-login");
  EXPECT_EQ(StoreOf(R"({"credsStore":"../x"})").HelperOf("r.example"), "");
  EXPECT_EQ(StoreOf("{}").HelperOf("r.example"), "");
}

TEST(CredentialStore, SaysWhatIsWrongAndNeverASecret) {
  const std::string bad_base64 = R"({"auths":{"a":{"auth":"hunter2hunter2!"}}})";
  const std::string no_colon = R"({"auths":{)" + Auth("a", "hunter2") + "}}";
  const std::string control = R"({"auths":{)" + Auth("a", "u:hunter2\nX: y") + "}}";
  const std::string wrong_kind = R"({"auths":{"a":{"auth":["hunter2"]}}})";
  const std::string cut = R"({"auths":{"a":{"password":"hunter2)";
  for (const std::string& text : {bad_base64, no_colon, control, wrong_kind, cut,
                                  std::string(R"(["hunter2"])"), std::string(R"({"auths":1})")}) {
    const auto store = CredentialStore::Parse(text);
    ASSERT_FALSE(store) << text;
    EXPECT_EQ(store.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(store.error().ToString(), HasSubstr("config.json"));
    EXPECT_THAT(store.error().ToString(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(store.error().ToString(), Not(HasSubstr(EncodeBase64("hunter2"))));
  }
}

TEST(CredentialStore, AFileThatIsNotThereHasNone) {
  const std::string path = testing::TempDir() + "cay-credentials-" + std::to_string(::getpid());
  const auto none = CredentialStore::Load(path);
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_FALSE(none->Find("docker.io"));
  std::ofstream(path) << R"({"auths":{)" << Auth("r.example", "u:p") << "}}";
  const auto some = CredentialStore::Load(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(some) << some.error().ToString();
  EXPECT_EQ(some->Find("r.example")->password, "p");
}

TEST(Credentials, RefusesWhatCouldNotBeSent) {
  EXPECT_TRUE(Credentials("user", "pass:word").Check());
  EXPECT_FALSE(Credentials("us:er", "x").Check());
  EXPECT_FALSE(Credentials("user", "x\r\nX-Y: z").Check());
  EXPECT_FALSE(Credentials("", "").Check());
  EXPECT_FALSE(Credentials("user", std::string(Credentials::kMaxBytes + 1, 'x')).Check());
}

}  // namespace
}  // namespace cay::templates::registry
