// Volumes over the real engine: what is written to one is there for later sandboxes, through the
// end of sandboxes and of servers, and as an archive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/byte_stream.h"
#include "manager_fixture.h"
#include "volume/volume_dir.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

constexpr Bytes kSize = volume::kMinVolume;

class ManagerVolumeTest : public ManagerTest {
 protected:
  void TearDown() override {
    const Page page = manager().List(me_, {}).value_or(Page{});
    for (const SandboxView& view : page.sandboxes)
      EXPECT_TRUE(manager().Destroy(me_, view.id.text(), "requested"));
    const auto all = volumes().List(me_).value_or(std::vector<volume::VolumeInfo>{});
    for (const volume::VolumeInfo& info : all)
      EXPECT_TRUE(volumes().Remove(me_, info.name)) << info.name;
    ManagerTest::TearDown();
  }

  VolumeKeeper& volumes() { return manager().volumes(); }
  static SandboxSpec With(const std::string& volume, bool read_only = false) {
    SandboxSpec spec;
    spec.volumes = {{.name = volume, .path = "/data", .read_only = read_only}};
    return spec;
  }
  void MakeVolume(const std::string& name) {
    const auto made = volumes().Create(me_, {.name = name, .size = kSize});
    ASSERT_TRUE(made) << made.error().ToString();
  }
};

TEST_F(ManagerVolumeTest, WhatIsWrittenOutlivesTheSandboxAndTheServer) {
  MakeVolume("data");
  const std::string first = Create(With("data")).id.text();
  EXPECT_EQ(Run(first, "echo words > /data/kept; stat -c %U /data"), "user\n[0]");
  Reopen();
  EXPECT_EQ(Run(first, "cat /data/kept; echo more >> /data/kept"), "words\n[0]");
  ASSERT_TRUE(manager().Stop(me_, first));
  Reopen();
  EXPECT_FALSE(manager().Create(me_, With("data", true))) << "it is the stopped one's";
  ASSERT_TRUE(manager().Start(me_, first));
  ASSERT_TRUE(manager().Reset(me_, first));
  EXPECT_EQ(Run(first, "cat /data/kept"), "words\nmore\n[0]");
  ASSERT_TRUE(manager().Destroy(me_, first, "requested"));
  const std::string one = Create(With("data", true)).id.text();
  const std::string other = Create(With("data", true)).id.text();
  EXPECT_EQ(Run(one, "cat /data/kept"), "words\nmore\n[0]");
  EXPECT_EQ(Run(other, "cat /data/kept"), "words\nmore\n[0]");
  EXPECT_THAT(Run(one, "echo x > /data/new 2>&1"), HasSubstr("Read-only"));
}

TEST_F(ManagerVolumeTest, AFullOneIsToldInside) {
  MakeVolume("data");
  const std::string id = Create(With("data")).id.text();
  EXPECT_THAT(Run(id, "head -c 64m /dev/zero 2>&1 > /data/large"), HasSubstr("No space left"));
  EXPECT_EQ(Run(id, "echo text > /workspace/file && cat /workspace/file"), "text\n[0]");
}

TEST_F(ManagerVolumeTest, AnArchiveOfOneMakesAnother) {
  MakeVolume("data");
  const std::string id = Create(With("data")).id.text();
  ASSERT_EQ(Run(id, "mkdir /data/d; echo words > /data/d/f; chmod 640 /data/d/f; mkfifo /data/p"),
            "[0]");
  archive::StringSink sink;
  const auto refused = volumes().Export(me_, "data", sink);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kIllegalState);
  EXPECT_THAT(refused.error().message(), HasSubstr(id));
  EXPECT_TRUE(sink.text().empty());
  ASSERT_TRUE(manager().Stop(me_, id));
  const auto packed = volumes().Export(me_, "data", sink);
  ASSERT_TRUE(packed) << packed.error().ToString();
  archive::StringSource source(sink.text());
  const auto imported = volumes().Import(me_, {.name = "copy", .size = kSize}, source);
  ASSERT_TRUE(imported) << imported.error().ToString();
  const std::string other = Create(With("copy")).id.text();
  EXPECT_EQ(Run(other, "cat /data/d/f; stat -c '%a %u' /data/d/f; ls -A /data; touch /data/new"),
            "words\n640 1000\nd\n[0]");
}

TEST_F(ManagerVolumeTest, OneOfASandboxThatCouldNotBeMadeIsFree) {
  MakeVolume("data");
  SandboxSpec spec = With("data");
  spec.mounts = {{.source = "/nonexistent", .target = "/mnt"}};
  EXPECT_FALSE(manager().Create(me_, spec));
  SandboxSpec late = With("data");
  late.tmpfs = {{.target = "/proc/x"}};
  EXPECT_FALSE(manager().Create(me_, late));
  Create(With("data"));
}

}  // namespace
}  // namespace cay::sandbox
