// Where a context's Dockerfile and .dockerignore are found, and what a stranger's cannot reach.
#include "build/stages/context.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/os/sys.h"

namespace cay::build {
namespace {

using ::testing::HasSubstr;

class ContextTest : public ::testing::Test {
 protected:
  ContextTest() {
    directory_ = ::testing::TempDir() + "cay-context-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) std::abort();
    std::filesystem::create_directory(directory_ + "/c");
  }
  ~ContextTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& path, const std::string& text) const {
    std::ofstream(directory_ + "/" + path) << text;
  }
  Result<OpenedContext> Open(const std::string& dockerfile = {}) const {
    return OpenContext(directory_ + "/c", dockerfile.empty() ? "" : directory_ + "/" + dockerfile);
  }
  Result<OpenedContext> OpenUnpacked(const std::string& dockerfile) const {
    const std::string path = directory_ + "/c";
    return OpenUnpackedContext(
        std::make_shared<Fd>(TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY))),
        dockerfile);
  }

  std::string directory_;
};

TEST_F(ContextTest, ItsOwnDockerfileIsTheUsualOne) {
  Write("c/Dockerfile", "FROM scratch\n");
  Write("c/.dockerignore", "*.o\n");
  const auto context = Open();
  ASSERT_TRUE(context);
  EXPECT_EQ(context->dockerfile, "FROM scratch\n");
  EXPECT_EQ(context->file_name, "Dockerfile");
  EXPECT_TRUE(context->ignore.Ignores("a.o"));
  EXPECT_FALSE(context->ignore.Ignores("a.c"));
}

TEST_F(ContextTest, OneElsewhereHasAnIgnoreFileOfItsOwn) {
  Write("c/.dockerignore", "*.o\n");
  Write("other", "FROM scratch\n");
  Write("other.dockerignore", "*.c\n");
  const auto context = Open("other");
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->ignore.Ignores("a.c"));
  EXPECT_FALSE(context->ignore.Ignores("a.o"));
}

TEST_F(ContextTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(Open().error().message(), HasSubstr("there is no " + directory_ + "/c/Dockerfile"));
  const auto none = OpenContext(directory_ + "/none", "");
  EXPECT_THAT(none.error().message(), HasSubstr("the context " + directory_ + "/none"));
}

TEST_F(ContextTest, AFifoIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo((directory_ + "/c/Dockerfile").c_str(), 0600), 0);
  EXPECT_THAT(Open().error().message(), HasSubstr("is no regular file"));
}

TEST_F(ContextTest, AWrongPatternNamesItsFile) {
  Write("c/Dockerfile", "FROM scratch\n");
  Write("c/.dockerignore", "a[\n");
  EXPECT_THAT(Open().error().message(), HasSubstr(".dockerignore"));
}

TEST_F(ContextTest, AStrangersDockerfileIsInsideOfTheContext) {
  Write("secret", "FROM secret\n");
  std::filesystem::create_directory(directory_ + "/c/sub");
  Write("c/sub/file", "FROM scratch\n");
  const auto inside = OpenUnpacked("sub/file");
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->dockerfile, "FROM scratch\n");
  EXPECT_FALSE(OpenUnpacked("../secret"));
  std::filesystem::create_symlink(directory_ + "/secret", directory_ + "/c/Dockerfile");
  EXPECT_FALSE(OpenUnpacked(""));
  std::filesystem::remove(directory_ + "/c/Dockerfile");
  std::filesystem::create_symlink("../secret", directory_ + "/c/Dockerfile");
  EXPECT_FALSE(OpenUnpacked(""));
  std::filesystem::remove(directory_ + "/c/Dockerfile");
  std::filesystem::create_symlink("sub/file", directory_ + "/c/Dockerfile");
  EXPECT_TRUE(OpenUnpacked(""));
}

// A clone of somebody's repository, built as root: what its links name is not read.
TEST_F(ContextTest, LinksOfTheContextsOwnFilesStayInside) {
  Write("secret", "secret\n");
  Write("c/real", "FROM scratch\n");
  Write("c/patterns", "*.o\n");
  std::filesystem::create_symlink("real", directory_ + "/c/Dockerfile");
  std::filesystem::create_symlink("patterns", directory_ + "/c/.dockerignore");
  for (const char* named : {"", "c/Dockerfile", "c/../c/./Dockerfile"}) {
    const auto opened = Open(named);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_TRUE(opened->ignore.Ignores("a.o"));
  }
  for (const std::string& target :
       {std::string("../secret"), directory_ + "/secret", std::string("/etc/passwd")}) {
    std::filesystem::remove(directory_ + "/c/Dockerfile");
    std::filesystem::create_symlink(target, directory_ + "/c/Dockerfile");
    for (const char* context : {"/c", "/c/", "/c/.", "/c/../c"}) {
      const auto opened = OpenContext(directory_ + context, "");
      ASSERT_FALSE(opened) << context;
      EXPECT_THAT(opened.error().message(), HasSubstr("leads out of the context"));
      EXPECT_FALSE(OpenContext(directory_ + context, directory_ + "/c/Dockerfile")) << context;
    }
  }
  std::filesystem::remove(directory_ + "/c/.dockerignore");
  std::filesystem::create_symlink("../secret", directory_ + "/c/.dockerignore");
  EXPECT_THAT(Open("c/real").error().message(), HasSubstr("leads out of the context"));
}

// What is no part of the context is the caller's own, who said so.
TEST_F(ContextTest, LinksElsewhereAreFollowed) {
  Write("file", "FROM scratch\n");
  std::filesystem::create_symlink("file", directory_ + "/led");
  EXPECT_TRUE(Open("led"));
}

}  // namespace
}  // namespace cay::build
