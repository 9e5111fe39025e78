#include "cli/client/contexts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/os/file.h"

namespace cay::cli {
namespace {

std::map<std::string, std::string> environment;
std::optional<std::string> LookupTest(const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return std::nullopt;
  return found->second;
}

class ContextsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    environment.clear();
    char name[] = "/tmp/cay-contexts-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, directory_)); }

  std::string directory_;
  Contexts contexts_{
      "prod", {{"prod", {"https://cay.example", "cay_prod"}}, {"lab", {"unix:/run/cay.sock", ""}}}};
};

TEST_F(ContextsTest, WhatIsSavedIsLoadedAndOnlyItsOwnerMayReadIt) {
  const std::string path = directory_ + "/a/b/contexts.json";
  EXPECT_EQ(LoadContexts(path), Contexts());
  ASSERT_TRUE(SaveContexts(path, contexts_));
  EXPECT_EQ(LoadContexts(path), contexts_);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(LoadContexts(path).error().code(), ErrorCode::kPermissionDenied);
}

TEST_F(ContextsTest, TheUrlComesFromTheFirstThatIsGiven) {
  environment = {{"CAY_URL", "http://env"}};
  EXPECT_EQ(ChooseConnection({.url = "http://flag"}, contexts_, &LookupTest)->url, "http://flag");
  EXPECT_EQ(ChooseConnection({.context = "lab"}, contexts_, &LookupTest)->url,
            "unix:/run/cay.sock");
  EXPECT_EQ(ChooseConnection({}, contexts_, &LookupTest)->url, "http://env");
  environment.clear();
  EXPECT_EQ(ChooseConnection({}, contexts_, &LookupTest)->url, "https://cay.example");
  EXPECT_EQ(ChooseConnection({}, {}, &LookupTest)->url, kDefaultUrl);
  EXPECT_FALSE(ChooseConnection({.url = "http://flag", .context = "lab"}, contexts_, &LookupTest));
  EXPECT_EQ(ChooseConnection({.context = "none"}, contexts_, &LookupTest).error().code(),
            ErrorCode::kNotFound);
}

TEST_F(ContextsTest, AContextsKeyGoesToItsOwnUrlOnly) {
  EXPECT_EQ(ChooseConnection({}, contexts_, &LookupTest)->api_key, "cay_prod");
  EXPECT_EQ(ChooseConnection({.url = "http://flag"}, contexts_, &LookupTest)->api_key, "");
  environment = {{"CAY_URL", "http://env"}};
  EXPECT_EQ(ChooseConnection({}, contexts_, &LookupTest)->api_key, "");
  environment = {{"CAY_API_KEY", "cay_env\n"}};
  EXPECT_EQ(ChooseConnection({}, contexts_, &LookupTest)->api_key, "cay_prod");
  EXPECT_EQ(ChooseConnection({.context = "lab"}, contexts_, &LookupTest)->api_key, "cay_env");
}

TEST_F(ContextsTest, AKeyFileComesBeforeAll) {
  const std::string path = directory_ + "/key";
  ASSERT_TRUE(WriteFileAtomic(path, "  cay_file\n", 0600));
  EXPECT_EQ(ChooseConnection({.api_key_file = path}, contexts_, &LookupTest)->api_key, "cay_file");
  EXPECT_FALSE(ChooseConnection({.api_key_file = directory_ + "/none"}, contexts_, &LookupTest));
}

TEST_F(ContextsTest, AKeyThatWouldBreakAHeaderIsRefusedAndNotShown) {
  for (const char* text : {"", " \n", "two words", "a\r\nX-Other: b", "caf\xC3\xA9"}) {
    const auto parsed = ParseApiKey(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().ToString().find("Other"), std::string::npos);
  }
  EXPECT_FALSE(ParseApiKey(std::string(513, 'a')));
}

TEST_F(ContextsTest, AFileOfAnotherShapeIsRefused) {
  for (const char* text : {"", "[]", R"({"contexts":{"a":1}})", R"({"contexts":{"a":{}}})",
                           R"({"contexts":{"a b":{"url":"http://x"}}})",
                           R"({"contexts":{"a":{"url":"http://x","api_key":"x y"}}})"}) {
    EXPECT_FALSE(ParseContexts(text)) << text;
  }
}

}  // namespace
}  // namespace cay::cli
