// Which layers are collected, and which are not, by what metadata and sandboxes say.
#include "template/store/layer_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "template/metadata/metadata.h"

namespace cay::templates {
namespace {

using engine::LayerReference;

class LayerStoreTest : public ::testing::Test {
 protected:
  LayerStoreTest() {
    directory_ = ::testing::TempDir() + "cay-layers-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) std::abort();
    auto store = LayerStore::Open({.state_dir = directory_, .run_dir = directory_},
                                  [this]() -> Result<std::vector<engine::SandboxStatus>> {
                                    ++lists_;
                                    if (fails_) return Failure(Error::Invalid("no list"));
                                    return sandboxes_;
                                  });
    if (!store) std::abort();
    store_.emplace(*std::move(store));
  }
  ~LayerStoreTest() override { std::filesystem::remove_all(directory_); }

  // A layer that a template has, or nobody.
  std::string AddLayer(const std::string& name = {}) {
    auto layer = store_->Begin();
    EXPECT_TRUE(layer);
    const std::string id = layer->id();
    EXPECT_TRUE(store_->Publish(*std::move(layer), [&]() -> Result<void> {
      Metadata metadata;
      metadata.layers = {id};
      if (!name.empty()) WriteFile(name + ".json", TRY(SerializeMetadata(metadata)));
      return {};
    }));
    return id;
  }
  void WriteFile(const std::string& name, const std::string& text) const {
    std::ofstream(store_->directory() + "/" + name) << text;
  }
  engine::SandboxStatus& AddSandbox(const std::vector<std::string>& directories) {
    sandboxes_.push_back({.id = *SandboxId::Generate()});
    for (const std::string& directory : directories)
      sandboxes_.back().layers.push_back({LayerReference::Kind::kHostDirectory, directory});
    return sandboxes_.back();
  }
  bool IsThere(const std::string& id) const {
    return ::access(store_->LayerRoot(id).c_str(), F_OK) == 0;
  }

