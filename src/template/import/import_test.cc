// What comes into a template, and what does not: from archives and directories of every kind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "archive/compression.h"
#include "archive/tar_writer.h"
#include "template/layers/test_layer_tar.h"
#include "template/store/template_store.h"
#include "template/store/test_sandboxes.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

using archive::EntryType;
using archive::TarEntry;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TarEntry Entry(EntryType type, std::string path, mode_t mode) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::move(path);
  entry.mode = mode;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  return entry;
}

// An archive of a small root filesystem, to which a test adds what is bad.
struct Tar : LayerTar {
  Tar() { Directory("usr", 0755).Directory("etc", 0755).File("usr/tool", "tool", 0755); }
};

class ImportTest : public ::testing::Test {
 protected:
  TemplateStore Open() {
    Result<TemplateStore> store =
        TemplateStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return *std::move(store);
  }

  Result<TemplateInfo> Import(const std::string& bytes, const ImportOptions& options = {}) {
    dir_.Write("archive.tar", bytes);
    return Open().Import("t", dir_.At("archive.tar"), options);
  }

  // The root of the layer of template `t`.
  std::string Root() {
    Result<Template> found = Open().Find("t");
    EXPECT_TRUE(found.has_value()) << found.error().ToString();
    return found ? engine::HostLayersOf(found->root).overlays.at(0).layers.at(0) : "/nonexistent";
  }

  std::vector<std::string> Inside(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.At(directory))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  // Nothing of a failed import is left.
  void ExpectNothingLeft() {
    EXPECT_THAT(Inside("state/templates/.partial"), SizeIs(0));
    EXPECT_THAT(Inside("state/templates/.layers"), SizeIs(0));
    EXPECT_FALSE(dir_.Exists("state/templates/t.json"));
  }

  void ExpectRefused(LayerTar& tar) {
    const Result<TemplateInfo> info = Import(tar.Finish());
    ASSERT_FALSE(info.has_value());
    EXPECT_EQ(info.error().code(), ErrorCode::kInvalidArgument) << info.error().ToString();
    ExpectNothingLeft();
  }

  static struct stat StatAt(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
  }

  TestDirectory dir_;
};

TEST_F(ImportTest, AnArchiveBecomesATemplate) {
  const Result<TemplateInfo> info = Import(Tar().Finish());
  ASSERT_TRUE(info.has_value()) << info.error().ToString();
  EXPECT_EQ(info->name, "t");
  EXPECT_EQ(info->size, 4U);
  EXPECT_EQ(ReadFile(Root() + "/usr/tool").value_or(""), "tool");
  const Result<std::vector<TemplateInfo>> infos = Open().List();
  ASSERT_TRUE(infos.has_value());
  EXPECT_EQ(infos->back().source, dir_.At("archive.tar"));
}

TEST_F(ImportTest, CompressedArchivesAreImported) {
  for (const archive::Compression kind :
       {archive::Compression::kGzip, archive::Compression::kZstd}) {
    archive::StringSink sink;
    auto packed = archive::Compress(sink, kind);
    ASSERT_TRUE(packed.has_value());
    ASSERT_TRUE((*packed)->Write(Tar().Finish()));
    ASSERT_TRUE((*packed)->Finish());
    const Result<TemplateInfo> info = Import(sink.text(), {.replace = true, .on_progress = {}});
    ASSERT_TRUE(info.has_value()) << info.error().ToString();
    EXPECT_EQ(ReadFile(Root() + "/usr/tool").value_or(""), "tool");
  }
}

TEST_F(ImportTest, WhatEverySandboxNeedsIsAdded) {
  ASSERT_TRUE(Import(Tar().Finish()));
  const std::string root = Root();
  for (const char* path : {"/proc", "/sys", "/dev", "/run", "/tmp", "/workspace/outputs"}) {
    EXPECT_TRUE(S_ISDIR(StatAt(root + path).st_mode)) << path;
  }
  EXPECT_EQ(StatAt(root + "/tmp").st_mode & 07777, 01777U);
  EXPECT_THAT(ReadFile(root + "/etc/passwd").value_or(""), HasSubstr("user:x:1000:1000:"));
}

TEST_F(ImportTest, AnExistingUserOfUid1000IsKept) {
  Tar tar;
  tar.File("etc/passwd", "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/ash\n",
           0644);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->user, "node");
  const Result<Template> found = Open().Find("t");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->user, "node");
  EXPECT_THAT(found->env, Contains("HOME=/home/node"));
}

