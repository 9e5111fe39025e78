#include "build/packing/pack_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/unpack.h"
#include "base/os/sys.h"
#include "template/test_directory.h"

namespace cay::build {
namespace {

using ::testing::HasSubstr;

class PackContextTest : public ::testing::Test {
 protected:
  PackContextTest() {
    from_.Write("Dockerfile", "FROM scratch\nCOPY . /\n");
    from_.Write("kept", "content", 0640);
    from_.MakeDirectory("some/below");
    from_.Write("some/below/file", "deep");
    from_.Symlink("link", "kept");
  }
  Result<std::string> Pack(const std::string& dockerfile = {}) {
    const OpenedContext context = TRY(OpenContext(from_.path(), dockerfile));
    archive::StringSink sink;
    TRY(PackContext(context, sink));
    return sink.text();
  }
  // As a server has it.
  OpenedContext Open(const std::string& tar) {
    archive::StringSource source(tar);
    auto directory = std::make_shared<Fd>(
        *sys::OpenAt(AT_FDCWD, to_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto unpacked = archive::Unpack(source, *directory, {});
    EXPECT_TRUE(unpacked) << unpacked.error().ToString();
    return *OpenUnpackedContext(std::move(directory), std::string(kPackedDockerfile));
  }

  templates::TestDirectory from_;
  templates::TestDirectory to_;
};

TEST_F(PackContextTest, AContextComesOutAsItWentIn) {
  const auto packed = Pack();
  ASSERT_TRUE(packed) << packed.error().ToString();
  const OpenedContext opened = Open(*packed);
  EXPECT_EQ(opened.dockerfile, "FROM scratch\nCOPY . /\n");
  EXPECT_EQ(to_.Read("kept"), "content");
  EXPECT_EQ(to_.Stat("kept").st_mode & 07777, 0640U);
  EXPECT_EQ(to_.Read("some/below/file"), "deep");
  EXPECT_EQ(to_.Read("Dockerfile"), "FROM scratch\nCOPY . /\n") << "which COPY sees";
  EXPECT_TRUE(S_ISLNK(to_.Stat("link").st_mode));
  EXPECT_TRUE(opened.ignore.Ignores(std::string(kPackedDockerfile))) << "which it does not see";
  EXPECT_FALSE(opened.ignore.Ignores("Dockerfile"));
}

TEST_F(PackContextTest, WhatIsIgnoredIsNotSent) {
  from_.Write(".dockerignore", "Dockerfile\n.dockerignore\nsome\n!some/below/file\nkept\n");
  from_.Write("some/other", "x");
  const auto packed = Pack();
  ASSERT_TRUE(packed) << packed.error().ToString();
  const OpenedContext opened = Open(*packed);
  EXPECT_EQ(opened.dockerfile, "FROM scratch\nCOPY . /\n") << "it is needed all the same";
  for (const char* gone : {"Dockerfile", ".dockerignore", "kept", "some/other"})
    EXPECT_FALSE(to_.Exists(gone)) << gone;
  EXPECT_EQ(to_.Read("some/below/file"), "deep") << "what is taken back is there";
}

TEST_F(PackContextTest, ADockerfileMayLieAnywhere) {
  templates::TestDirectory elsewhere;
  elsewhere.Write("my.Dockerfile", "FROM scratch\nCOPY kept /\n");
  elsewhere.Write("my.Dockerfile.dockerignore", "some\n");
  const auto packed = Pack(elsewhere.At("my.Dockerfile"));
  ASSERT_TRUE(packed) << packed.error().ToString();
  EXPECT_EQ(Open(*packed).dockerfile, "FROM scratch\nCOPY kept /\n");
  EXPECT_FALSE(to_.Exists("some"));
  EXPECT_TRUE(to_.Exists("Dockerfile"));
}

TEST_F(PackContextTest, AFileOfThatNameIsNotReplaced) {
  from_.Write(std::string(kPackedDockerfile), "mine");
  const auto packed = Pack();
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(packed.error().message(), HasSubstr(std::string(kPackedDockerfile)));
}

}  // namespace
}  // namespace cay::build
