// Layers' directories as archives: what overlayfs shows of them is what it shows of what they are
// unpacked to again.
#include "template/export/layer_tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/tar_reader.h"
#include "template/layers/test_layers.h"

namespace cay::templates {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<std::string> TarOf(const LayerStack& stack, size_t layer) {
  archive::StringSink sink;
  LayerTarOptions options;
  options.xattrs = stack.options.xattrs;
  options.owned_by_root = IsOrdinaryUser();
  TRY(WriteLayerTar(LayerStack::Open(stack.dir.At(std::to_string(layer))), sink, options));
  return sink.text();
}

std::vector<std::string> NamesIn(const std::string& tar) {
  archive::StringSource source(tar);
  archive::TarReader reader(source);
  std::vector<std::string> names;
  while (const auto entry = *reader.Next()) names.push_back(entry->path);
  return names;
}

class LayerTarTest : public ::testing::Test {
 protected:
  void ExpectRefused(const char* why) {
    const auto tar = TarOf(stack_, 0);
    ASSERT_FALSE(tar.has_value());
    EXPECT_EQ(tar.error().code(), ErrorCode::kNotSupported);
    EXPECT_THAT(tar.error().message(), HasSubstr(why));
  }
  LayerStack stack_{UsualForm()};
};

// As with parameters its tests run last: what mounts overlays may enter a user namespace.
class LayerTarTreeTest : public LayerTarTest, public ::testing::WithParamInterface<OverlayXattrs> {
 protected:
  void SetUp() override {
    if (!MayMountOverlays() || GetParam() != UsualForm())
      GTEST_SKIP() << "this user's overlays are of the other form, or none at all";
  }
};
INSTANTIATE_TEST_SUITE_P(Forms, LayerTarTreeTest,
                         ::testing::Values(OverlayXattrs::kTrusted, OverlayXattrs::kUser),
                         [](const auto& form) {
                           return form.param == OverlayXattrs::kTrusted ? "OfRoot" : "OfUsers";
                         });

TEST_P(LayerTarTreeTest, TheWayBackLeadsToTheSameTree) {
  LayerTar one;
  one.Directory("d", 0750).File("d/a", "a").File("d/b", "b", 0640).Directory("e").File("e/below");
  one.Link("d/linked", "d/a").Symlink("up", "d/../e").Directory("tmp", 01777);
  stack_.Add(one);
  LayerTar two;
  two.Whiteout("d/.wh.a").File("d/c", "c").Whiteout("e/.wh..wh..opq").File("e/above", "x");
  two.Link("d/again", "d/b").File("up/through", "t");
  stack_.Add(two);
  LayerTar three;
  three.Whiteout(".wh.up").Whiteout("d/.wh.c").Directory("d/c").File("d/c/inside");
  stack_.Add(three);

  LayerStack back(UsualForm());
  for (size_t i = 0; i < stack_.count(); ++i) {
    const auto tar = TarOf(stack_, i);
    ASSERT_TRUE(tar.has_value()) << tar.error().ToString();
    EXPECT_TRUE(*tar == TarOf(stack_, i).value_or("")) << "layer " << i;
    const auto report = back.TryAdd(*tar);
    ASSERT_TRUE(report.has_value()) << report.error().ToString();
    EXPECT_TRUE(*tar == TarOf(back, i).value_or("")) << "layer " << i;
  }
  EXPECT_EQ(back.Tree(), stack_.Tree());
  const auto shown = back.Merged();
  EXPECT_EQ(shown.at("d/again").inode, shown.at("d/b").inode);
}

TEST_F(LayerTarTest, MembersAreSortedAndMarksSayWhatIsRemoved) {
  LayerTar one;
  one.Directory("d").File("d/gone").File("z").File("b").File("top").Directory("e").File("e/x");
  stack_.Add(one);
  LayerTar two;
  two.File("z", "2").Whiteout("d/.wh.gone").Whiteout(".wh.top").File("a", "2");
  two.Whiteout("e/.wh..wh..opq").File("e/.a", "2");
  stack_.Add(two);
  const auto tar = TarOf(stack_, 1);
  ASSERT_TRUE(tar.has_value()) << tar.error().ToString();
  std::vector<std::string> names = NamesIn(*tar);
  if (IsOrdinaryUser()) names.insert(names.begin(), "./");
  EXPECT_THAT(names, ElementsAre("./", "a", ".wh.top", "z", "d/", "d/.wh.gone", "e/",
                                 "e/.wh..wh..opq", "e/.a"));
}

TEST_F(LayerTarTest, OnlyAttributesOfUsersAreWritten) {
  LayerTar one;
  one.File("f");
  stack_.Add(one);
  const std::string path = stack_.At("f");
  ASSERT_EQ(::setxattr(path.c_str(), "user.z", "1", 1, 0), 0);
  ASSERT_EQ(::setxattr(path.c_str(), "user.a", "2", 1, 0), 0);
  ASSERT_EQ(::setxattr(path.c_str(), "user.overlay.origin", "3", 1, 0), 0);
  const auto tar = TarOf(stack_, 0);
  ASSERT_TRUE(tar.has_value());
  archive::StringSource source(*tar);
  archive::TarReader reader(source);
  if (!IsOrdinaryUser()) {
    ASSERT_TRUE(reader.Next());  // the root
  }
  const auto entry = *reader.Next();
  ASSERT_TRUE(entry.has_value());
  EXPECT_THAT(entry->xattrs, ElementsAre(std::pair<std::string, std::string>("user.a", "2"),
                                         std::pair<std::string, std::string>("user.z", "1")));
}

TEST_F(LayerTarTest, ASparseFileIsWrittenWhole) {
  LayerTar one;
  one.File("f");
  stack_.Add(one);
  ASSERT_EQ(::truncate(stack_.At("f").c_str(), 1 << 20), 0);
  const auto tar = TarOf(stack_, 0);
  ASSERT_TRUE(tar.has_value());
  EXPECT_GT(tar->size(), size_t{1} << 20);
  archive::StringSink sink;
  const auto bounded =
      WriteLayerTar(LayerStack::Open(stack_.dir.At("0")), sink, {.max_bytes = 1 << 19});
  ASSERT_FALSE(bounded.has_value());
  EXPECT_EQ(bounded.error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(LayerTarTest, WhatAnArchiveCannotSayIsRefused) {
  LayerTar one;
  one.Directory("moved").File("f");
  stack_.Add(one);
  const std::string moved = stack_.At("moved");
  const char* const redirect = RedirectName(UsualForm());
  ASSERT_EQ(::setxattr(moved.c_str(), redirect, "/elsewhere", 10, 0), 0);
  ExpectRefused("renamed by a sandbox");
  ASSERT_EQ(::removexattr(moved.c_str(), redirect), 0);

  ASSERT_EQ(::mkfifo((moved + "/fifo").c_str(), 0644), 0);
  ExpectRefused("FIFO");
  ASSERT_EQ(::unlink((moved + "/fifo").c_str()), 0);

  ASSERT_EQ(::mkdir((moved + "/.wh.name").c_str(), 0755), 0);
  ExpectRefused("is removed");
}

}  // namespace
}  // namespace cay::templates
