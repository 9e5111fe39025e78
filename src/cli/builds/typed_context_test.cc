#include "cli/builds/typed_context.h"

#include <gtest/gtest.h>

#include "template/layers/test_layer_tar.h"

namespace cay::cli {
namespace {

TEST(TypedContext, AnArchiveIsToldFromADockerfileByItsBeginning) {
  EXPECT_TRUE(
      LooksLikeArchive(templates::LayerTar().File("Dockerfile", "FROM scratch\n").Finish()));
  EXPECT_TRUE(LooksLikeArchive(templates::LayerTar().Finish()));
  EXPECT_TRUE(LooksLikeArchive("\x1f\x8b\x08"));
  EXPECT_TRUE(LooksLikeArchive("BZh9"));
  EXPECT_FALSE(LooksLikeArchive(""));
  EXPECT_FALSE(LooksLikeArchive("FROM scratch\n"));
  EXPECT_FALSE(LooksLikeArchive("FROM scratch\n" + std::string(2000, '#')));
}

TEST(TypedContext, WhatIsNeitherIsRefused) {
  const auto none = OpenTypedContext("/proc/self/no-such-directory", "");
  ASSERT_FALSE(none);
  const auto text = OpenTypedContext("/proc/self/status", "");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message().find("neither a directory nor a tar"), std::string::npos);
  EXPECT_FALSE(OpenTypedContext("-", "-"));
}

}  // namespace
}  // namespace cay::cli
