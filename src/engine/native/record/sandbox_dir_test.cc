#include "engine/native/record/sandbox_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"

namespace cay::engine::native {
namespace {

class SandboxDirTest : public testing::Test {
 protected:
  SandboxDirTest() {
    std::string pattern = testing::TempDir() + "cay-dir-XXXXXX";
    top_ = ::mkdtemp(pattern.data());
  }
  ~SandboxDirTest() override { std::filesystem::remove_all(top_); }

  SandboxDir Make(Lifetime lifetime) {
    SandboxDir dir = *SandboxDir::Make(top_, id_);
    const bool marked = lifetime == Lifetime::kEphemeral || dir.MarkUnpromised();
    EXPECT_TRUE(marked);
    EXPECT_EQ(Now(), Standing::kGarbage) << "a directory that has nothing yet";
    CreateRequest request(id_, HostLayers{.overlays = {{"/", {"/srv"}}}});
    request.lifetime = lifetime;
    EXPECT_TRUE(dir.WriteRecord({.request = request, .id_range = std::nullopt}));
    return dir;
  }
  void Put(const std::string& name, const std::string& content = "x") const {
    std::ofstream(top_ + "/" + id_.text() + "/" + name) << content;
  }
  void Take(const std::string& name) const {
    std::filesystem::remove(top_ + "/" + id_.text() + "/" + name);
  }
  Standing Now() const { return SandboxDir::StandingOf(top_, id_); }

  std::string top_;
  SandboxId id_ = *SandboxId::Generate();
};

TEST_F(SandboxDirTest, OfAnEphemeralOneIsKnownByItsName) {
  const SandboxDir dir = Make(Lifetime::kEphemeral);
  EXPECT_EQ(Now(), Standing::kEphemeral);
  Put("record.ephemeral", "damaged");
  EXPECT_EQ(Now(), Standing::kEphemeral);
}

TEST_F(SandboxDirTest, IsUnpromisedUntilItIsPromised) {
  const SandboxDir dir = Make(Lifetime::kPersistent);
  EXPECT_EQ(Now(), Standing::kUnpromised);
  EXPECT_FALSE(SandboxDir::ReadPromise(top_, id_));
  ASSERT_TRUE(SandboxDir::WritePromise(top_, id_, "to whom"));
  EXPECT_EQ(Now(), Standing::kKept);
  EXPECT_EQ(*SandboxDir::ReadPromise(top_, id_), "to whom");
  ASSERT_TRUE(SandboxDir::WritePromise(top_, id_, "else"));
  EXPECT_EQ(*SandboxDir::ReadPromise(top_, id_), "else");
  EXPECT_EQ(Now(), Standing::kKept);
}

TEST_F(SandboxDirTest, WhoseRecordCannotBeReadIsKept) {
  const SandboxDir dir = Make(Lifetime::kPersistent);
  ASSERT_TRUE(SandboxDir::WritePromise(top_, id_, "to whom"));
  for (const char* damage : {"", "garbage", "\x87\x02"}) {
    Put("record", damage);
    EXPECT_FALSE(SandboxDir::ReadRecordOf(top_, id_));
    EXPECT_EQ(Now(), Standing::kKept) << damage;
  }
  Take("record");
  Put("scratch.img");
  EXPECT_EQ(Now(), Standing::kKept);
}

TEST_F(SandboxDirTest, MarkedAsDestroyedIsGarbageWithAndWithoutARecord) {
  {
    const SandboxDir dir = Make(Lifetime::kPersistent);
    ASSERT_TRUE(SandboxDir::WritePromise(top_, id_, "to whom"));
    Put("scratch.img");
    ASSERT_TRUE(dir.MarkDestroyed());
    EXPECT_EQ(Now(), Standing::kGarbage);
    EXPECT_FALSE(SandboxDir::ReadRecordOf(top_, id_));
  }
  Take("destroyed");
  EXPECT_EQ(Now(), Standing::kKept);
  ASSERT_TRUE(SandboxDir::Claim(top_, id_)->MarkDestroyed());
  EXPECT_EQ(Now(), Standing::kGarbage);
}

TEST_F(SandboxDirTest, OrphanedIsKeptSinceThen) {
  const SandboxDir dir = Make(Lifetime::kPersistent);
  EXPECT_FALSE(SandboxDir::OrphanedSince(top_, id_));
  const int64_t before = UnixMs();
  ASSERT_TRUE(dir.SetOrphaned(true));
  EXPECT_EQ(Now(), Standing::kOrphaned);
  // A file's time is that of the last tick of the kernel's clock.
  EXPECT_GE(*SandboxDir::OrphanedSince(top_, id_), before - 100);
  ASSERT_TRUE(dir.SetOrphaned(false));
  EXPECT_EQ(Now(), Standing::kUnpromised);
}

// Wherever a crash interrupts it, what is left is not taken for a sandbox that is to be kept.
TEST_F(SandboxDirTest, IsRemovedWhole) {
  SandboxDir dir = Make(Lifetime::kPersistent);
  ASSERT_TRUE(SandboxDir::WritePromise(top_, id_, "to whom"));
  for (const char* name : {"scratch.img", "guest.paused", "orphaned"}) Put(name);
  ASSERT_TRUE(dir.MarkDestroyed());
  ASSERT_TRUE(std::move(dir).Remove());
  EXPECT_TRUE(std::filesystem::is_empty(top_));
}

}  // namespace
}  // namespace cay::engine::native
