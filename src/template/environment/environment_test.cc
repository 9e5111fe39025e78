#include "template/environment/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "network/policy/preset.h"
#include "template/dockerfile/dockerfile.h"

namespace cay::templates {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Environment Parsed(std::string_view text) {
  const auto parsed = ParseEnvironment("one", text);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed.value_or(Environment());
}

std::string Refused(std::string_view text, std::string_view name = "one") {
  const auto parsed = ParseEnvironment(name, text);
  if (parsed) return "it is taken";
  EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
  return parsed.error().message();
}

TEST(ParseEnvironment, ReadsTheHeadOfARecipe) {
  const std::string text =
      "# environment: One: with a colon\n"
      "# aliases: first  1st *-one:latest\n"
      "# network: debian pypi\n"
      "# needs: basic\n"
      "# test: a=b; echo \"$a\" | grep b\n"
      "# optional: gcloud --version\n"
      "\n"
      "# test: a comment\n"
      "FROM scratch\n";
  const Environment one = Parsed(text);
  EXPECT_EQ(one.name, "one");
  EXPECT_EQ(one.summary, "One: with a colon");
  EXPECT_THAT(one.aliases, ElementsAre("first", "1st", "*-one:latest"));
  EXPECT_THAT(one.network, ElementsAre("debian", "pypi"));
  EXPECT_THAT(one.needs, ElementsAre("basic"));
  ASSERT_EQ(one.tests.size(), 2U);
  EXPECT_EQ(one.tests[0].command, "a=b; echo \"$a\" | grep b");
  EXPECT_FALSE(one.tests[0].optional);
  EXPECT_TRUE(one.tests[1].optional);
  EXPECT_EQ(one.dockerfile, text);
}

TEST(ParseEnvironment, NeedsNoMoreThanItsFirstLine) {
  const Environment one = Parsed("# environment: One");
  EXPECT_EQ(one.summary, "One");
  EXPECT_THAT(one.tests, IsEmpty());
  EXPECT_THAT(one.network, IsEmpty());
}

TEST(ParseEnvironment, RefusesWhatIsNoHeadAndNamesTheLine) {
  EXPECT_THAT(Refused(""), HasSubstr("empty"));
  EXPECT_THAT(Refused("FROM scratch\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("\n# environment: One\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("# environment: \nFROM scratch\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("# environment: One\n# tests: true\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n# Test: true\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n#test: true\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n#\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n# test: \n"), HasSubstr("nothing after"));
  EXPECT_THAT(Refused("# environment: One\n# environment: Two\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n# network: debian\n# network: pypi\n"),
              HasSubstr("already"));
}

TEST(ParseEnvironment, RefusesNamesThatAreNone) {
  for (const std::string_view name : {"", "One", "../one", "-one", "one:1", "o ne"})
    EXPECT_THAT(Refused("# environment: One\n", name), HasSubstr("name")) << name;
  for (const std::string_view alias : {"One", "*", "*:", "*a", "**one-more", "a*b", "\x1B[31m"}) {
    EXPECT_THAT(Refused("# environment: One\n# aliases: " + std::string(alias) + "\n"),
                HasSubstr("line 2"))
        << alias;
  }
  EXPECT_THAT(Refused("# environment: One\n# aliases: a a\n"), HasSubstr("twice"));
  EXPECT_THAT(Refused("# environment: One\n# network: example.com\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\n# needs: a/b\n"), HasSubstr("line 2"));
}

TEST(ParseEnvironment, RefusesWhatIsNoText) {
  using std::string_view_literals::operator""sv;
  EXPECT_THAT(Refused("# environment: One\x1B[2J\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("# environment: One\n# test: \xFF\n"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("# environment: One\r\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("# environment: One\nFROM a\0b\n"sv), HasSubstr("no text"));
}

TEST(ParseEnvironment, HasBounds) {
  const std::string head = "# environment: One\n";
  EXPECT_THAT(Refused("# environment: " + std::string(kMaxEnvironmentSummary + 1, 'x')),
              HasSubstr("line 1"));
  EXPECT_THAT(Refused(head + std::string(kMaxRecipe, '\n')), HasSubstr("larger"));
  EXPECT_THAT(Refused(head + "# test: " + std::string(kMaxEnvironmentTest + 1, 'x')),
              HasSubstr("longer"));
  std::string tests = head;
  for (size_t i = 0; i < kMaxEnvironmentTests; ++i) tests += "# test: true\n";
  EXPECT_EQ(Parsed(tests).tests.size(), kMaxEnvironmentTests);
  EXPECT_THAT(Refused(tests + "# optional: true\n"), HasSubstr("more than"));
  std::string words = head + "# aliases:";
  for (size_t i = 0; i < kMaxEnvironmentWords; ++i) words += " a" + std::to_string(i);
  EXPECT_EQ(Parsed(words).aliases.size(), kMaxEnvironmentWords);
  EXPECT_THAT(Refused(words + " more"), HasSubstr("more than"));
}

Environment Named(const std::string& name, std::vector<std::string> aliases = {}) {
  return {.name = name, .summary = name, .aliases = std::move(aliases), .dockerfile = {}};
}

std::string Found(const Environments& all, std::string_view name) {
  const Environment* found = all.Find(name);
  return found == nullptr ? "none" : found->name;
}

TEST(Environments, AreFoundByNameAndAlias) {
  const auto all = Environments::Of(
      {Named("node-20", {"node", "nodejs-20"}), Named("basic", {"*-basic:local", "*-box:latest"})});
  ASSERT_TRUE(all);
  EXPECT_EQ(Found(*all, "node-20"), "node-20");
  EXPECT_EQ(Found(*all, "nodejs-20"), "node-20");
  EXPECT_EQ(Found(*all, "my-basic:local"), "basic");
  EXPECT_EQ(Found(*all, "-basic:local"), "none") << "nothing stands before it";
  EXPECT_EQ(Found(*all, "team/my-basic:local"), "none");
  EXPECT_EQ(Found(*all, "my-box"), "basic") << "the latest is meant";
  EXPECT_EQ(Found(*all, "my-box:1"), "none");
  EXPECT_EQ(Found(*all, "my-box@sha256:00"), "none");
  EXPECT_EQ(Found(*all, "node-2"), "none");
  EXPECT_EQ(Found(*all, ""), "none");
}

TEST(Environments, CannotHaveANameInCommon) {
  EXPECT_FALSE(Environments::Of({Named("a"), Named("a")}));
  EXPECT_FALSE(Environments::Of({Named("a"), Named("b", {"a"})}));
  EXPECT_FALSE(Environments::Of({Named("a", {"b"}), Named("b")}));
  EXPECT_FALSE(Environments::Of({Named("a", {"c"}), Named("b", {"c"})}));
}

TEST(Environments, HideThoseBelow) {
  const auto below = Environments::Of({Named("a", {"x"}), Named("b", {"y"})});
  ASSERT_TRUE(below);
  const auto all = Environments::Of({Named("c", {"y", "a1"}), Named("a", {"z"})}, &*below);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->all().size(), 3U);
  EXPECT_EQ(Found(*all, "x"), "none") << "the one that it was an alias of is hidden";
  EXPECT_EQ(Found(*all, "y"), "c");
  EXPECT_EQ(Found(*all, "b"), "b");
}

TEST(Environments, OfADirectoryAreItsRecipes) {
  const std::string place = ::testing::TempDir() + "/environments-" + std::to_string(::getpid());
  std::filesystem::create_directories(place);
  std::ofstream(place + "/mine.Dockerfile") << "# environment: Mine\n# aliases: python\n";
  std::ofstream(place + "/notes.md") << "nothing of this\n";
  const auto all = ReadEnvironments(place);
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(Found(*all, "mine"), "mine");
  EXPECT_EQ(Found(*all, "python"), "mine");
  EXPECT_EQ(Found(*all, "basic"), "basic") << "the program's own are there, too";
  std::ofstream(place + "/wrong.Dockerfile") << "FROM scratch\n";
  const auto refused = ReadEnvironments(place);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("wrong.Dockerfile"));
  const auto missing = ReadEnvironments(place + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  std::filesystem::remove_all(place);
}

// Of the program's own.
TEST(BuiltInEnvironments, AreTheRecipesOfTheRepository) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(CAY_RECIPES))
    if (entry.path().extension() == kRecipeSuffix) files.insert(entry.path().stem());
  std::set<std::string> names;
  for (const Environment& one : BuiltInEnvironments().all()) names.insert(one.name);
  EXPECT_EQ(names, files);
}

TEST(BuiltInEnvironments, AreDockerfilesWithTestsAndPresetsThatThereAre) {
  for (const Environment& one : BuiltInEnvironments().all()) {
    const auto dockerfile = dockerfile::ParseDockerfile(one.dockerfile);
    EXPECT_TRUE(dockerfile) << one.name << ": " << dockerfile.error().message();
    EXPECT_FALSE(one.tests.empty()) << one.name;
    for (const std::string& preset : one.network)
      EXPECT_TRUE(network::FindPreset(preset)) << one.name << ": " << preset;
    for (const std::string& needed : one.needs)
      EXPECT_EQ(Found(BuiltInEnvironments(), needed), needed) << one.name;
  }
}

TEST(BuiltInEnvironments, HaveTheNamesOfEarlierSystems) {
  const std::vector<std::pair<std::string_view, std::string_view>> names = {
      {"python", "python-3.11"},
      {"python3.11", "python-3.11"},
      {"py311", "python-3.11"},
      {"python3.12", "python-3.12"},
      {"python3.13", "python-3.13"},
      {"nodejs-18", "node-18"},
      {"node20", "node-20"},
      {"node", "node-20"},
      {"nodejs-20", "node-20"},
      {"nodejs-22", "node-22"},
      {"golang-1.21", "go-1.21"},
      {"go", "go-1.23"},
      {"openjdk", "java"},
      {"my-sandbox-basic:local", "basic"},
      {"my-sandbox:latest", "basic"},
      {"my-sandbox", "basic"},
      {"base", "basic"},
      {"my-sandbox-full:local", "full"},
  };
  for (const auto& [name, environment] : names)
    EXPECT_EQ(Found(BuiltInEnvironments(), name), environment) << name;
  // Those are images.
  for (const std::string_view name : {"python:3.11", "node:20", "debian", "alpine", "host"})
    EXPECT_EQ(Found(BuiltInEnvironments(), name), "none") << name;
}

}  // namespace
}  // namespace cay::templates