  std::string directory_;
  std::vector<engine::SandboxStatus> sandboxes_;
  bool fails_ = false;
  int lists_ = 0;
  std::optional<LayerStore> store_;
};

TEST_F(LayerStoreTest, ALayerStaysWhileATemplateNamesIt) {
  const std::string named = AddLayer("t");
  const std::string unnamed = AddLayer();
  EXPECT_EQ(store_->Collect(/*dry_run=*/true).value_or(9), 1U);
  EXPECT_TRUE(IsThere(unnamed));
  EXPECT_EQ(store_->Collect().value_or(9), 1U);
  EXPECT_FALSE(IsThere(unnamed));
  EXPECT_TRUE(IsThere(named));
  WriteFile(".host.stamp", "layer " + named + "\nwhat it was made of\n");
  std::filesystem::remove(store_->directory() + "/t.json");
  EXPECT_EQ(store_->Collect().value_or(9), 0U);
  EXPECT_TRUE(IsThere(named));
}

TEST_F(LayerStoreTest, ALayerStaysWhileASandboxStandsOnIt) {
  const std::string id = AddLayer();
  const std::string root = store_->LayerRoot(id);
  // However the state directory was called when it was made; and something inside counts as well.
  for (const std::string& stands_on :
       {root, root + "/usr", "/another/way/to/.layers/" + id + "/root"}) {
    AddSandbox({"/usr", stands_on});
    EXPECT_EQ(store_->Collect().value_or(9), 0U) << stands_on;
    EXPECT_TRUE(IsThere(id)) << stands_on;
    sandboxes_.clear();
  }
}

TEST_F(LayerStoreTest, AnIdThatStandsSomewhereElseIsNone) {
  const std::string id = AddLayer();
  AddSandbox({id, "/srv/" + id, "/srv/.layers/x" + id}).label = id;
  sandboxes_.back().layers.push_back({LayerReference::Kind::kImage, "registry/.layers/" + id});
  EXPECT_EQ(store_->Collect().value_or(0), 1U);
  EXPECT_FALSE(IsThere(id));
}

// What is damaged may stand on any.
TEST_F(LayerStoreTest, EveryLayerStaysWhileSomethingIsDamaged) {
  const std::string id = AddLayer();
  AddSandbox({}).damage = "its record is half a record";
  EXPECT_EQ(store_->Collect().value_or(9), 0U);
  sandboxes_.clear();
  for (const char* name : {"other.json", ".host.stamp"}) {
    WriteFile(name, "{\"version\":1,");
    EXPECT_EQ(store_->Collect().value_or(9), 0U) << name;
    std::filesystem::remove(store_->directory() + "/" + name);
  }
  fails_ = true;
  EXPECT_FALSE(store_->Collect());
  EXPECT_TRUE(IsThere(id));
  fails_ = false;
  EXPECT_EQ(store_->Collect().value_or(0), 1U);
}

TEST_F(LayerStoreTest, ASandboxThatIsListedWhileItIsLookedKeepsItsLayer) {
  const std::string id = AddLayer();
  {
    const auto maker = store_->Hold(id);
    ASSERT_TRUE(maker);
    EXPECT_EQ(store_->Collect().value_or(9), 0U) << "its maker holds it";
  }
  EXPECT_EQ(store_->Collect().value_or(0), 1U);
}

TEST_F(LayerStoreTest, SandboxesAreListedTwiceForAnyNumberOfLayers) {
  for (int i = 0; i < 40; ++i) AddLayer();
  const std::string kept = AddLayer("t");
  EXPECT_EQ(store_->Collect().value_or(0), 40U);
  EXPECT_EQ(lists_, 2);
  EXPECT_TRUE(IsThere(kept));
  EXPECT_EQ(store_->Collect().value_or(9), 0U);
  EXPECT_EQ(lists_, 3) << "nothing to look at twice";
}

TEST_F(LayerStoreTest, OneThatIsNamedByWhatItIsIsMadeOnce) {
  const std::string id = LayerIdOf("a chain of layers").value();
  ASSERT_TRUE(IsLayerId(id));
  EXPECT_NE(LayerIdOf("another"), id);
  EXPECT_EQ(store_->Hold(id).error().code(), ErrorCode::kNotFound);
  auto first = store_->Begin(id);
  ASSERT_TRUE(first) << first.error().ToString();
  EXPECT_EQ(store_->Begin(id).error().code(), ErrorCode::kAlreadyExists) << "it is being made";
  auto held = store_->PublishAndHold(*std::move(first));
  ASSERT_TRUE(held) << held.error().ToString();
  EXPECT_TRUE(IsThere(id));
  EXPECT_EQ(store_->Collect().value(), 0U) << "somebody holds it";
  // Who made it, too, and was slower, has the one that is there.
  auto second = store_->Begin(id);
  ASSERT_TRUE(second) << second.error().ToString();
  const std::string aside = second->root();
  EXPECT_TRUE(store_->PublishAndHold(*std::move(second)));
  EXPECT_NE(::access(aside.c_str(), F_OK), 0) << "what was made in vain is gone";
  held->reset();
  EXPECT_EQ(store_->Collect().value(), 1U);
  EXPECT_FALSE(IsThere(id));
}

TEST_F(LayerStoreTest, WhatAKilledMakerLeftIsNoHindrance) {
  const std::string id = LayerIdOf("a chain").value();
  std::filesystem::create_directories(store_->directory() + "/.partial/" + id + "/root/usr");
  auto layer = store_->Begin(id);
  ASSERT_TRUE(layer) << layer.error().ToString();
  EXPECT_TRUE(std::filesystem::is_empty(layer->root()));
}

TEST_F(LayerStoreTest, ATemplateOfSeveralLayersNeedsAllOfThem) {
  const std::string lower = AddLayer();
  const std::string upper = AddLayer();
  Metadata metadata;
  metadata.layers = {upper, lower};
  WriteFile("two.json", SerializeMetadata(metadata).value());
  EXPECT_EQ(store_->Collect().value(), 0U);
  EXPECT_TRUE(IsThere(lower) && IsThere(upper));
}

TEST_F(LayerStoreTest, ANameLikeThatOfAFileThatIsBeingWrittenIsAName) {
  const std::string id = AddLayer("a.json.tmp.7");
  WriteFile("b.json.tmp.7", "a killed writer's");
  EXPECT_EQ(store_->Collect().value(), 0U);
  EXPECT_TRUE(IsThere(id));
  EXPECT_EQ(::access((store_->directory() + "/a.json.tmp.7.json").c_str(), F_OK), 0);
  EXPECT_NE(::access((store_->directory() + "/b.json.tmp.7").c_str(), F_OK), 0);
}

TEST_F(LayerStoreTest, WhatWasFetchedAndForgottenGoesAfterADay) {
  ASSERT_TRUE(store_->OpenBlobs());
  WriteFile(".blobs/new", "");
  WriteFile(".blobs/old", "");
  const timespec times[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0},
                             {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
  const std::string old = store_->directory() + "/.blobs/old";
  ASSERT_EQ(::utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  ASSERT_TRUE(store_->Collect());
  EXPECT_NE(::access(old.c_str(), F_OK), 0);
  EXPECT_EQ(::access((store_->directory() + "/.blobs/new").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace cay::templates
