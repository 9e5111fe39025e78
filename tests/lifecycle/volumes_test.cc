// Volumes of owners, and creates with them: whose they are, how many, and what remains where
// something fails.
#include "sandbox/volumes/volume_keeper.h"

#include <unistd.h>

#include "lifecycle_fixture.h"
#include "volume/volume_dir.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Bytes kSize = volume::kMinVolume;

class VolumesTest : public LifecycleTest {
 protected:
  VolumeKeeper& volumes() { return core().volumes; }
  void MakeVolume(const std::string& name, Bytes size = kSize) {
    const auto made = volumes().Create(me_, {.name = name, .size = size});
    ASSERT_TRUE(made) << made.error().ToString();
  }
  static SandboxSpec With(const std::string& volume, bool read_only = false) {
    SandboxSpec spec;
    spec.volumes = {{.name = volume, .path = "/data", .read_only = read_only}};
    return spec;
  }
  std::vector<std::string> NamesFor(const Caller& caller) {
    std::vector<std::string> names;
    const auto all = volumes().List(caller);
    EXPECT_TRUE(all) << all.error().ToString();
    if (all)
      for (const volume::VolumeInfo& info : *all) names.push_back(info.name);
    return names;
  }
  void SetBounds(size_t count, Bytes bytes) {
    options_.max_volumes_per_owner = count;
    options_.max_volume_bytes_per_owner = bytes;
    core().SetOptions(options_);
  }

  const Caller other_{.owner = "other", .admin = false};
  const Caller admin_{.owner = "root", .admin = true};
};

TEST_F(VolumesTest, AreTheirOwnersAndAdministratorsSeeThem) {
  MakeVolume("data");
  ASSERT_TRUE(volumes().Create(other_, {.name = "data", .size = kSize}));
  EXPECT_EQ(NamesFor(me_), std::vector<std::string>{"@me/data"});
  EXPECT_EQ(NamesFor(admin_), (std::vector<std::string>{"@me/data", "@other/data"}));
  EXPECT_EQ(volumes().Get(me_, "data")->owner, "me");
  EXPECT_EQ(volumes().Get(admin_, "@me/data")->owner, "me");
  EXPECT_THAT(volumes().Get(admin_, "data"), FailsWith(ErrorCode::kNotFound));
  for (const char* name : {"@me/data", "@nobody/data", "none", "../me/data", ""}) {
    const auto seen = volumes().Get(other_, name);
    ASSERT_THAT(seen, FailsWith(ErrorCode::kNotFound)) << name;
    EXPECT_EQ(seen.error().message(), "there is no volume \"" + std::string(name) + "\"");
    EXPECT_THAT(volumes().Remove(other_, name), FailsWith(ErrorCode::kNotFound)) << name;
  }
  EXPECT_THAT(volumes().Create(me_, {.name = "@other/mine", .size = kSize}),
              FailsWith(ErrorCode::kInvalidArgument));
  ASSERT_TRUE(volumes().Remove(admin_, "@other/data"));
  ASSERT_TRUE(volumes().Remove(me_, "data"));
  EXPECT_THAT(NamesFor(admin_), IsEmpty());
}

TEST_F(VolumesTest, AnOwnerHasSoManyAndSoMuchAndNoMore) {
  SetBounds(2, 3 * kSize);
  MakeVolume("a");
  EXPECT_THAT(volumes().Create(me_, {.name = "b", .size = 3 * kSize}),
              FailsWith(ErrorCode::kResourceExhausted));
  MakeVolume("b", 2 * kSize);
  const auto third = volumes().Create(me_, {.name = "c", .size = kSize});
  ASSERT_THAT(third, FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(third.error().fault(), Fault::kCaller);
  EXPECT_TRUE(volumes().Create(other_, {.name = "c", .size = kSize})) << "another owner's";
  ASSERT_TRUE(volumes().Remove(me_, "b"));
  MakeVolume("c");
  EXPECT_THAT(NamesFor(me_), ::testing::SizeIs(2));
}

TEST_F(VolumesTest, OneThatCouldNotBeMadeDoesNotCount) {
  SetBounds(1, kSize);
  EXPECT_FALSE(volumes().Create(me_, {.name = "a", .size = kSize + 1}));
  EXPECT_FALSE(volumes().Create(me_, {.name = "UPPER", .size = kSize}));
  MakeVolume("a");
}

TEST_F(VolumesTest, ASandboxHasItsOwnersAndIsNamedWhereItIsInUse) {
  MakeVolume("data");
  Sandbox& writer = Create(With("data"));
  EXPECT_EQ(writer.View().spec.volumes, With("data").volumes);
  const auto used = volumes().Get(me_, "data");
  ASSERT_TRUE(used);
  ASSERT_EQ(used->users.size(), 1U);
  EXPECT_EQ(used->users[0].sandbox, writer.id().text());
  const Standings before = Take();
  const auto refused = TryCreate(With("data", true));
  ASSERT_THAT(refused, FailsWith(ErrorCode::kIllegalState));
  EXPECT_THAT(refused.error().message(), HasSubstr(writer.id().text()));
  EXPECT_EQ(Take(), before);
  EXPECT_THAT(volumes().Remove(me_, "data"), FailsWith(ErrorCode::kIllegalState));
  ASSERT_TRUE(transitions().Stop(writer, "requested"));
  EXPECT_THAT(TryCreate(With("data")), FailsWith(ErrorCode::kIllegalState)) << "of a stopped one";
  ASSERT_TRUE(transitions().Destroy(writer, "requested"));
  EXPECT_TRUE(TryCreate(With("data", true)));
  EXPECT_TRUE(TryCreate(With("data", true))) << "both read only";
}

TEST_F(VolumesTest, AnotherOwnersIsNotThere) {
  ASSERT_TRUE(volumes().Create(other_, {.name = "theirs", .size = kSize}));
  const Standings before = Take();
  EXPECT_THAT(TryCreate(With("theirs")), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(TryCreate(With("@other/theirs")), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(Take(), before);
}

TEST_F(VolumesTest, AreStillASandboxsForTheNextServer) {
  MakeVolume("data");
  const SandboxId id = Create(With("data")).id();
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Get(id).View().spec.volumes, With("data").volumes);
  EXPECT_THAT(TryCreate(With("data")), FailsWith(ErrorCode::kIllegalState));
}

TEST_F(VolumesTest, WhatADeadServerBeganIsRemovedByTheNext) {
  const std::string directory = options_.paths.volumes_dir();
  MakeVolume("data");
  ASSERT_EQ(::mkdir((directory + "/.making-abcdef").c_str(), 0700), 0);
  EXPECT_EQ(volumes().CollectGarbage().value(), 1U);
  EXPECT_EQ(NamesFor(me_), std::vector<std::string>{"@me/data"});
}

TEST_F(VolumesTest, AnEngineWithoutThemSaysSo) {
  engine_options_.can.volumes = false;
  ASSERT_TRUE(Restart());
  EXPECT_THAT(volumes().Create(me_, {.name = "data", .size = kSize}),
              FailsWith(ErrorCode::kNotSupported));
  EXPECT_THAT(TryCreate(With("data")), FailsWith(ErrorCode::kNotSupported));
}

}  // namespace
}  // namespace cay::sandbox
