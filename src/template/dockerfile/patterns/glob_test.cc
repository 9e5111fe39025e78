#include "template/dockerfile/patterns/glob.h"

#include <fnmatch.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace cay::templates::dockerfile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Glob Of(std::string_view pattern, Glob::Kind kind = Glob::Kind::kComponents) {
  return Glob::Parse(pattern, kind).value();
}

TEST(CleanPath, IsAsGosFilepathClean) {
  const std::pair<std::string_view, std::string_view> all[] = {{"", "."},
                                                               {".", "."},
                                                               {"./a", "a"},
                                                               {"a/", "a"},
                                                               {"a//b/./c", "a/b/c"},
                                                               {"a/../b", "b"},
                                                               {"../../a", "../../a"},
                                                               {"a/../..", ".."},
                                                               {"/", "/"},
                                                               {"//a/", "/a"},
                                                               {"/../a", "/a"},
                                                               {"a/b/../../..", ".."}};
  for (const auto& [path, clean] : all) EXPECT_EQ(CleanPath(path), clean) << path;
}

TEST(Glob, MatchesAWholePath) {
  EXPECT_TRUE(Of("src/*.[ch]").Matches("src/main.c"));
  EXPECT_FALSE(Of("src/*.[ch]").Matches("src/x/main.c"));
  EXPECT_FALSE(Of("*").Matches("a/b"));
  EXPECT_TRUE(Of("*").Matches(""));
  EXPECT_TRUE(Of("**").Matches("ab"));
  EXPECT_FALSE(Of("**").Matches("a/b")) << "of components, it is one star";
  EXPECT_TRUE(
      Of("a?c").Matches("a\xC3\xA9"
                        "c"))
      << "a character of two bytes";
  EXPECT_TRUE(
      Of("a?c").Matches("a\xFF"
                        "c"))
      << "a byte that is no character";
  EXPECT_TRUE(Of("[\xC3\xA0-\xC3\xBF]").Matches("\xC3\xA9"));
  EXPECT_TRUE(Of("[^a]").Matches("/")) << "as in Go";
  EXPECT_TRUE(Of("[\\]]").Matches("]"));
  EXPECT_TRUE(Of("\\[a").Matches("[a"));
  EXPECT_TRUE(Of("]").Matches("]"));
  EXPECT_FALSE(Of("[z-a]").Matches("m"));
}

TEST(Glob, KnowsWhatIsLiteral) {
  EXPECT_TRUE(Of("a\\*b").IsLiteral());
  EXPECT_EQ(Of("a\\*b").literal(), "a*b");
  EXPECT_FALSE(Of("a*b").IsLiteral());
  EXPECT_FALSE(Of("[a]").IsLiteral());
}

TEST(Glob, MatchesEachDirectoryOfAPath) {
  EXPECT_THAT(Of("a/*", Glob::Kind::kTree).MatchesOfEach("a/b/c"), ElementsAre(false, true, false));
  EXPECT_THAT(Of("**/b", Glob::Kind::kTree).MatchesOfEach("b/b/b"), ElementsAre(true, true, true));
}

TEST(Glob, SaysWhetherSomethingBelowCouldMatch) {
  const auto may = [](std::string_view pattern, std::string_view directory) {
    return Of(pattern, Glob::Kind::kTree).MayMatchBelow(directory);
  };
  EXPECT_TRUE(may("a/b", "a"));
  EXPECT_FALSE(may("a/b", "a/b"));
  EXPECT_FALSE(may("a/b", "b"));
  EXPECT_FALSE(may("a*", "ab"));
  EXPECT_TRUE(may("a/*/c", "a/x"));
  EXPECT_TRUE(may("**/c", "a/x"));
  EXPECT_TRUE(may("a/**", "a/x/y"));
}

TEST(Glob, SaysWhatIsWrong) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"[", "brackets that are not closed"},
      {"[a", "brackets that are not closed"},
      {"[]", "empty brackets"},
      {"[]a]", "empty brackets"},
      {"[^]", "empty brackets"},
      {"[a-]", "a range without an end"},
      {"[-a]", "a range without a beginning"},
      {"[\\", "not closed"},
      {"a\\", "ends with a backslash"}};
  for (const auto& [pattern, why] : all) {
    const auto glob = Glob::Parse(pattern, Glob::Kind::kTree);
    ASSERT_FALSE(glob) << pattern;
    EXPECT_THAT(glob.error().message(), HasSubstr(why)) << pattern;
  }
}

// The C library's own matcher: of what means the same there.
TEST(Glob, MatchesWhatFnmatchMatches) {
  const auto all = [](std::string_view alphabet, size_t length) {
    std::vector<std::string> texts = {""};
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].size() == length) continue;
      for (const char c : alphabet) texts.push_back(texts[i] + c);
    }
    return texts;
  };
  const auto paths = all("ab/", 5);
  size_t compared = 0;
  for (const std::string& pattern : all("a/*?", 4)) {
    for (const std::string_view set : {"", "[a-b]", "\\*"}) {
      const std::string whole = pattern + std::string(set);
      const Glob glob = Of(whole);
      for (const std::string& path : paths) {
        const bool expected = ::fnmatch(whole.c_str(), path.c_str(), FNM_PATHNAME) == 0;
        ASSERT_EQ(glob.Matches(path), expected) << whole << " and " << path;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 300'000U);
}

TEST(Glob, TakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  const std::string path(4000, 'a');
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(Of(pattern + "b").Matches(path));
  EXPECT_FALSE(Of("**/**/**/**/" + pattern + "b", Glob::Kind::kTree).Matches(path));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace cay::templates::dockerfile
