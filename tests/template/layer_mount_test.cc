// Unpacked layers as the engine mounts them: idmapped one by one, under a writable layer. As root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "base/id.h"
#include "engine/native/ids/userns.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/rootfs/scratch.h"
#include "template/layers/test_layers.h"

namespace cay::templates {
namespace {

namespace native = engine::native;
using archive::EntryType;

constexpr uid_t kRange = 1'000'000;

struct stat StatAt(const Fd& root, const char* path) {
  struct stat info{};
  EXPECT_EQ(::fstatat(root.get(), path, &info, AT_SYMLINK_NOFOLLOW), 0) << path;
  return info;
}

bool Has(const Fd& root, const char* path) {
  struct stat info{};
  return ::fstatat(root.get(), path, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(LayerMountTest, WhatALayerRemovesIsGoneInASandboxsRootAndOwnersAreMapped) {
  if (::geteuid() != 0) GTEST_SKIP() << "idmapped mounts need root";
  LayerStack stack(OverlayXattrs::kTrusted);
  LayerTar first;
  LayerTar::TarEntry owned = LayerTar::Entry(EntryType::kFile, "d/owned", 0644);
  owned.uid = owned.gid = 33;
  stack.Add(first.Directory("d").Add(owned, "x").File("d/gone").Directory("e").File("e/hidden"));
  stack.Add(LayerTar().Whiteout("d/.wh.gone").Whiteout("e/.wh..wh..opq").File("e/own"));
  stack.Add(LayerTar().Link("linked", "d/owned"));

  engine::Overlay overlay{.target = "/", .layers = {}};
  for (size_t i = stack.count(); i-- > 0;)
    overlay.layers.push_back(stack.dir.At(std::to_string(i)));
  const SandboxId id = SandboxId::Generate().value();
  engine::CreateRequest request(id, engine::HostLayers{.overlays = {overlay}});
  const Result<Fd> ids = native::MakeUserns({{0, kRange, 65'536}}, {{0, kRange, 65'536}});
  ASSERT_TRUE(ids.has_value()) << ids.error().ToString();
  Result<Fd> scratch = native::MakeScratchTmpfs(request.limits, 1, kRange);
  ASSERT_TRUE(scratch.has_value()) << scratch.error().ToString();
  // As the launcher: it acts as the mapped root, and keeps its capabilities.
  ASSERT_TRUE(sys::Prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, "keeping capabilities"));
  native::RootfsBuilder builder(
      {.idmap_userns = ids->get(), .root_uid = kRange, .staging_dir = {}, .cgroups = {}});
  const auto mounts = builder.Build(request, *scratch);
  if (!mounts && native::RefusesDetachedMounts(mounts.error())) {
    GTEST_SKIP() << "overlays of this kernel take no detached layers";
  }
  ASSERT_TRUE(mounts.has_value()) << mounts.error().ToString();

  const Fd& root = mounts->front().mount;
  EXPECT_FALSE(Has(root, "d/gone"));
  EXPECT_FALSE(Has(root, "e/hidden"));
  EXPECT_TRUE(Has(root, "e/own"));
  EXPECT_EQ(StatAt(root, "d/owned").st_uid, kRange + 33);
  EXPECT_EQ(StatAt(root, "linked").st_ino, StatAt(root, "d/owned").st_ino);
  EXPECT_EQ(StatAt(root, "linked").st_gid, kRange + 33);
  // And they are gone for a sandbox that makes them anew.
  ASSERT_EQ(::mkdirat(root.get(), "d/gone", 0755), 0);
  EXPECT_EQ(::unlinkat(root.get(), "d/gone", AT_REMOVEDIR), 0);
}

}  // namespace
}  // namespace cay::templates
