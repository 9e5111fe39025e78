#include "template/dockerfile/patterns/ignore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::dockerfile {
namespace {

using ::testing::HasSubstr;

bool Ignores(std::string_view file, std::string_view path) {
  const auto ignore = IgnorePatterns::ParseFile(file);
  EXPECT_TRUE(ignore) << file << ": " << (ignore ? "" : ignore.error().message());
  return ignore && ignore->Ignores(path);
}

bool SkipsWhole(std::string_view file, std::string_view path) {
  return IgnorePatterns::ParseFile(file)->SkipsWhole(path);
}

// What is expected is what moby's ignorefile and patternmatcher (v0.6) say, recorded; asked as
// BuildKit asks, with the results of the directories above.
TEST(IgnorePatterns, IgnoreWhatDockerIgnores) {
  struct Case {
    std::string_view file;
    std::string_view path;
    bool ignored;
  };
  const Case all[] = {
      {"*.md", "a.md", true},
      {"*.md", "d/a.md", false},
      {"**/*.md", "a.md", true},
      {"**/*.md", "d/e/a.md", true},
      {"*/*.md", "d/a.md", true},
      {"*/*.md", "d/e/a.md", false},
      {"d", "d/e/f", true},
      {"d/", "d/e", true},
      {"/d", "d/e", true},
      {"./d", "d", true},
      {"d/**", "d", false},
      {"d/**", "d/e/f", true},
      {"d/*", "d/e/f", true},
      {"**", "a/b", true},
      {"**\n!a", "a/b", false},
      {"**\n!a", "a", false},
      {"*\n!d", "d/e", false},
      {"*\n!d/e", "d", true},
      {"*\n!d/e", "d/e", false},
      {"*\n!d/e", "d/f", true},
      {"d\n!d/e\nd/e/f", "d/e/f", true},
      {"!d\nd", "d", true},
      {"d/*\n!d", "d/e", true},
      {"d/*\n!d/*", "d/e", false},
      {"*.md\n!README*.md\nREADME-s.md", "README-s.md", true},
      {"*.md\n!README*.md", "README.md", false},
      {"*.md\nREADME-s.md\n!README*.md", "README-s.md", false},
      {"a?", "ab", true},
      {"a?", "a/", false},
      {"a?", "abc", false},
      {"[a-c]x", "bx", true},
      {"[^a-c]x", "bx", false},
      {"[^a-c]x", "dx", true},
      {"a**b", "axb", false},
      {"a**b", "ab", true},
      {"a**b", "ax/b", true},
      {"**b", "xb", true},
      {"**b", "x/b", true},
      {"**b*", "xb", false},
      {"a**", "ab/c", true},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "axb", false},
      {"\\*a", "*a", true},
      {"\\*a", "xa", false},
      {"a/../b", "b", true},
      {"  b  ", "b", true},
      {"# x\nb", "# x", false},
      {"\\#x", "#x", true},
      {"a.b", "axb", false},
      {"node_modules", "x/node_modules", false},
      {"**/node_modules", "x/node_modules/y", true},
      {"**/node_modules", "node_modules", true},
      {"*\n!*.go\nx.go", "a.go", false},
      {"foo*\n!foo/bar", "foo/bar/baz", false},
      {"\u00e9?", "\u00e9\u00e8", true},
  };
  for (const auto& [file, path, ignored] : all) {
    EXPECT_EQ(Ignores(file, path), ignored) << "of \"" << file << "\": " << path;
  }
}

TEST(IgnorePatterns, OfAFileMayHaveAMarkAndCarriageReturns) {
  EXPECT_TRUE(Ignores("\xEF\xBB\xBF#x\r\na\r\n\r\n  /b/ \r\n", "a"));
  EXPECT_TRUE(Ignores("a\r\n/b/\r\n", "b/c"));
  EXPECT_FALSE(Ignores("", "a"));
  EXPECT_FALSE(Ignores("**", ""));
  EXPECT_FALSE(Ignores("**", "."));
}

TEST(IgnorePatterns, OfExcludeAreNoComments) {
  const auto excludes = IgnorePatterns::Of({"#x", "*.md", "!a.md", " "});
  ASSERT_TRUE(excludes);
  EXPECT_TRUE(excludes->Ignores("#x"));
  EXPECT_TRUE(excludes->Ignores("b.md"));
  EXPECT_FALSE(excludes->Ignores("a.md"));
  EXPECT_TRUE(IgnorePatterns::Of({})->empty());
}

TEST(IgnorePatterns, SayWhichDirectoriesNeedNotBeLookedAt) {
  EXPECT_TRUE(SkipsWhole("a", "a"));
  EXPECT_TRUE(SkipsWhole("a\n!b", "a"));
  EXPECT_TRUE(SkipsWhole("a", "a/b"));
  EXPECT_TRUE(SkipsWhole("*\n!b/c", "a"));
  EXPECT_FALSE(SkipsWhole("*\n!b/c", "b"));
  EXPECT_FALSE(SkipsWhole("*\n!**/c", "b"));
  EXPECT_FALSE(SkipsWhole("a\n!a/*/c", "a"));
  EXPECT_FALSE(SkipsWhole("a\n!a/*/c", "a/b"));
  EXPECT_TRUE(SkipsWhole("a\n!a/*/c", "a/b/d"));
  EXPECT_FALSE(SkipsWhole("a", "b")) << "it is not ignored";
}

TEST(IgnorePatterns, SayWhatIsWrongAndWhere) {
  const auto why = [](std::string_view file) {
    const auto ignore = IgnorePatterns::ParseFile(file);
    return ignore ? std::string("it is good") : ignore.error().message();
  };
  EXPECT_THAT(why("a\n!"), HasSubstr("line 2: \"!\" alone"));
  EXPECT_THAT(why("[a"), HasSubstr("line 1: the pattern \"[a\" has brackets that are not closed"));
  EXPECT_THAT(why("\n\na\\"), HasSubstr("line 3"));
}

TEST(IgnorePatterns, AreBounded) {
  const auto code = [](const std::string& file) {
    const auto ignore = IgnorePatterns::ParseFile(file);
    return ignore ? ErrorCode::kInternal : ignore.error().code();
  };
  std::string many;
  for (size_t i = 0; i < kMaxIgnorePatterns; ++i) many += "a\n";
  EXPECT_TRUE(IgnorePatterns::ParseFile(many));
  EXPECT_EQ(code(many + "a\n"), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code(std::string(kMaxIgnoreFile + 1, '\n')), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code(std::string(kMaxPattern + 1, 'a')), ErrorCode::kLimitTooHigh);
}

}  // namespace
}  // namespace cay::templates::dockerfile
