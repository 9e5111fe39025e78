// What a sandbox wrote, as the kernel's overlayfs leaves it, and as a layer.
#include "template/layers/written_layer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "template/layers/test_layers.h"

namespace cay::templates {
namespace {

// An overlay that is written to, above the layers of a stack.
class WrittenLayerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!MayMountOverlays()) GTEST_SKIP() << "overlays cannot be mounted here";
    LayerTar base;
    base.Directory("etc").File("etc/passwd", "root").File("etc/group", "root");
    base.Directory("usr").Directory("usr/lib").File("usr/lib/old", "old").File("usr/lib/kept", "k");
    base.Directory("var").Directory("var/cache").File("var/cache/a", "a").File("var/cache/b", "b");
    stack_.Add(base);
    stack_.dir.MakeDirectory("upper");
    stack_.dir.MakeDirectory("work");
    Mount();
  }

  void Mount() {
    const auto context = sys::FsOpen("overlay");
    ASSERT_TRUE(context) << context.error().ToString();
    ASSERT_TRUE(sys::FsConfigString(*context, "lowerdir+", stack_.dir.At("0").c_str()));
    ASSERT_TRUE(sys::FsConfigString(*context, "upperdir", stack_.dir.At("upper").c_str()));
    ASSERT_TRUE(sys::FsConfigString(*context, "workdir", stack_.dir.At("work").c_str()));
    if (stack_.options.xattrs == OverlayXattrs::kUser) {
      ASSERT_TRUE(sys::FsConfigFlag(*context, "userxattr"));
    } else {
      ASSERT_TRUE(sys::FsConfigString(*context, "redirect_dir", "on"));
    }
    ASSERT_TRUE(sys::FsConfigCreate(*context));
    auto mounted = sys::FsMount(*context, 0);
    ASSERT_TRUE(mounted) << mounted.error().ToString();
    mount_ = *std::move(mounted);
  }

  std::string In(const std::string& name) const {
    return "/proc/self/fd/" + std::to_string(mount_->get()) + "/" + name;
  }
  void Write(const std::string& name, std::string_view text) const {
    const int raw = ::open(In(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ASSERT_GE(raw, 0) << name;
    const Fd file = Fd::Adopt(raw);
    ASSERT_TRUE(WriteAll(raw, text).has_value());
  }

  Result<WrittenReport> Copy(WrittenOptions options = {}) {
    stack_.dir.MakeDirectory("1");
    options.xattrs = stack_.options.xattrs;
    options.ownership = stack_.options.ownership;
    const Fd upper = LayerStack::Open(stack_.dir.At("upper"));
    const Fd root = LayerStack::Open(stack_.dir.At("1"));
    return CopyWritten(upper, root, options);
  }
  // What overlayfs shows of the base and the copy.
  std::map<std::string, std::string> Tree() {
    const Fd context = sys::FsOpen("overlay").value();
    EXPECT_TRUE(sys::FsConfigString(context, "lowerdir+", stack_.dir.At("1").c_str()));
    EXPECT_TRUE(sys::FsConfigString(context, "lowerdir+", stack_.dir.At("0").c_str()));
    if (stack_.options.xattrs == OverlayXattrs::kUser) {
      EXPECT_TRUE(sys::FsConfigFlag(context, "userxattr"));
    } else {
      EXPECT_TRUE(sys::FsConfigString(context, "redirect_dir", "follow"));
    }
    EXPECT_TRUE(sys::FsConfigCreate(context));
    return TreeOf(sys::FsMount(context, 0).value());
  }
  std::map<std::string, std::string> TreeOf(const Fd& mount) const {
    std::map<std::string, std::string> tree;
    for (const auto& [path, shown] : ShownIn(mount)) tree.emplace(path, shown.what);
    return tree;
  }

  LayerStack stack_{IsOrdinaryUser() ? OverlayXattrs::kUser : OverlayXattrs::kTrusted};
  std::optional<Fd> mount_;
};

TEST_F(WrittenLayerTest, TheLayerShowsWhatTheSandboxSaw) {
  Write("etc/passwd", "root\nuser");
  Write("etc/new", "new");
  ASSERT_EQ(::unlink(In("usr/lib/old").c_str()), 0);
  for (const char* name : {"var/cache/a", "var/cache/b"}) ASSERT_EQ(::unlink(In(name).c_str()), 0);
  ASSERT_EQ(::rmdir(In("var/cache").c_str()), 0);
  ASSERT_EQ(::mkdir(In("var/cache").c_str(), 0700), 0);
  Write("var/cache/c", "c");
  ASSERT_EQ(::symlink("../etc/new", In("var/link").c_str()), 0);
  ASSERT_EQ(::chmod(In("etc").c_str(), 0750), 0);
  const auto report = Copy();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->whiteouts, 1U);
  EXPECT_EQ(report->opaque_directories, 1U);
  EXPECT_EQ(report->bytes, 13U);
  EXPECT_EQ(Tree(), TreeOf(*mount_));
}

