#include "cli/frame/argument_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::optional<std::string> FakeLookup(const std::string& name) {
  if (name == "HOME") return "/home/me";
  return std::nullopt;
}

TEST(ParseMount, IsReadOnlyUnlessItSaysOtherwise) {
  EXPECT_TRUE(ParseMount("/a:/b")->read_only);
  EXPECT_TRUE(ParseMount("/a:/b:ro")->read_only);
  EXPECT_FALSE(ParseMount("/a:/b:rw")->read_only);
}

TEST(ParseMount, KeepsColonsOfTheSource) {
  engine::Mount mount = *ParseMount("./a:b:/c/:rw");
  EXPECT_EQ(mount.source, "./a:b");
  EXPECT_EQ(mount.target, "/c");
}

TEST(ParseVolume, IsWrittenUnlessItSaysOtherwise) {
  EXPECT_EQ(*ParseVolume("data:/data"),
            (sandbox::VolumeUse{.name = "data", .path = "/data", .read_only = false}));
  EXPECT_FALSE(ParseVolume("data:/data:rw")->read_only);
  EXPECT_TRUE(ParseVolume("data:/data:ro")->read_only);
  EXPECT_EQ(ParseVolume("@alice/data:/data:ro")->name, "@alice/data");
  for (const char* text : {"", "data", "data:", ":/data", "data:/", "data:data", "UPPER:/data",
                           "/srv/data:/data", "./data:/data", "a/b:/data"}) {
    EXPECT_FALSE(ParseVolume(text)) << text;
  }
}

TEST(ParseMount, SaysThatLabelsAreNotNeeded) {
  for (const char* text : {"/a:/b:z", "/a:/b:Z", "/a:/b:ro,z", "/a:/b:rw,Z"}) {
    const auto mount = ParseMount(text);
    ASSERT_FALSE(mount) << text;
    EXPECT_NE(mount.error().ToString().find("leave them out"), std::string::npos);
  }
  EXPECT_TRUE(ParseMount("/a:/z"));
  EXPECT_EQ(ParseMount("/a:/b,z")->target, "/b,z");
}

TEST(ParseMount, RefusesWhatIsNoMount) {
  for (const char* text : {"", ":", "/a", "/a:", ":/b", "/a:b", "/a:/b/../c", "/a:/", "/a:/b:rx"}) {
    EXPECT_FALSE(ParseMount(text)) << text;
  }
}

TEST(ParseTransfer, DividesAtTheLastColon) {
  EXPECT_EQ(*ParseTransfer("a:b:c"), (Transfer{"a:b", "c"}));
  EXPECT_FALSE(ParseTransfer("a"));
  EXPECT_FALSE(ParseTransfer("a:"));
  EXPECT_FALSE(ParseTransfer(":b"));
}

TEST(ParseTmpfs, TakesASizeInTwoForms) {
  EXPECT_EQ(ParseTmpfs("/c")->size, 64 * kMiB);
  EXPECT_EQ(ParseTmpfs("/c:1g")->size, kGiB);
  EXPECT_EQ(ParseTmpfs("/c:size=1m")->size, kMiB);
  EXPECT_FALSE(ParseTmpfs("/c:rw"));
  EXPECT_FALSE(ParseTmpfs("/"));
}

TEST(ParseEnv, PassesOnTheCallersValueOnlyWhenNamed) {
  EXPECT_EQ(*ParseEnv("A=b=c", &FakeLookup), (EnvChange{"A", "b=c"}));
  EXPECT_EQ(*ParseEnv("A=", &FakeLookup), (EnvChange{"A", ""}));
  EXPECT_EQ(*ParseEnv("HOME", &FakeLookup), (EnvChange{"HOME", "/home/me"}));
  EXPECT_EQ(*ParseEnv("NONE", &FakeLookup), (EnvChange{"NONE", std::nullopt}));
  EXPECT_FALSE(ParseEnv("=x", &FakeLookup));
  EXPECT_FALSE(ParseEnv("A B=x", &FakeLookup));
}

TEST(ParseEnvFile, SkipsCommentsAndUnquotesNothing) {
  auto changes = ParseEnvFile("\xEF\xBB\xBF# note\n\n  A=1 \r\nB=\"q\"\nHOME\nC=last", &FakeLookup);
  ASSERT_TRUE(changes);
  EXPECT_THAT(*changes, ElementsAre(EnvChange{"A", "1 "}, EnvChange{"B", "\"q\""},
                                    EnvChange{"HOME", "/home/me"}, EnvChange{"C", "last"}));
}

TEST(ParseEnvFile, NamesTheBadLine) {
  auto changes = ParseEnvFile("A=1\n=2\n", &FakeLookup);
  ASSERT_FALSE(changes);
  EXPECT_THAT(changes.error().message(), HasSubstr("line 2"));
  EXPECT_FALSE(ParseEnvFile(std::string_view("A=\0b", 4), &FakeLookup));
}

TEST(ApplyEnv, LetsLaterChangesWinAndTakesNamesOut) {
  EXPECT_THAT(
      ApplyEnv({"PATH=/bin", "A=1"}, {{"A", "2"}, {"B", "3"}, {"PATH", std::nullopt}, {"A", "4"}}),
      ElementsAre("A=4", "B=3"));
}

TEST(ParseInsidePath, WantsACleanAbsolutePath) {
  EXPECT_EQ(*ParseInsidePath("/a/b/", "it"), "/a/b");
  EXPECT_EQ(*ParseInsidePath("/", "it"), "/");
  EXPECT_FALSE(ParseInsidePath("a", "it"));
  EXPECT_FALSE(ParseInsidePath("/a/./b", "it"));
  EXPECT_FALSE(ParseInsidePath("/..", "it"));
}

TEST(ParseHostname, FollowsRfc1123) {
  EXPECT_TRUE(ParseHostname("a-1.example"));
  EXPECT_FALSE(ParseHostname("-a"));
  EXPECT_FALSE(ParseHostname("a_b"));
  EXPECT_FALSE(ParseHostname(""));
  EXPECT_FALSE(ParseHostname(std::string(64, 'a')));
}

TEST(ShellRule, WrapsOnlyOneStringWithSpacesAndNoSeparator) {
  EXPECT_EQ(ShellRule({"python3 --version"}, false),
            (TypedCommand{.argv = {}, .shell = "python3 --version"}));
  for (const auto& [argv, separated] : std::vector<std::pair<std::vector<std::string>, bool>>{
           {{"python3 --version"}, true}, {{"ls"}, false}, {{"a b", "c"}, false}}) {
    EXPECT_EQ(ShellRule(argv, separated), (TypedCommand{.argv = argv, .shell = ""}));
  }
}

}  // namespace
}  // namespace cay::cli