TEST_F(ImportTest, AUserNameThatIsNoneIsNotTakenOver) {
  Tar tar;
  tar.File("etc/passwd", "a\x1b[2J:x:1000:1000::/x:/bin/sh\n../x:x:1000:1000::/x:/bin/sh\n", 0644);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->user, "user");
}

TEST_F(ImportTest, ATakenUserNameIsAvoided) {
  Tar tar;
  tar.File("etc/passwd", "user:x:1001:1001::/home/user:/bin/sh\n", 0644);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->user, "user1");
}

TEST_F(ImportTest, NamesThatLeaveAreRefused) {
  for (const char* path : {"../escape", "/escape", "usr/../../escape"}) {
    Tar tar;
    tar.File(path, "x", 0644);
    ExpectRefused(tar);
    EXPECT_FALSE(dir_.Exists("escape"));
  }
}

TEST_F(ImportTest, WritingThroughASymlinkIsRefused) {
  dir_.MakeDirectory("outside");
  Tar tar;
  tar.Symlink("usr/out", dir_.At("outside")).File("usr/out/x", "x", 0644);
  ExpectRefused(tar);
  EXPECT_FALSE(dir_.Exists("outside/x"));
}

TEST_F(ImportTest, AHardLinkToTheOutsideIsRefused) {
  dir_.Write("secret", "secret", 0600);
  Tar tar;
  tar.Link("usr/out", "../../../../../secret");
  ExpectRefused(tar);
}

TEST_F(ImportTest, ASymlinkToTheOutsideIsKeptAsText) {
  Tar tar;
  tar.Symlink("etc/shadow", "/etc/shadow");
  ASSERT_TRUE(Import(tar.Finish()));
  EXPECT_TRUE(S_ISLNK(StatAt(Root() + "/etc/shadow").st_mode));
}

TEST_F(ImportTest, MountPointsThatAreSymlinksAreReplaced) {
  dir_.MakeDirectory("outside");
  for (const char* name : {"proc", "sys", "dev", "run", "tmp", "workspace"}) {
    Tar tar;
    tar.Symlink(name, dir_.At("outside"));
    const Result<TemplateInfo> info = Import(tar.Finish(), {.replace = true, .on_progress = {}});
    ASSERT_TRUE(info.has_value()) << name << ": " << info.error().ToString();
    EXPECT_TRUE(S_ISDIR(StatAt(Root() + "/" + name).st_mode)) << name;
    EXPECT_THAT(Inside("outside"), SizeIs(0)) << name;
  }
}

TEST_F(ImportTest, AnEtcThatIsASymlinkIsRefused) {
  dir_.MakeDirectory("outside");
  Tar tar;
  // An archive whose later entry replaces the empty /etc.
  tar.Symlink("etc", dir_.At("outside"));
  const Result<TemplateInfo> info = Import(tar.Finish());
  EXPECT_FALSE(info.has_value());
  ExpectNothingLeft();
  EXPECT_THAT(Inside("outside"), SizeIs(0));
}

TEST_F(ImportTest, APasswdThatIsASymlinkIsReplacedNotWrittenThrough) {
  dir_.Write("outside", "kept");
  Tar tar;
  tar.Symlink("etc/passwd", dir_.At("outside")).Symlink("etc/group", dir_.At("outside"));
  ASSERT_TRUE(Import(tar.Finish()));
  EXPECT_EQ(dir_.Read("outside"), "kept");
  EXPECT_TRUE(S_ISREG(StatAt(Root() + "/etc/passwd").st_mode));
}

TEST_F(ImportTest, SetIdBitsAreTakenAwayAndCounted) {
  Tar tar;
  tar.File("usr/su", "su", 06755);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(StatAt(Root() + "/usr/su").st_mode & 07777, 0755U);
  EXPECT_EQ(info->notes.stripped_modes, 1U);
  EXPECT_THAT(DescribeNotes(info->notes), HasSubstr("setuid"));
}

TEST_F(ImportTest, DeviceNodesAndWhiteoutsAreSkippedAndCounted) {
  Tar tar;
  TarEntry whiteout = Entry(EntryType::kCharDevice, "usr/deleted", 0644);
  TarEntry disk = Entry(EntryType::kBlockDevice, "usr/sda", 0666);
  disk.device_major = 8;
  tar.Add(whiteout).Add(disk).Add(Entry(EntryType::kFifo, "usr/fifo", 0666));
  tar.File("usr/.wh.gone", "", 0644);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value()) << info.error().ToString();
  EXPECT_EQ(info->notes.skipped_special + info->notes.skipped_whiteouts, 4U);
  for (const char* name : {"/usr/deleted", "/usr/sda", "/usr/fifo", "/usr/.wh.gone"}) {
    EXPECT_NE(::access((Root() + name).c_str(), F_OK), 0) << name;
  }
}