TEST_F(WrittenLayerTest, ARenamedDirectoryKeepsWhatItHas) {
  if (::rename(In("usr/lib").c_str(), In("usr/share").c_str()) < 0) {
    ASSERT_EQ(errno, EXDEV);
    GTEST_SKIP() << "an ordinary user's overlays do not rename directories";
  }
  Write("usr/share/more", "m");
  const auto report = Copy();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->redirects, 1U);
  EXPECT_EQ(Tree(), TreeOf(*mount_));
  EXPECT_EQ(Tree()["usr/share/kept"], "f 644 k");
}

TEST_F(WrittenLayerTest, LinksStayLinks) {
  Write("etc/one", "1");
  ASSERT_EQ(::link(In("etc/one").c_str(), In("usr/two").c_str()), 0);
  ASSERT_TRUE(Copy());
  EXPECT_EQ(stack_.dir.Stat("1/etc/one").st_ino, stack_.dir.Stat("1/usr/two").st_ino);
  EXPECT_EQ(stack_.dir.Stat("1/etc/one").st_nlink, 2U);
}

TEST_F(WrittenLayerTest, HolesStayHoles) {
  Write("etc/sparse", "begin");
  ASSERT_EQ(::truncate(In("etc/sparse").c_str(), 1 << 30), 0);
  const auto report = Copy({.max_bytes = kGiB});
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_LT(report->bytes, kMiB);
  EXPECT_EQ(stack_.dir.Stat("1/etc/sparse").st_size, 1 << 30);
  EXPECT_LT(stack_.dir.Stat("1/etc/sparse").st_blocks, 2048);
}

TEST_F(WrittenLayerTest, WhatNoLayerHasIsLeftOutAndCounted) {
  Write("etc/setuid", "x");
  ASSERT_EQ(::chmod(In("etc/setuid").c_str(), 06755), 0);
  ASSERT_EQ(::mkfifo(In("etc/fifo").c_str(), 0600), 0);
  const Fd socket = Fd::Adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = In("etc/socket");
  ASSERT_LT(name.size(), sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::setxattr(In("etc/setuid").c_str(), "user.kept", "v", 1, 0), 0);
  const auto report = Copy();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->loss.stripped_modes, 1U);
  EXPECT_EQ(report->skipped_special, 2U);
  EXPECT_EQ(stack_.dir.Stat("1/etc/setuid").st_mode & 07777U, 0755U);
  char value[8];
  EXPECT_EQ(::getxattr(stack_.dir.At("1/etc/setuid").c_str(), "user.kept", value, sizeof value), 1);
  EXPECT_FALSE(stack_.dir.Exists("1/etc/fifo"));
  EXPECT_FALSE(stack_.dir.Exists("1/etc/socket"));
}

TEST_F(WrittenLayerTest, OwnersAreWhatTheyAreInside) {
  if (IsOrdinaryUser()) GTEST_SKIP() << "needs root";
  Write("etc/mine", "x");
  Write("etc/nobodys", "x");
  ASSERT_EQ(::chown(In("etc/mine").c_str(), 70'000 + 1000, 70'000 + 5), 0);
  const auto report = Copy({.id_offset = 70'000});
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(stack_.dir.Stat("1/etc/mine").st_uid, 1000U);
  EXPECT_EQ(stack_.dir.Stat("1/etc/mine").st_gid, 5U);
  EXPECT_EQ(stack_.dir.Stat("1/etc/nobodys").st_uid, 65'534U) << "below the range";
  EXPECT_GT(report->loss.replaced_owners, 0U);
}

TEST_F(WrittenLayerTest, AnyDepthIsCopied) {
  Fd at = mount_->Duplicate().value();
  constexpr int kDepth = 3000;  // far more than PATH_MAX
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "deep", 0755), 0);
    at = Fd::Adopt(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const auto report = Copy();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->entries, static_cast<uint64_t>(kDepth));
}

TEST_F(WrittenLayerTest, BothBoundsHold) {
  Write("etc/a", std::string(100, 'a'));
  Write("etc/b", std::string(100, 'b'));
  auto refused = Copy({.max_bytes = 150});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
  stack_.dir.Remove("1");
  refused = Copy({.max_entries = 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
}

}  // namespace
}  // namespace cay::templates
