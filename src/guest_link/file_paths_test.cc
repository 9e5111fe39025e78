#include "guest_link/file_paths.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(AbsolutePath, IsTheWorkingDirectorysWhenItIsRelative) {
  EXPECT_EQ(*AbsolutePath("/workspace", "a/b"), "/workspace/a/b");
  EXPECT_EQ(*AbsolutePath("/", "a"), "/a");
  EXPECT_EQ(*AbsolutePath("/workspace", "/etc/passwd"), "/etc/passwd");
  EXPECT_EQ(*AbsolutePath("/workspace", "../x"), "/workspace/../x");
}

TEST(AbsolutePath, RefusesWhatTheKernelWouldCutOrRefuse) {
  for (const std::string& bad : {std::string(), std::string("a\0b", 3), std::string(4096, 'a')}) {
    EXPECT_EQ(AbsolutePath("/workspace", bad).error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(AbsolutePath("/workspace", std::string(4090, 'a')));
  EXPECT_TRUE(AbsolutePath("/workspace", "/" + std::string(4094, 'a')));
}

TEST(DirectoryPath, OfNothingIsTheWorkingDirectory) {
  EXPECT_EQ(*DirectoryPath("/workspace", ""), "/workspace");
  EXPECT_EQ(*DirectoryPath("/workspace", "a"), "/workspace/a");
}

TEST(BelowWorkdir, ASessionsRootIsItsWorkingDirectory) {
  const auto path = [](std::string_view text) {
    return *AbsolutePath("/workspace", BelowWorkdir("/workspace", text));
  };
  EXPECT_EQ(path("/test.txt"), "/workspace/test.txt");
  EXPECT_EQ(path("/.env"), "/workspace/.env");
  EXPECT_EQ(path("//a/b"), "/workspace/a/b");
  EXPECT_EQ(path("/"), "/workspace");
  EXPECT_EQ(path("/etc/passwd"), "/workspace/etc/passwd");
  EXPECT_EQ(path("a"), "/workspace/a");
  EXPECT_EQ(path("/workspace/a"), "/workspace/a");
  EXPECT_EQ(path("/tmp/a"), "/tmp/a");
  EXPECT_EQ(path("/tmpfile"), "/workspace/tmpfile");
  EXPECT_EQ(BelowWorkdir("/home/me", "/home/me/x"), "/home/me/x");
  EXPECT_EQ(BelowWorkdir("/", "/x"), "x");
}

TEST(LastComponent, IsTheNameOfTheFile) {
  EXPECT_EQ(LastComponent("/a/b"), "b");
  EXPECT_EQ(LastComponent("/a/b//"), "b");
  EXPECT_EQ(LastComponent("/"), "/");
  EXPECT_EQ(LastComponent("//"), "/");
  EXPECT_EQ(LastComponent("a"), "a");
}

}  // namespace
}  // namespace cay