TEST_F(ImportTest, AttributesThatMeanSomethingToTheKernelAreDropped) {
  Tar tar;
  TarEntry entry = Entry(EntryType::kFile, "usr/cap", 0755);
  entry.xattrs = {{"security.capability", "\x01"},
                  {"trusted.overlay.opaque", "y"},
                  {"user.overlay.opaque", "y"}};
  tar.Add(entry);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value()) << info.error().ToString();
  EXPECT_EQ(::listxattr((Root() + "/usr/cap").c_str(), nullptr, 0), 0);
}

TEST_F(ImportTest, OwnersAreKeptAndThoseWithoutAMapBecomeNobody) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  Tar tar;
  TarEntry kept = Entry(EntryType::kFile, "usr/a", 0644);
  kept.uid = 12;
  kept.gid = 34;
  TarEntry large = Entry(EntryType::kFile, "usr/b", 0644);
  large.uid = 4'000'000'000;
  tar.Add(kept).Add(large);
  const Result<TemplateInfo> info = Import(tar.Finish());
  ASSERT_TRUE(info.has_value()) << info.error().ToString();
  EXPECT_EQ(StatAt(Root() + "/usr/a").st_uid, 12U);
  EXPECT_EQ(StatAt(Root() + "/usr/a").st_gid, 34U);
  EXPECT_EQ(StatAt(Root() + "/usr/b").st_uid, 65534U);
  EXPECT_EQ(info->notes.replaced_owners, 1U);
}

