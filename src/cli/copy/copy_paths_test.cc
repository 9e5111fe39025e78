#include "cli/copy/copy_paths.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

TEST(CopyPathsTest, WhatStandsBeforeTheColonIsASandbox) {
  EXPECT_EQ(ParseCopyEnd("web:/tmp/x").value_or(CopyEnd()), (CopyEnd{"web", "/tmp/x", false}));
  EXPECT_EQ(ParseCopyEnd("web:a:b").value_or(CopyEnd()), (CopyEnd{"web", "a:b", false}));
  EXPECT_EQ(ParseCopyEnd("web:").value_or(CopyEnd()), (CopyEnd{"web", ".", false}));
}

TEST(CopyPathsTest, APathOfThisMachineMayHaveAColonAfterASlashOrADot) {
  for (const char* text : {"a", "./a:b", "/a:b", "../x:y", "dir/a:b", ".a:b", ":b"}) {
    EXPECT_EQ(ParseCopyEnd(text).value_or(CopyEnd()), (CopyEnd{"", text, false})) << text;
  }
}

TEST(CopyPathsTest, ADashIsAStreamAndNothingIsAnError) {
  EXPECT_EQ(ParseCopyEnd("-").value_or(CopyEnd()), (CopyEnd{"", "", true}));
  EXPECT_FALSE(ParseCopyEnd(""));
}

TEST(CopyPathsTest, ExactlyOneEndIsInASandbox) {
  EXPECT_TRUE(ParseCopy("web:a", "."));
  EXPECT_TRUE(ParseCopy("-", "web:a"));
  EXPECT_FALSE(ParseCopy("a", "b"));
  EXPECT_FALSE(ParseCopy("-", "-"));
  const auto both = ParseCopy("web:a", "db:b");
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().remedy().text(), "cay cp web:a - | cay cp - db:b");
}

TEST(CopyPathsTest, AFileKeepsItsNameInADirectoryAndBecomesAnythingElse) {
  const auto place = [](std::string_view source, const std::string& target, Standing there) {
    const auto found = PlaceOfFile(source, target, there);
    return found ? *found : std::string(ErrorCodeName(found.error().code()));
  };
  EXPECT_EQ(place("d/f", "x", Standing::kNothing), "x");
  EXPECT_EQ(place("d/f", "x", Standing::kOther), "x");
  EXPECT_EQ(place("d/f", "x", Standing::kDirectory), "x/f");
  EXPECT_EQ(place("d/f", "x/", Standing::kDirectory), "x/f");
  EXPECT_EQ(place("d/f", "x/.", Standing::kDirectory), "x/./f");
  EXPECT_EQ(place("d/f", "/", Standing::kDirectory), "/f");
  EXPECT_EQ(place("d/f", "x/", Standing::kNothing), "not_found");
  EXPECT_EQ(place("d/f", "x/.", Standing::kNothing), "not_found");
  EXPECT_EQ(place("d/f", "x/", Standing::kOther), "invalid_argument");
}

TEST(CopyPathsTest, ADirectoryGoesIntoOneThatIsThereAndBecomesWhatIsNot) {
  const auto place = [](std::string_view source, const std::string& target, Standing there) {
    const auto found = PlaceOfDirectory(source, target, there);
    return found ? *found : std::string(ErrorCodeName(found.error().code()));
  };
  for (const char* source : {"a/d", "a/d/"}) {
    EXPECT_EQ(place(source, "x", Standing::kNothing), "x");
    EXPECT_EQ(place(source, "x/", Standing::kNothing), "x/");
    EXPECT_EQ(place(source, "x", Standing::kDirectory), "x/d");
    EXPECT_EQ(place(source, "x/", Standing::kDirectory), "x/d");
    EXPECT_EQ(place(source, "x", Standing::kOther), "already_exists");
  }
  for (const char* source : {"a/d/.", ".", "..", "/"}) {
    EXPECT_EQ(place(source, "x", Standing::kDirectory), "x") << source;
  }
}

TEST(CopyPathsTest, AnotherOwnersSandboxIsNamedWithItsOwner) {
  const Copy out = ParseCopy("team-a/web:/tmp/x", ".").value();
  EXPECT_EQ(out.source, (CopyEnd{"team-a/web", "/tmp/x", false}));
  EXPECT_EQ(out.target, (CopyEnd{"", ".", false}));
  EXPECT_EQ(ParseCopy("-", "team-a/web:").value().target, (CopyEnd{"team-a/web", ".", false}));
  // Never where the other end is in a sandbox already.
  EXPECT_EQ(ParseCopy("dir/a:b", "web:x").value().source, (CopyEnd{"", "dir/a:b", false}));
  EXPECT_FALSE(ParseCopy("./a/b:c", "."));
  EXPECT_FALSE(ParseCopy("/a/b:c", "."));
  EXPECT_FALSE(ParseCopy("a/b/c:d", "."));
  EXPECT_FALSE(ParseCopy("a/b:c", "d/e:f"));
}

TEST(CopyPathsTest, NamesOfPaths) {
  EXPECT_EQ(ParentOf("a/b/"), "a");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(ParentOf("a"), ".");
  EXPECT_EQ(BaseName("/a/b/"), "b");
  EXPECT_EQ(BaseName("b"), "b");
  EXPECT_EQ(BaseName("/"), "");
  EXPECT_EQ(BaseName("a/.."), "");
  EXPECT_EQ(BaseName("."), "");
  EXPECT_TRUE(MeansContents("a/."));
  EXPECT_TRUE(MeansContents("."));
  EXPECT_FALSE(MeansContents("a/.b"));
  EXPECT_FALSE(MeansContents("a."));
}

}  // namespace
}  // namespace cay::cli
