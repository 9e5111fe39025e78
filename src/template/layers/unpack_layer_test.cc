// What a layer's archive says, as overlayfs shows it above the layers below: in the form that
// overlays of root read, and in that of ordinary users.
#include "template/layers/unpack_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>

#include "template/layers/test_layers.h"

namespace cay::templates {
namespace {

using archive::EntryType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class LayerTest : public ::testing::TestWithParam<OverlayXattrs> {
 protected:
  LayerTest() : stack_(GetParam()) {
    able_ = MayMountOverlays() && (!IsOrdinaryUser() || GetParam() == OverlayXattrs::kUser);
  }
  void SetUp() override {
    if (!able_) GTEST_SKIP() << "this user's overlays are of the other form, or none at all";
  }
  std::string Refusal(LayerTar& tar) {
    const Result<LayerReport> report = stack_.TryAdd(tar.Finish());
    EXPECT_FALSE(report.has_value());
    if (report) return "";
    EXPECT_EQ(report.error().code(), ErrorCode::kInvalidArgument);
    return report.error().message();
  }

  LayerStack stack_;
  bool able_ = false;
};

INSTANTIATE_TEST_SUITE_P(Forms, LayerTest,
                         ::testing::Values(OverlayXattrs::kTrusted, OverlayXattrs::kUser),
                         [](const auto& form) {
                           return form.param == OverlayXattrs::kTrusted ? "OfRoot" : "OfUsers";
                         });

TEST_P(LayerTest, LayersMerge) {
  stack_.Add(LayerTar().Directory("etc", 0700).File("etc/a", "1").File("etc/b", "1"));
  const LayerReport report =
      stack_.Add(LayerTar().Directory("etc", 0750).File("etc/b", "2", 0600).File("etc/c", "2"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("etc", "d 750"), Pair("etc/a", "f 644 1"),
                                         Pair("etc/b", "f 600 2"), Pair("etc/c", "f 644 2")));
  EXPECT_EQ(report.unpacked.entries, 3U);
  EXPECT_EQ(report.unpacked.bytes, 2U);
  EXPECT_EQ(report.whiteouts + report.opaque_directories, 0U);
}

TEST_P(LayerTest, AWhiteoutRemovesWhatIsBelow) {
  stack_.Add(LayerTar().Directory("d").File("d/a").File("d/b").Directory("d/e").File("d/e/x"));
  const LayerReport report = stack_.Add(LayerTar().Whiteout("d/.wh.a").Whiteout("d/.wh.e"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 755"), Pair("d/b", "f 644 x")));
  EXPECT_EQ(report.whiteouts, 2U);
  EXPECT_FALSE(stack_.Has("d/.wh.a"));
}

TEST_P(LayerTest, AWhiteoutOfWhatIsNotBelowLeavesNothing) {
  stack_.Add(LayerTar().Directory("d").File("d/a"));
  const LayerReport report =
      stack_.Add(LayerTar().Whiteout(".wh.none").Whiteout("d/.wh.none").Whiteout("no/dir/.wh.x"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 755"), Pair("d/a", "f 644 x")));
  EXPECT_EQ(report.whiteouts, 0U);
  EXPECT_FALSE(stack_.Has("d"));
  EXPECT_FALSE(stack_.Has("no"));
}

TEST_P(LayerTest, AWhiteoutDoesNotTouchItsOwnLayer) {
  for (const bool before : {true, false}) {
    LayerStack stack(GetParam());
    stack.Add(LayerTar().File("f", "1").Directory("d").File("d/below", "1"));
    LayerTar tar;
    if (before) tar.Whiteout(".wh.f").Whiteout(".wh.d");
    tar.File("f", "2").Directory("d").File("d/own", "2");
    if (!before) tar.Whiteout(".wh.f").Whiteout(".wh.d");
    const LayerReport report = stack.Add(tar);
    EXPECT_THAT(stack.Tree(),
                ElementsAre(Pair("d", "d 755"), Pair("d/own", "f 644 2"), Pair("f", "f 644 2")));
    EXPECT_EQ(report.whiteouts, 0U);
    EXPECT_EQ(report.opaque_directories, 1U);
  }
}

TEST_P(LayerTest, AnOpaqueDirectoryHidesWhatIsBelowAndNothingOfItsOwn) {
  for (const bool before : {true, false}) {
    LayerStack stack(GetParam());
    stack.Add(LayerTar().Directory("d").File("d/a").Directory("d/e").File("d/e/x"));
    LayerTar tar;
    if (before) tar.Whiteout("d/.wh..wh..opq");
    tar.Directory("d/e").File("d/e/own", "2");
    if (!before) tar.Whiteout("d/.wh..wh..opq");
    const LayerReport report = stack.Add(tar);
    EXPECT_THAT(stack.Tree(),
                ElementsAre(Pair("d", "d 755"), Pair("d/e", "d 755"), Pair("d/e/own", "f 644 2")));
    EXPECT_EQ(report.opaque_directories, 1U);
    EXPECT_FALSE(stack.Has("d/.wh..wh..opq"));
  }
}

TEST_P(LayerTest, AnOpaqueDirectoryThatTheArchiveDoesNotHaveKeepsItsMode) {
  stack_.Add(LayerTar().Directory("d", 0711).File("d/a"));
  stack_.Add(LayerTar().Whiteout("d/.wh..wh..opq").Whiteout("none/.wh..wh..opq"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 711")));
}

TEST_P(LayerTest, AnOpaqueRootHidesAllThatIsBelow) {
  stack_.Add(LayerTar().Directory("d").File("d/a").File("f").Directory("e").File("e/below"));
  stack_.Add(LayerTar().Whiteout(".wh.f").File("g"));
  stack_.Add(LayerTar().Directory("e").File("e/own").Whiteout("./.wh..wh..opq").File("h"));
  EXPECT_THAT(stack_.Tree(),
              ElementsAre(Pair("e", "d 755"), Pair("e/own", "f 644 x"), Pair("h", "f 644 x")));
}

TEST_P(LayerTest, WhatIsRemovedMayComeAgainLater) {
  stack_.Add(LayerTar().Directory("d").File("d/a", "1"));
  stack_.Add(LayerTar().Whiteout(".wh.d"));
  EXPECT_THAT(stack_.Tree(), ElementsAre());
  stack_.Add(LayerTar().File("d/b", "3"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 755"), Pair("d/b", "f 644 3")));
  stack_.Add(LayerTar().Whiteout("d/.wh.a").Whiteout("d/.wh.b"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 755")));
}

TEST_P(LayerTest, WhiteoutsInWhatIsRemovedLeaveNothing) {
  stack_.Add(LayerTar().Directory("d").Directory("d/e").File("d/e/f"));
  const LayerReport report =
      stack_.Add(LayerTar().Whiteout("d/e/.wh.f").Whiteout(".wh.d").Whiteout("d/.wh..wh..opq"));
  EXPECT_THAT(stack_.Tree(), ElementsAre());
  EXPECT_EQ(report.whiteouts, 1U);
}

TEST_P(LayerTest, AWhiteoutInADirectoryThatBecameAFileRemovesNothing) {
  stack_.Add(LayerTar().Directory("d").File("d/a").Directory("e").File("e/a"));
  stack_.Add(LayerTar().File("d", "2").Whiteout("d/.wh.a").Whiteout("d/.wh..wh..opq"));
  stack_.Add(LayerTar().Whiteout("e/.wh.a").Whiteout("d/.wh.a").File("e", "3"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "f 644 2"), Pair("e", "f 644 3")));
}

TEST_P(LayerTest, NamesOfAufsAreSkippedAndCounted) {
  stack_.Add(LayerTar().File("a"));
  const LayerReport report = stack_.Add(LayerTar()
                                            .Directory(".wh..wh.plnk")
                                            .File(".wh..wh.plnk/1.2")
                                            .File(".wh..wh.aufs")
                                            .File("d/.wh.x/y"));
  EXPECT_EQ(report.unpacked.skipped_whiteouts, 4U);
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("a", "f 644 x")));
}

TEST_P(LayerTest, AWhiteoutOfNoNameIsRefused) {
  for (const char* name : {".wh.", ".wh..", "d/.wh..."}) {
    EXPECT_THAT(Refusal(LayerTar().Whiteout(name)), HasSubstr("removes a name that is none"));
  }
}

TEST_P(LayerTest, TypesReplaceEachOtherOverWhatIsBelow) {
  stack_.Add(LayerTar()
                 .Directory("dir-file")
                 .File("dir-file/x")
                 .File("file-dir")
                 .Directory("dir-link")
                 .File("dir-link/x")
                 .Symlink("link-dir", "dir-file"));
  const LayerReport report = stack_.Add(LayerTar()
                                            .File("dir-file", "2")
                                            .Directory("file-dir")
                                            .File("file-dir/y", "2")
                                            .Symlink("dir-link", "file-dir")
                                            .Directory("link-dir")
                                            .File("link-dir/y", "2"));
  EXPECT_THAT(stack_.Tree(),
              ElementsAre(Pair("dir-file", "f 644 2"), Pair("dir-link", "l file-dir"),
                          Pair("file-dir", "d 755"), Pair("file-dir/y", "f 644 2"),
                          Pair("link-dir", "d 755"), Pair("link-dir/y", "f 644 2")));
  EXPECT_EQ(report.opaque_directories, 0U);
}

TEST_P(LayerTest, TheLastOfOneNameCounts) {
  stack_.Add(LayerTar().Directory("d").File("d/below").Directory("e").File("e/below"));
  stack_.Add(LayerTar()
                 .File("f", "1")
                 .File("f", "2")
                 .Directory("d", 0700)
                 .File("d/own")
                 .Symlink("d", "f")
                 .File("e")
                 .Directory("e", 0711)
                 .Symlink("g", "f")
                 .Directory("g")
                 .File("g/own"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "l f"), Pair("e", "d 711"), Pair("f", "f 644 2"),
                                         Pair("g", "d 755"), Pair("g/own", "f 644 x")));
}

TEST_P(LayerTest, AReplacedDirectoryThatComesAgainIsANewOne) {
  stack_.Add(LayerTar().Directory("d", 0700).File("d/below"));
  stack_.Add(LayerTar().Directory("d", 0711).File("d/a").File("d", "2").File("d", "3"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "f 644 3")));
  stack_.Add(LayerTar().Directory("e", 0700).File("e/a").File("e").Directory("e").File("e/b"));
  stack_.Add(LayerTar().Directory("d").File("d/c"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "d 755"), Pair("d/c", "f 644 x"),
                                         Pair("e", "d 755"), Pair("e/b", "f 644 x")));
}

TEST_P(LayerTest, AParentThatTheArchiveDoesNotHaveIsAsBelow) {
  LayerTar first;
  LayerTar::TarEntry directory = LayerTar::Entry(EntryType::kDirectory, "home/u", 01750);
  directory.uid = directory.gid = 1000;
  directory.mtime.seconds = 1234567;
  directory.xattrs = {{"user.note", "kept"}};
  stack_.Add(first.Directory("home", 0711).Add(directory));
  stack_.Add(LayerTar().File("home/u/f").File("new/deep/f"));
  const auto tree = stack_.Merged();
  EXPECT_EQ(tree.at("home").what, "d 711");
  EXPECT_EQ(tree.at("home/u").what, "d 1750");
  EXPECT_EQ(tree.at("home/u").info.st_mtim.tv_sec, 1234567);
  EXPECT_EQ(tree.at("new/deep").what, "d 755");
  if (stack_.options.ownership == archive::Ownership::kArchive) {
    EXPECT_EQ(tree.at("home/u").info.st_uid, 1000U);
    EXPECT_EQ(tree.at("new/deep").info.st_uid, 0U);
  }
  char value[16];
  EXPECT_EQ(::getxattr(stack_.At("home/u").c_str(), "user.note", value, sizeof(value)), 4);
}

TEST_P(LayerTest, NamesThroughSymlinksLeadWhereTheyLeadInside) {
  stack_.Add(LayerTar()
                 .Directory("usr/lib")
                 .Symlink("lib", "usr/lib")
                 .Symlink("abs", "/usr/lib")
                 .Symlink("up", "../../../usr")
                 .Symlink("usr/lib/back", "../../lib"));
  stack_.Add(LayerTar()
                 .File("lib/a")
                 .File("abs/b")
                 .File("up/lib/c")
                 .File("usr/lib/back/d")
                 .Symlink("own", "lib")
                 .File("own/e")
                 .File("own/new/f"));
  const auto tree = stack_.Tree();
  for (const char* name : {"a", "b", "c", "d", "e", "new/f"}) {
    EXPECT_TRUE(tree.contains(std::string("usr/lib/") + name)) << name;
  }
  EXPECT_EQ(tree.at("lib"), "l usr/lib");
  EXPECT_EQ(tree.at("own"), "l lib");
  stack_.Add(LayerTar().Whiteout("lib/.wh.a").Whiteout("abs/new/.wh..wh..opq"));
  EXPECT_FALSE(stack_.Tree().contains("usr/lib/a"));
  EXPECT_FALSE(stack_.Tree().contains("usr/lib/new/f"));
}

TEST_P(LayerTest, ASymlinkThatTheLayerRemovesIsNotFollowed) {
  stack_.Add(LayerTar().Directory("usr/lib").Symlink("lib", "usr/lib"));
  stack_.Add(LayerTar().Whiteout(".wh.lib").File("lib/a"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("lib", "d 755"), Pair("lib/a", "f 644 x"),
                                         Pair("usr", "d 755"), Pair("usr/lib", "d 755")));
}

TEST_P(LayerTest, SymlinksThatLeadOutsideLeadToTheRoot) {
  const std::string outside = stack_.dir.At("outside");
  stack_.dir.MakeDirectory("outside");
  stack_.Add(LayerTar().Symlink("out", outside).Symlink("dots", "../../../../../../.."));
  stack_.Add(LayerTar().File("out/evil").File("dots/up"));
  EXPECT_FALSE(stack_.dir.Exists("outside/evil"));
  const auto tree = stack_.Tree();
  EXPECT_TRUE(tree.contains("up"));
  EXPECT_TRUE(tree.contains(outside.substr(1) + "/evil"));
}

TEST_P(LayerTest, LoopsOfSymlinksAndFilesAreNoWay) {
  stack_.Add(LayerTar().Symlink("a", "b").Symlink("b", "a").File("f"));
  EXPECT_THAT(Refusal(LayerTar().File("a/x")), HasSubstr("too many symlinks"));
  EXPECT_THAT(Refusal(LayerTar().File("f/x")), HasSubstr("is no directory"));
  EXPECT_THAT(Refusal(LayerTar().File("own").File("own/x")), HasSubstr("is no directory"));
  EXPECT_THAT(Refusal(LayerTar().Whiteout("a/.wh.x")), HasSubstr("too many symlinks"));
  EXPECT_THAT(Refusal(LayerTar().File("../x")), HasSubstr(".."));
}

TEST_P(LayerTest, NamesMayBeginWithASlash) {
  stack_.Add(LayerTar().Directory("/").File("/etc/a").Link("/b", "/etc/a").Directory("./"));
  EXPECT_THAT(stack_.Tree(),
              ElementsAre(Pair("b", "f 644 x"), Pair("etc", "d 755"), Pair("etc/a", "f 644 x")));
}

TEST_P(LayerTest, AHardlinkToAFileBelowCopiesItUpForBothNames) {
  LayerTar first;
  LayerTar::TarEntry file = LayerTar::Entry(EntryType::kFile, "d/a", 0640);
  file.uid = file.gid = 33;
  file.mtime = {.seconds = 777, .nanoseconds = 5};
  file.xattrs = {{"user.note", "kept"}};
  stack_.Add(first.Add(file, "content"));
  const LayerReport report = stack_.Add(LayerTar().Link("b", "d/a").Link("e/c", "./d/a"));
  EXPECT_EQ(report.copied_up, 1U);
  EXPECT_EQ(report.unpacked.bytes, 7U);
  const auto tree = stack_.Merged();
  for (const char* name : {"b", "d/a", "e/c"}) {
    EXPECT_EQ(tree.at(name).what, "f 640 content") << name;
    EXPECT_EQ(tree.at(name).inode, tree.at("b").inode) << name;
    EXPECT_EQ(tree.at(name).info.st_mtim.tv_sec, 777) << name;
    const bool given = stack_.options.ownership == archive::Ownership::kArchive;
    EXPECT_EQ(tree.at(name).info.st_uid, given ? 33U : ::getuid()) << name;
  }
  char value[16];
  EXPECT_EQ(::getxattr(stack_.At("b").c_str(), "user.note", value, sizeof(value)), 4);
}

TEST_P(LayerTest, AHardlinkOutlivesWhatItWasLinkedTo) {
  stack_.Add(LayerTar().File("a", "1").File("b", "1").Directory("d").File("d/c", "1"));
  stack_.Add(LayerTar()
                 .Link("a2", "a")
                 .Whiteout(".wh.a")
                 .Link("b2", "b")
                 .File("b", "2")
                 .Link("c2", "d/c")
                 .Whiteout(".wh.d"));
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("a2", "f 644 1"), Pair("b", "f 644 2"),
                                         Pair("b2", "f 644 1"), Pair("c2", "f 644 1")));
}

TEST_P(LayerTest, ACopyThatWasReplacedIsMadeAgain) {
  stack_.Add(LayerTar().File("a", "1"));
  const LayerReport report = stack_.Add(LayerTar().Link("b", "a").File("b", "2").Link("c", "a"));
  EXPECT_EQ(report.copied_up, 2U);
  const auto tree = stack_.Merged();
  EXPECT_EQ(tree.at("b").what, "f 644 2");
  EXPECT_EQ(tree.at("a").inode, tree.at("c").inode);
}

TEST_P(LayerTest, HardlinksToSymlinksAreSymlinks) {
  stack_.Add(LayerTar().Symlink("below", "nowhere"));
  stack_.Add(LayerTar().Link("a", "below").Symlink("own", "x").Link("b", "own"));
  const auto tree = stack_.Merged();
  EXPECT_EQ(tree.at("a").what, "l nowhere");
  EXPECT_EQ(tree.at("a").inode, tree.at("below").inode);
  EXPECT_EQ(tree.at("b").what, "l x");
}

TEST_P(LayerTest, AHardlinkThroughASymlinkIsResolvedInside) {
  stack_.Add(LayerTar().File("usr/lib/a", "1").Symlink("lib", "usr/lib"));
  stack_.Add(LayerTar().Link("lib/b", "lib/a"));
  EXPECT_EQ(stack_.Merged().at("usr/lib/b").inode, stack_.Merged().at("usr/lib/a").inode);
}

TEST_P(LayerTest, HardlinksToWhatIsNotThereAreRefused) {
  stack_.Add(LayerTar().Directory("d").File("d/gone").File("e"));
  EXPECT_THAT(Refusal(LayerTar().Link("a", "later").File("later")), HasSubstr("is not there"));
  EXPECT_THAT(Refusal(LayerTar().Whiteout("d/.wh.gone").Link("a", "d/gone")),
              HasSubstr("is not there"));
  EXPECT_THAT(Refusal(LayerTar().Link("a", "d")), HasSubstr("is not a file or a symlink"));
  EXPECT_THAT(Refusal(LayerTar().Link("a", "/")), HasSubstr("hardlink to a directory"));
  EXPECT_THAT(Refusal(LayerTar().File("z/f").Link("z", "z/f")), HasSubstr("what it replaces"));
}

TEST_P(LayerTest, AHardlinkToItselfLosesNothing) {
  stack_.Add(LayerTar().File("a", "1"));
  stack_.Add(LayerTar().Link("a", "a").File("b", "2").Link("b", "b").Link("c", "b").Link("b", "c"));
  EXPECT_THAT(stack_.Tree(),
              ElementsAre(Pair("a", "f 644 1"), Pair("b", "f 644 2"), Pair("c", "f 644 2")));
}

TEST_P(LayerTest, ADeviceIsNotMadeAndWhatItReplacesIsGone) {
  stack_.Add(LayerTar().File("a").File("b").Directory("c").File("c/x").File("d"));
  LayerTar::TarEntry null = LayerTar::Entry(EntryType::kCharDevice, "a", 0666);
  null.device_major = 1;
  null.device_minor = 3;
  const LayerReport report = stack_.Add(LayerTar()
                                            .Add(null)
                                            .Add(LayerTar::Entry(EntryType::kFifo, "c", 0666))
                                            .Add(LayerTar::Entry(EntryType::kCharDevice, "b", 0))
                                            .Add(LayerTar::Entry(EntryType::kFifo, "new", 0666)));
  EXPECT_EQ(report.unpacked.skipped_special, 3U);
  EXPECT_EQ(report.unpacked.skipped_whiteouts, 1U);
  EXPECT_EQ(report.whiteouts, 3U);
  EXPECT_THAT(stack_.Tree(), ElementsAre(Pair("d", "f 644 x")));
  EXPECT_FALSE(stack_.Has("new"));
}

TEST_P(LayerTest, MarksOfOverlaysAreNeverTakenFromAnArchive) {
  stack_.Add(LayerTar().Directory("d").File("d/below"));
  LayerTar::TarEntry directory = LayerTar::Entry(EntryType::kDirectory, "d", 0755);
  directory.xattrs = {{"trusted.overlay.opaque", "y"},
                      {"user.overlay.opaque", "y"},
                      {"user.overlay.redirect", "/etc"},
                      {"security.capability", "\x01"},
                      {"user.note", "kept"}};
  const LayerReport report = stack_.Add(LayerTar().Add(directory));
  EXPECT_EQ(report.unpacked.dropped_xattrs, 4U);
  EXPECT_EQ(report.dropped_capabilities, 1U);
  EXPECT_TRUE(stack_.Tree().contains("d/below"));
}

TEST_P(LayerTest, ModesAndOwnersThatGiveRightsAreTakenAndCounted) {
  LayerTar tar;
  LayerTar::TarEntry file = LayerTar::Entry(EntryType::kFile, "su", 06755);
  file.uid = 70'000;
  const LayerReport report = stack_.Add(tar.Add(file).Directory("tmp", 01777));
  EXPECT_EQ(report.unpacked.stripped_modes, 1U);
  const auto tree = stack_.Merged();
  EXPECT_EQ(tree.at("su").what, "f 755 ");
  EXPECT_EQ(tree.at("tmp").what, "d 1777");
  if (stack_.options.ownership != archive::Ownership::kArchive) return;
  EXPECT_EQ(report.unpacked.replaced_owners, 1U);
  EXPECT_EQ(tree.at("su").info.st_uid, 65'534U);
}

TEST_P(LayerTest, DirectoriesKeepTheirTimesAndModes) {
  LayerTar::TarEntry directory = LayerTar::Entry(EntryType::kDirectory, "d", 0555);
  directory.mtime = {.seconds = 4242, .nanoseconds = 0};
  stack_.Add(LayerTar().File("d/a").File("d/b").Add(directory).File("d/c"));
  EXPECT_EQ(stack_.Merged().at("d").info.st_mtim.tv_sec, 4242);
  EXPECT_EQ(stack_.Merged().at("d").what, "d 555");
  stack_.Add(LayerTar().Whiteout("d/.wh.a"));
  EXPECT_EQ(stack_.Merged().at("d").info.st_mtim.tv_sec, 4242);
  EXPECT_EQ(stack_.Merged().at("d").what, "d 555");
  EXPECT_FALSE(stack_.Tree().contains("d/a"));
}

TEST_P(LayerTest, AnEntryForAParentThatCameUnsaidReplacesWhatItTook) {
  LayerTar::TarEntry below = LayerTar::Entry(EntryType::kDirectory, "d", 0700);
  below.xattrs = {{"user.note", "below"}};
  stack_.Add(LayerTar().Add(below));
  stack_.Add(LayerTar().File("d/f").Directory("d", 0750));
  EXPECT_EQ(stack_.Tree().at("d"), "d 750");
  char value[16];
  EXPECT_LT(::getxattr(stack_.At("d").c_str(), "user.note", value, sizeof(value)), 0);
}

}  // namespace
}  // namespace cay::templates
