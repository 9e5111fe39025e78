#include "api/legacy/legacy_environment.h"

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

TEST(LegacyEnvironment, SpellingsOfOneEnvironmentAreOne) {
  for (const char* name :
       {"python3.11",    "Python3.11", "PYTHON-3.11", "python_3.11",  "python:3.11",
        "python 3.11",   "py311",      "py3.11",      "python311",    "python3-3.11",
        "python-v3.11",  "python",     "python3",     "python3.11.2", "node18",
        "nodejs18",      "Node.js 18", "node.js-18",  "node:18",      "node@18.19",
        "node-v18.19.0", "node",       "nodejs"}) {
    const auto resolved = Resolve(name);
    ASSERT_TRUE(resolved) << name << ": " << resolved.error().ToString();
    EXPECT_EQ(*resolved, "host") << name;
  }
  const auto imported = [](const std::string& name) {
    return TemplateOfEnvironment(name, {"host", "node20", "python-3.12"}, kMachine).value_or("-");
  };
  for (const char* name : {"node20", "nodejs-20", "node:20", "Node 20"}) {
    EXPECT_EQ(imported(name), "node20") << name;
  }
  for (const char* name : {"python3.12", "python-3.12", "py312", "python:3.12"}) {
    EXPECT_EQ(imported(name), "python-3.12") << name;
  }
  EXPECT_EQ(imported("python3.13"), "-");
}

TEST(LegacyEnvironment, ARefusalNamesTheEnvironmentByItsOneName) {
  EXPECT_THAT(Resolve("python:3.10").error().remedy().text(),
              HasSubstr("import template python-3.10"));
  EXPECT_THAT(Resolve("Node 16").error().remedy().text(), HasSubstr("import template nodejs-16"));
  EXPECT_THAT(Resolve("node16").error().remedy().text(), HasSubstr("import template node16"));
}

TEST(LegacyEnvironment, WhatHasARecipeIsRefusedWithTheLineThatBuildsIt) {
  const std::pair<const char*, const char*> kNames[] = {
      {"python:3.12", "python-3.12"}, {"Node 20", "node-20"},
      {"node20", "node-20"},          {"nodejs-20", "node-20"},
      {"golang:1.21", "go-1.21"},     {"rust", "rust"},
      {"my-sandbox", "basic"},        {"my-sandbox-full:local", "full"},
  };
  for (const auto& [name, environment] : kNames) {
    const auto resolved = Resolve(name);
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(resolved.error().remedy().text(),
              std::string("build it: build environment ") + environment)
        << name;
  }
}

TEST(LegacyEnvironment, WhatIsBuiltIsFoundByItsOtherNames) {
  const auto built = [](const std::string& name) {
    return TemplateOfEnvironment(name, {"host", "basic", "node-20"}, kMachine).value_or("-");
  };
  for (const char* name : {"sandbox", "my-sandbox:latest", "My-Sandbox-Basic:local", "base"})
    EXPECT_EQ(built(name), "basic") << name;
  for (const char* name : {"node", "NODEJS-20", "node 20"})
    EXPECT_EQ(built(name), "node-20") << name;
  EXPECT_EQ(built("python"), "host") << "it is not built, and the machine has it";
}

TEST(LegacyEnvironment, WhatIsNotInstalledIsRefusedWithTheLineThatInstallsIt) {
  for (const char* name :
       {"nodejs-16", "nodejs-1", "python-3.1", "go-1.22", "cobol-85", "debian"}) {
    const auto resolved = Resolve(name);
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().code(), ErrorCode::kNotFound);
    EXPECT_THAT(resolved.error().remedy().text(),
                HasSubstr(std::string("import template ") + name));
  }
  EXPECT_THAT(Resolve("nodejs-20").error().message(), HasSubstr("this machine has node 18.19.0"));
  EXPECT_THAT(Resolve("go-1.22").error().message(), HasSubstr("no go"));
}

TEST(LegacyEnvironment, ANameIsNeverPartOfACommandLineUnlessItIsOne) {
  for (const char* name : {"a; rm -rf /-1", "$(x)-3", "../x-1", "A B-2"}) {
    EXPECT_THAT(Resolve(name).error().remedy().text(), HasSubstr("import template NAME")) << name;
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
