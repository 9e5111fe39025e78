// What builds keep: found by its key, held while it is used, collected within bounds.
#include "template/store/built_layers.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "template/store/test_sandboxes.h"

namespace cay::templates {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BuiltLayersTest : public ::testing::Test {
 protected:
  BuiltLayersTest() {
    directory_ = ::testing::TempDir() + "cay-built-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) std::abort();
    auto store = LayerStore::Open({.state_dir = directory_, .run_dir = directory_}, &NoSandboxes);
    if (!store) std::abort();
    store_.emplace(*std::move(store));
  }
  ~BuiltLayersTest() override { std::filesystem::remove_all(directory_); }

  // A layer that a record of that key names; nobody holds it afterwards.
  std::string Build(const std::string& key, Bytes bytes) {
    auto layer = store_->Begin();
    EXPECT_TRUE(layer);
    const std::string id = layer->id();
    const auto held = store_->PublishAndHold(*std::move(layer));
    EXPECT_TRUE(held);
    EXPECT_TRUE(KeepBuilt(*store_, {.key = key, .layers = {id}, .diff_id = "d", .bytes = bytes}));
    return id;
  }
  bool IsThere(const std::string& id) const {
    return ::access(store_->LayerRoot(id).c_str(), F_OK) == 0;
  }
  // As if it had been used so long ago.
  void Age(const std::string& key, int64_t seconds) {
    for (const auto& entry : std::filesystem::directory_iterator(store_->directory() + "/.built")) {
      std::ifstream file(entry.path());
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (!text.contains("\"" + key + "\"")) continue;
      const timespec then{.tv_sec = UnixMs() / 1000 - seconds, .tv_nsec = 0};
      const timespec times[2] = {then, then};
      EXPECT_EQ(::utimensat(AT_FDCWD, entry.path().c_str(), times, 0), 0);
    }
  }

  std::string directory_;
  std::optional<LayerStore> store_;
};

TEST_F(BuiltLayersTest, WhatWasKeptIsFoundByItsKeyAndNotCollected) {
  const std::string id = Build("sha256:a", 5);
  EXPECT_EQ(*store_->Collect(), 0U);
  const auto found = FindBuilt(*store_, "sha256:a");
  ASSERT_TRUE(found && *found);
  EXPECT_THAT((*found)->record.layers, ElementsAre(id));
  EXPECT_EQ((*found)->record.diff_id, "d");
  EXPECT_EQ((*found)->record.bytes, 5U);
  const auto other = FindBuilt(*store_, "sha256:b");
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
}

TEST_F(BuiltLayersTest, OneWithoutItsLayerIsNotFound) {
  const std::string id = Build("sha256:a", 5);
  std::filesystem::remove_all(store_->directory() + "/.layers/" + id);
  const auto found = FindBuilt(*store_, "sha256:a");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(BuiltLayersTest, ADamagedRecordIsNone) {
  Build("sha256:a", 5);
  for (const auto& entry : std::filesystem::directory_iterator(store_->directory() + "/.built"))
    std::ofstream(entry.path()) << "{";
  const auto found = FindBuilt(*store_, "sha256:a");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  EXPECT_THAT(*ListBuilt(store_->directory()), IsEmpty());
  EXPECT_EQ(*store_->Collect(), 1U);
}

TEST_F(BuiltLayersTest, TheLongestUnusedGoesFirst) {
  const std::string old = Build("sha256:a", 60);
  const std::string used = Build("sha256:b", 60);
  Age("sha256:a", 7200);
  Age("sha256:b", 3600);
  const auto pruned = PruneBuilt(*store_, {.max_bytes = 100});
  ASSERT_TRUE(pruned);
  EXPECT_EQ(pruned->records, 1U);
  EXPECT_EQ(pruned->bytes, 60U);
  EXPECT_FALSE(IsThere(old));
  EXPECT_TRUE(IsThere(used));
}

TEST_F(BuiltLayersTest, FindingItIsAUse) {
  const std::string a = Build("sha256:a", 60);
  const std::string b = Build("sha256:b", 60);
  Age("sha256:a", 7200);
  Age("sha256:b", 3600);
  {
    ASSERT_TRUE(FindBuilt(*store_, "sha256:a"));
  }
  ASSERT_TRUE(PruneBuilt(*store_, {.max_bytes = 100}));
  EXPECT_TRUE(IsThere(a));
  EXPECT_FALSE(IsThere(b));
}

TEST_F(BuiltLayersTest, WhatIsHeldStaysWhenItsRecordGoes) {
  const std::string id = Build("sha256:a", 60);
  Age("sha256:a", 7200);
  auto found = FindBuilt(*store_, "sha256:a");
  ASSERT_TRUE(found && *found);
  ASSERT_TRUE(PruneBuilt(*store_, {.max_bytes = 0}));
  EXPECT_TRUE(IsThere(id));
  found->reset();
  EXPECT_EQ(*store_->Collect(), 1U);
  EXPECT_FALSE(IsThere(id));
}

TEST_F(BuiltLayersTest, WhatIsTooOldGoes) {
  const std::string id = Build("sha256:a", 1);
  Age("sha256:a", 7200);
  ASSERT_TRUE(PruneBuilt(*store_, {.max_bytes = 100, .max_age = Millis(3'600'000)}));
  EXPECT_FALSE(IsThere(id));
}

}  // namespace
}  // namespace cay::templates