TEST_F(ImportTest, BoundsOnBytesAndEntriesHold) {
  Tar tar;
  tar.File("usr/a", std::string(100'000, 'x'), 0644);
  const std::string bytes = tar.Finish();
  Result<TemplateInfo> info = Import(bytes, {.max_bytes = 50'000, .on_progress = {}});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), ErrorCode::kLimitTooHigh);
  ExpectNothingLeft();
  info = Import(bytes, {.max_entries = 2, .on_progress = {}});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), ErrorCode::kLimitTooHigh);
  ExpectNothingLeft();
}

TEST_F(ImportTest, ATruncatedArchiveLeavesNothing) {
  Tar tar;
  tar.File("usr/a", std::string(100'000, 'x'), 0644);
  const std::string bytes = tar.Finish();
  EXPECT_FALSE(Import(bytes.substr(0, bytes.size() / 2)));
  ExpectNothingLeft();
}

TEST_F(ImportTest, GarbageIsRefused) {
  EXPECT_FALSE(Import(std::string(10'000, 'g')));
  EXPECT_FALSE(Import(""));
  ExpectNothingLeft();
}

TEST_F(ImportTest, WhatIsNoRootFilesystemIsRefusedWithARemedy) {
  archive::StringSink sink;
  archive::TarWriter writer(sink);
  ASSERT_TRUE(writer.Begin(Entry(EntryType::kDirectory, "rootfs", 0755)));
  ASSERT_TRUE(writer.End());
  ASSERT_TRUE(writer.Finish());
  const Result<TemplateInfo> info = Import(sink.text());
  ASSERT_FALSE(info.has_value());
  EXPECT_THAT(info.error().message(), HasSubstr("not a root filesystem"));
  EXPECT_THAT(info.error().remedy().text(), HasSubstr("at its top"));
  ExpectNothingLeft();
}

TEST_F(ImportTest, ADirectoryIsCopiedWithoutFollowingItsSymlinks) {
  dir_.MakeDirectory("rootfs/usr/bin");
  dir_.MakeDirectory("outside");
  dir_.Write("outside/secret", "secret");
  dir_.Write("rootfs/usr/bin/tool", "tool", 04755);
  dir_.Symlink("rootfs/usr/out", dir_.At("outside"));
  ASSERT_EQ(::link(dir_.At("rootfs/usr/bin/tool").c_str(), dir_.At("rootfs/usr/bin/same").c_str()),
            0);
  ASSERT_EQ(::mkfifo(dir_.At("rootfs/usr/fifo").c_str(), 0644), 0);
  const Result<TemplateInfo> info = Open().Import("t", dir_.At("rootfs"), {});
  ASSERT_TRUE(info.has_value()) << info.error().ToString();
  const std::string root = Root();
  EXPECT_EQ(StatAt(root + "/usr/bin/tool").st_mode & 07777, 0755U);
  EXPECT_EQ(StatAt(root + "/usr/bin/tool").st_ino, StatAt(root + "/usr/bin/same").st_ino);
  EXPECT_TRUE(S_ISLNK(StatAt(root + "/usr/out").st_mode));
  EXPECT_EQ(info->notes.skipped_special, 1U);
}

TEST_F(ImportTest, ADirectoryThatHoldsTheTemplatesIsRefused) {
  dir_.MakeDirectory("usr");
  const Result<TemplateInfo> info = Open().Import("t", dir_.path(), {});
  ASSERT_FALSE(info.has_value());
  EXPECT_THAT(info.error().message(), HasSubstr("Cay's own templates"));
  ExpectNothingLeft();
}

TEST_F(ImportTest, AFailureInTheMiddleOfADirectoryLeavesNothing) {
  dir_.MakeDirectory("rootfs/usr");
  dir_.Write("rootfs/usr/big", std::string(3 << 20, 'x'));
  const Result<TemplateInfo> info =
      Open().Import("t", dir_.At("rootfs"), {.max_bytes = 1 << 20, .on_progress = {}});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), ErrorCode::kLimitTooHigh) << info.error().ToString();
  ExpectNothingLeft();
}

TEST_F(ImportTest, AMissingSourceAndAnOddOneAreTheCallersFault) {
  Result<TemplateInfo> info = Open().Import("t", dir_.At("none"), {});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(info.error().fault(), Fault::kCaller);
  info = Open().Import("t", "/dev/null", {});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ImportTest, ANameThatIsTakenIsRefusedUnlessItIsToBeReplaced) {
  ASSERT_TRUE(Import(Tar().Finish()));
  const std::string first = Root();
  const Result<TemplateInfo> again = Import(Tar().Finish());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
  ASSERT_TRUE(Import(Tar().Finish(), {.replace = true, .on_progress = {}}));
  EXPECT_NE(Root(), first);
  EXPECT_NE(::access(first.c_str(), F_OK), 0);
}

TEST_F(ImportTest, HostCannotBeImportedOver) {
  dir_.Write("archive.tar", Tar().Finish());
  EXPECT_FALSE(Open().Import("host", dir_.At("archive.tar"), {.replace = true, .on_progress = {}}));
}

TEST_F(ImportTest, ARemovedTemplateIsGone) {
  ASSERT_TRUE(Import(Tar().Finish()));
  const std::string root = Root();
  ASSERT_TRUE(Open().Remove("t"));
  EXPECT_NE(::access(root.c_str(), F_OK), 0);
  EXPECT_FALSE(Open().Find("t"));
  const Result<void> again = Open().Remove("t");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::kNotFound);
}

TEST_F(ImportTest, ALayerStaysWhileSomebodyHoldsTheTemplate) {
  ASSERT_TRUE(Import(Tar().Finish()));
  std::string root;
  {
    const Result<Template> held = Open().Find("t");
    ASSERT_TRUE(held.has_value());
    root = engine::HostLayersOf(held->root).overlays.at(0).layers.at(0);
    ASSERT_TRUE(Open().Remove("t"));
    EXPECT_EQ(::access(root.c_str(), F_OK), 0);
  }
  EXPECT_EQ(Open().CollectGarbage(/*dry_run=*/true).value_or(0), 1U);
  EXPECT_EQ(::access(root.c_str(), F_OK), 0);
  EXPECT_EQ(Open().CollectGarbage().value_or(0), 1U);
  EXPECT_NE(::access(root.c_str(), F_OK), 0);
}

TEST_F(ImportTest, WhatAKilledImportLeftIsRemovedByTheNextOpen) {
  ASSERT_TRUE(Import(Tar().Finish()));
  dir_.MakeDirectory("state/templates/.partial/aaaaaaaaaaaaaaaaaaaa/root/usr");
  Open();
  EXPECT_THAT(Inside("state/templates/.partial"), SizeIs(0));
}

TEST_F(ImportTest, WhatAnotherProcessIsMakingIsLeftAlone) {
  Open();
  dir_.MakeDirectory("state/templates/.partial/aaaaaaaaaaaaaaaaaaaa/root");
  const int raw = ::open(dir_.At("state/templates/.partial/aaaaaaaaaaaaaaaaaaaa").c_str(),
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(raw, 0);
  const Fd lock = Fd::Adopt(raw);
  ASSERT_EQ(::flock(raw, LOCK_EX), 0);
  Open();
  EXPECT_THAT(Inside("state/templates/.partial"), SizeIs(1));
}

TEST_F(ImportTest, ProgressIsReported) {
  uint64_t calls = 0;
  ImportOptions options;
  options.on_progress = [&](const ImportProgress&) { ++calls; };
  ASSERT_TRUE(Import(Tar().Finish(), options));
  EXPECT_GE(calls, 1U);
}

}  // namespace
}  // namespace cay::templates
