#include "api/rest/legacy_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::api::rest {
namespace {

using ::testing::HasSubstr;

const VersionOf kMachine = [](const std::string& program) -> Result<std::optional<std::string>> {
  if (program == "node") return "18.19.0";
  if (program == "python3") return "3.11.2";
  return std::nullopt;
};

Result<std::string> Resolve(const std::string& name) {
  return TemplateOfEnvironment(name, {"host", "alpine", "ruby-3.2"}, kMachine);
}

TEST(LegacyEnvironment, ATemplateOfThatNameComesFirst) {
  EXPECT_EQ(*Resolve("alpine"), "alpine");
  EXPECT_EQ(*Resolve("ruby-3.2"), "ruby-3.2");
  EXPECT_EQ(*Resolve(""), "");
}

TEST(LegacyEnvironment, WhatTheMachineHasIsTheHostTemplate) {
  EXPECT_EQ(*Resolve("nodejs-18"), "host");
  EXPECT_EQ(*Resolve("node-18.19"), "host");
  EXPECT_EQ(*Resolve("python-3.11"), "host");
  EXPECT_EQ(*Resolve("python-3"), "host");
}

TEST(LegacyEnvironment, WhatIsNotInstalledIsRefusedWithTheLineThatInstallsIt) {
  for (const char* name :
       {"nodejs-20", "nodejs-1", "python-3.1", "go-1.22", "cobol-85", "debian"}) {
    const auto resolved = Resolve(name);
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().code(), ErrorCode::kNotFound);
    EXPECT_THAT(resolved.error().remedy(), HasSubstr(std::string("cay template import ") + name));
  }
  EXPECT_THAT(Resolve("nodejs-20").error().message(), HasSubstr("this machine has node 18.19.0"));
  EXPECT_THAT(Resolve("go-1.22").error().message(), HasSubstr("no go"));
}

TEST(LegacyEnvironment, ANameIsNeverPartOfACommandLineUnlessItIsOne) {
  for (const char* name : {"a; rm -rf /-1", "$(x)-3", "../x-1", "A B-2"}) {
    EXPECT_THAT(Resolve(name).error().remedy(), HasSubstr("cay template import NAME ")) << name;
  }
}

TEST(LegacyEnvironment, VersionsMatchPieceByPiece) {
  EXPECT_TRUE(VersionMatches("20.20.2", "20"));
  EXPECT_FALSE(VersionMatches("20.20.2", "2"));
  EXPECT_FALSE(VersionMatches("20", "20.1"));
  EXPECT_FALSE(ParseEnvironment("node"));
  EXPECT_FALSE(ParseEnvironment("-18"));
  EXPECT_FALSE(ParseEnvironment("node-"));
  EXPECT_EQ(ParseEnvironment("a-b-1.2")->language, "a-b");
}

}  // namespace
}  // namespace cay::api::rest
