#include "build/fetch/remote_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::build {
namespace {

using testing::HasSubstr;
using testing::Not;

RemoteFile FileOf(std::string_view source) {
  const auto parsed = ParseRemote(source);
  if (!parsed || !*parsed) {
    ADD_FAILURE() << source << ": " << (parsed ? "a path" : parsed.error().ToString());
    return {};
  }
  const auto* const file = std::get_if<RemoteFile>(&**parsed);
  if (file == nullptr) ADD_FAILURE() << source << ": a repository";
  return file != nullptr ? *file : RemoteFile{};
}

RemoteTree TreeOf(std::string_view source) {
  const auto parsed = ParseRemote(source);
  if (!parsed || !*parsed) {
    ADD_FAILURE() << source << ": " << (parsed ? "a path" : parsed.error().ToString());
    return {};
  }
  const auto* const tree = std::get_if<RemoteTree>(&**parsed);
  if (tree == nullptr) ADD_FAILURE() << source << ": a file";
  return tree != nullptr ? *tree : RemoteTree{};
}

std::string ErrorOf(std::string_view source) {
  const auto parsed = ParseRemote(source);
  return parsed ? "(no error)" : parsed.error().ToString();
}

TEST(RemoteSource, PathsOfTheContextAreNone) {
  for (const char* path : {"a", "./http://x", "github.com/a/b", "HTTP://x/y", "httpx://a/b",
                           "*.git", "/https:/x", "ftp://h/x"}) {
    const auto parsed = ParseRemote(path);
    ASSERT_TRUE(parsed) << path;
    EXPECT_FALSE(*parsed) << path;
  }
}

TEST(RemoteSource, AFileIsCalledAsTheLastOfItsPath) {
  EXPECT_EQ(FileOf("https://h/a/file.txt").name, "file.txt");
  EXPECT_EQ(FileOf("https://h/a/file.txt?x=/y#z").name, "file.txt");
  EXPECT_EQ(FileOf("https://h/a/directory/").name, "directory");
  EXPECT_EQ(FileOf("https://h/a%20b").name, "a b");
  EXPECT_EQ(FileOf("https://h/a%2Fb").name, "b");
  EXPECT_EQ(FileOf("https://h").name, "");
  EXPECT_EQ(FileOf("https://h/").name, "");
  EXPECT_EQ(FileOf("https://h?x").name, "");
  EXPECT_EQ(FileOf("https://h/..").name, "");
}

TEST(RemoteSource, AFileKeepsItsQueryAndShowsNone) {
  const RemoteFile file = FileOf("https://h:8443/a?signature=s3cret#part");
  EXPECT_EQ(file.where.target, "/a?signature=s3cret");
  EXPECT_EQ(file.where.url.port, 8443);
  EXPECT_EQ(file.shown, "https://h:8443/a");
}

TEST(RemoteSource, CredentialsAreAFieldAndShownNowhere) {
  const RemoteFile file = FileOf("https://us%40er:pass:word@h/a");
  EXPECT_EQ(file.authorization, "Basic dXNAZXI6cGFzczp3b3Jk");
  EXPECT_EQ(file.shown, "https://h/a");
  const RemoteTree tree = TreeOf("https://token@h/a.git#main");
  EXPECT_EQ(tree.authorization, "Basic dG9rZW46");
  EXPECT_EQ(tree.url, "https://h/a.git");
  EXPECT_EQ(tree.shown, "https://h/a.git");
  EXPECT_THAT(ErrorOf("https://user:s3cret@h:port/a"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(ErrorOf("https://user:s3cret@h/a.git#bad..ref"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(ErrorOf("ssh://user:s3cret@h/a"), Not(HasSubstr("s3cret")));
}

TEST(RemoteSource, UrlsThatAreNoneAreRefused) {
  for (const char* url :
       {"https://", "https:///x", "https://h:0/x", "https://h:99999/x", "https://h/\x01",
        "https://h/a%2", "https://h/a b", "https://a\\b/x", "https://h%00/x"}) {
    EXPECT_THAT(ErrorOf(url), Not(HasSubstr("(no error)"))) << url;
  }
}

TEST(RemoteSource, ARepositoryHasARefAndADirectory) {
  EXPECT_EQ(TreeOf("https://h/a.git").ref, "");
  EXPECT_EQ(TreeOf("https://h/a.git#v1").ref, "v1");
  EXPECT_EQ(TreeOf("https://h/a.git#v1:docs//x/").subdirectory, "docs/x");
  EXPECT_EQ(TreeOf("https://h/a.git#:/docs").subdirectory, "docs");
  EXPECT_EQ(TreeOf("git://h:9419/a/b#feature/x").ref, "feature/x");
  EXPECT_EQ(TreeOf("git://h/a/b").url, "git://h/a/b");
}

TEST(RemoteSource, AQueryOfARepositorySaysTheSame) {
  const RemoteTree tree =
      TreeOf("https://h/a.git?tag=v1&subdir=docs&commit=0123abcd&keep-git-dir=true&submodules=0");
  EXPECT_EQ(tree.url, "https://h/a.git");
  EXPECT_EQ(tree.ref, "refs/tags/v1");
  EXPECT_EQ(tree.subdirectory, "docs");
  EXPECT_EQ(tree.checksum, "0123abcd");
  EXPECT_EQ(tree.keep_git_dir, true);
  EXPECT_FALSE(tree.submodules);
  EXPECT_EQ(TreeOf("https://h/a.git?branch=x").ref, "refs/heads/x");
  EXPECT_EQ(TreeOf("https://h/a.git?checksum=0123abcd").ref, "0123abcd");
}

TEST(RemoteSource, WhatARepositoryCannotBeAskedIsRefused) {
  EXPECT_THAT(ErrorOf("https://h/a.git?depth=3"), HasSubstr("\"depth\" is nothing"));
  EXPECT_THAT(ErrorOf("https://h/a.git?tag=a&branch=b"), HasSubstr("twice"));
  EXPECT_THAT(ErrorOf("https://h/a.git?ref=a#b"), HasSubstr("twice"));
  EXPECT_THAT(ErrorOf("https://h/a.git?ref="), HasSubstr("no value"));
  EXPECT_THAT(ErrorOf("https://h/a.git?checksum=main"), HasSubstr("hexadecimal"));
  EXPECT_THAT(ErrorOf("https://h/a.git##ref=a"), HasSubstr("REF:DIRECTORY"));
  EXPECT_THAT(ErrorOf("https://h/a.git#:../x"), HasSubstr(".."));
  EXPECT_THAT(ErrorOf("git://user@h/a"), HasSubstr("neither users"));
  for (const char* ref : {"--upload-pack=x", "a..b", "a*", "a b", "a^", "a~1", "@{1}", "/a", "a/",
                          "a%0ab", "a%00b", "a."}) {
    EXPECT_THAT(ErrorOf("https://h/a.git#" + std::string(ref)), HasSubstr("no branch or tag"))
        << ref;
  }
}

TEST(RemoteSource, SshIsRefusedWithTheReason) {
  for (const char* url : {"git@h:a/b.git", "ssh://git@h/a.git"})
    EXPECT_THAT(ErrorOf(url), HasSubstr("a build has no keys")) << url;
}

TEST(RemoteSource, CredentialsAreTakenOutOfAnyText) {
  EXPECT_EQ(WithoutCredentials("ADD https://u:p@h/x /y"), "ADD https://***@h/x /y");
  EXPECT_EQ(WithoutCredentials("[\"http://u:p@h\", \"https://a@b@c/d@e\"]"),
            "[\"http://***@h\", \"https://***@c/d@e\"]");
  EXPECT_EQ(WithoutCredentials("https://h/x@y a@b ://"), "https://h/x@y a@b ://");
  EXPECT_EQ(WithoutCredentials("https://u:p@"), "https://***@");
}

}  // namespace
}  // namespace cay::build
