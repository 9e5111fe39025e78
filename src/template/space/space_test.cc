// What takes space and could go, by kind; what goes first and what never does; and the budget.
#include "template/space/space.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <regex>

#include "base/clock.h"
#include "template/layers/test_layer_tar.h"
#include "template/space/collect.h"
#include "template/space/make_room.h"
#include "template/store/built_layers.h"
#include "template/store/template_name.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr Bytes kContent = 300'000;

class SpaceTest : public ::testing::Test {
 protected:
  SpaceTest() {
    auto store = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, [this] {
      return Result<std::vector<engine::SandboxStatus>>(sandboxes_);
    });
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    store_.emplace(*std::move(store));
  }

  // As if it had come so many hours ago.
  void Import(const std::string& name, Came came, int hours = 1) {
    LayerTar tar;
    tar.Directory("usr").Directory("etc").File("usr/content", std::string(kContent, 'x'));
    dir_.Write("archive.tar", tar.Finish());
    const auto info =
        store_->Import(name, dir_.At("archive.tar"), {.came = came, .on_progress = {}});
    ASSERT_TRUE(info.has_value()) << info.error().ToString();
    const std::string path = "state/templates/" + FileNameOf(name) + ".json";
    const int64_t when = UnixMs() - int64_t{hours} * 3'600'000;
    dir_.Write(path, std::regex_replace(dir_.Read(path), std::regex(R"("imported_unix_ms":\d+)"),
                                        "\"imported_unix_ms\":" + std::to_string(when)));
  }
  void Build(const std::string& key, int hours, bool is_cache_mount = false) {
    LayerStore layers = store_->layers();
    auto layer = layers.Begin();
    ASSERT_TRUE(layer);
    ASSERT_TRUE(WriteFileAtomic(layer->root() + "/made", std::string(kContent, 'y'), 0644));
    BuiltRecord record{.key = key, .layers = {layer->id()}, .is_cache_mount = is_cache_mount};
    const auto held = layers.PublishAndHold(*std::move(layer));
    ASSERT_TRUE(held);
    ASSERT_TRUE(KeepBuilt(layers, record));
    const std::string file = "state/templates/.built/" + *LayerIdOf("what a build made: " + key);
    SetAge(file, hours);
  }
  void Download(const std::string& name, int hours) {
    ASSERT_TRUE(store_->OpenBlobs());
    dir_.Write("state/templates/.blobs/" + name, std::string(kContent, 'z'));
    SetAge("state/templates/.blobs/" + name, hours);
  }
  void SetAge(const std::string& file, int hours) {
    const time_t when = ::time(nullptr) - time_t{hours} * 3600;
    const timespec times[2] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, dir_.At(file).c_str(), times, 0), 0) << file;
  }
  SpaceReport Measure() {
    const auto report = MeasureSpace(*store_);
    EXPECT_TRUE(report.has_value()) << report.error().ToString();
    return report.value_or(SpaceReport());
  }
  static const SpaceRow& Row(const SpaceReport& report, SpaceKind kind) {
    return report.rows.at(static_cast<size_t>(kind));
  }
  std::vector<std::string> Collect(const CollectOptions& options) {
    const auto report = CollectSpace(*store_, options);
    EXPECT_TRUE(report.has_value()) << report.error().ToString();
    std::vector<std::string> names;
    if (report)
      for (const CollectedItem& one : report->removed) names.push_back(one.name);
    return names;
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto all = store_->List();
    for (const TemplateInfo& info : *all)
      if (info.name != "host") names.push_back(info.name);
    return names;
  }

  TestDirectory dir_;
  std::vector<engine::SandboxStatus> sandboxes_;
  std::optional<TemplateStore> store_;
};

TEST_F(SpaceTest, EveryByteIsInOneRow) {
  Import("mine", Came::kByHand);
  Import("pulled", Came::kPulled);
  Build("step", 1);
  Build("mount", 1, true);
  Download("part", 1);
  dir_.MakeDirectory("state/volumes/data");
  dir_.Write("state/volumes/data/image", std::string(kContent, 'v'));
  dir_.MakeDirectory("state/sandboxes/a");
  dir_.Write("state/sandboxes/a/image", std::string(kContent, 's'));
  const SpaceReport report = Measure();
  ASSERT_EQ(report.rows.size(), kSpaceKinds);
  const SpaceRow& templates = Row(report, SpaceKind::kTemplates);
  EXPECT_EQ(templates.count, 2U);
  EXPECT_GE(templates.disk, 2 * kContent);
  EXPECT_GE(templates.reclaimable, kContent);
  EXPECT_LT(templates.reclaimable, 2 * kContent);
  for (const SpaceKind kind : {SpaceKind::kBuildCache, SpaceKind::kCacheMounts,
                               SpaceKind::kDownloads, SpaceKind::kVolumes, SpaceKind::kScratch}) {
    EXPECT_EQ(Row(report, kind).count, 1U) << SpaceKindName(kind);
    EXPECT_GE(Row(report, kind).disk, kContent) << SpaceKindName(kind);
    EXPECT_LT(Row(report, kind).disk, 2 * kContent) << SpaceKindName(kind);
  }
  EXPECT_EQ(Row(report, SpaceKind::kVolumes).reclaimable, 0U);
  Bytes sum = 0;
  for (const SpaceRow& row : report.rows) sum += row.disk;
  EXPECT_EQ(report.used, sum - Row(report, SpaceKind::kScratch).disk);
}

TEST_F(SpaceTest, ALayerIsMeasuredWhenItIsPutIntoPlaceAndNotAgain) {
  Import("a", Came::kByHand);
  const std::string id = store_->ReadAll()->front()->layers.front();
  const std::string record = "state/templates/.layers/" + id + "/disk";
  ASSERT_TRUE(dir_.Exists(record));
  const Bytes disk = *store_->layers().DiskOf(id);
  EXPECT_GE(disk, kContent);
  dir_.Write(record, "disk_bytes 77\n");
  EXPECT_EQ(*store_->layers().DiskOf(id), 77U);
  // One of an older program, and one that is damaged.
  dir_.Remove(record);
  EXPECT_EQ(*store_->layers().DiskOf(id), disk);
  dir_.Write(record, "disk_bytes many\n");
  EXPECT_NEAR(static_cast<double>(*store_->layers().DiskOf(id)), static_cast<double>(disk), 8192);
  EXPECT_EQ(*store_->layers().DiskOf("00000000000000000000"), 0U);
}

TEST_F(SpaceTest, WhatCanBeMadeAgainGoesAndWhatSomebodyMadeStays) {
  Import("mine", Came::kByHand);
  Import("pulled", Came::kPulled);
  Import("derived", Came::kDerived);
  Build("step", 1);
  Download("part", 1);
  EXPECT_THAT(Collect({.dry_run = true}),
              UnorderedElementsAre("pulled", "derived", "step", "part"));
  EXPECT_THAT(Names(), UnorderedElementsAre("mine", "pulled", "derived"));
  Collect({});
  EXPECT_THAT(Names(), ElementsAre("mine"));
  EXPECT_EQ(Measure().reclaimable, 0U);
  EXPECT_EQ(store_->layers().LayerIds()->size(), 1U);
  EXPECT_FALSE(dir_.Exists("state/templates/.blobs/part"));
  EXPECT_THAT(Collect({.by_hand = true}), ElementsAre("mine"));
}

TEST_F(SpaceTest, TheOldestGoesFirstAndNoMoreThanIsNeeded) {
  Import("oldest", Came::kPulled, 9);
  Build("older", 7);
  Import("young", Came::kPulled, 5);
  Build("youngest", 3);
  EXPECT_THAT(Collect({.at_least = kContent / 2}), ElementsAre("oldest"));
  EXPECT_THAT(Collect({.at_least = kContent + kContent / 2}), ElementsAre("older", "young"));
  EXPECT_THAT(Collect({.unused_for = Millis(4LL * 3'600'000)}), IsEmpty());
  EXPECT_THAT(Collect({.unused_for = Millis(2LL * 3'600'000)}), ElementsAre("youngest"));
}

TEST_F(SpaceTest, WhatIsInUseStays) {
  Import("held", Came::kPulled, 9);
  Import("stood-on", Came::kPulled, 9);
  Download("fetched", 9);
  const auto held = store_->Open("held");
  ASSERT_TRUE(held);
  const auto stood_on = store_->Open("stood-on");
  engine::SandboxStatus sandbox{.id = *SandboxId::Generate()};
  sandbox.layers.push_back(
      {.kind = engine::LayerReference::Kind::kHostDirectory, .name = stood_on->roots.front()});
  sandboxes_.push_back(std::move(sandbox));
  const Fd pull = *store_->OpenBlobs();
  ASSERT_EQ(::flock(pull.get(), LOCK_SH), 0);
  EXPECT_THAT(Collect({.by_hand = true}), IsEmpty());
  ASSERT_EQ(::flock(pull.get(), LOCK_UN), 0);
  EXPECT_THAT(Collect({}), ElementsAre("fetched"));
  sandboxes_.front().damage = "cannot be read";
  const auto refused = CollectSpace(*store_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kIllegalState);
}

TEST_F(SpaceTest, WhatWasJustUsedStaysWhenItGoesByItself) {
  Import("just", Came::kPulled, 0);
  EXPECT_THAT(Collect({.at_least = kContent}), IsEmpty());
  EXPECT_THAT(Collect({}), ElementsAre("just"));
}

TEST_F(SpaceTest, ATemplateThatIsAskedForByNameIsKept) {
  Import("app", Came::kPulled, 9);
  ASSERT_TRUE(store_->KeepByHand("app"));
  EXPECT_THAT(Collect({}), IsEmpty());
  EXPECT_EQ(store_->InfoOf("app")->came, Came::kByHand);
}

TEST_F(SpaceTest, ABudgetMakesRoomBeforeItRefuses) {
  Import("pulled", Came::kPulled, 9);
  Import("mine", Came::kByHand, 9);
  EXPECT_TRUE(MakeRoom(*store_, kContent));
  EXPECT_THAT(Names(), UnorderedElementsAre("mine", "pulled")) << "there is no budget";
  const Bytes used = Measure().used;
  ASSERT_TRUE(WriteBudget(store_->layers().directory(), {.max_bytes = used + kContent}));
  EXPECT_TRUE(MakeRoom(*store_, kContent / 2));
  EXPECT_THAT(Names(), UnorderedElementsAre("mine", "pulled")) << "there was room";
  EXPECT_TRUE(MakeRoom(*store_, kContent + kContent / 2));
  EXPECT_THAT(Names(), ElementsAre("mine"));
  const auto refused = MakeRoom(*store_, 4 * kContent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  EXPECT_THAT(refused.error().message(), HasSubstr("templates.space"));
  EXPECT_THAT(refused.error().message(), HasSubstr("mine"));
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("cay system df"));
}

TEST_F(SpaceTest, WhatBelongsToOneOwnerIsNotNamedToOthers) {
  Import("@alice/secret-plan", Came::kByHand, 9);
  store_->Use(SpaceBudget{.max_bytes = 1000});
  const auto refused = MakeRoom(*store_, 1);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("secret-plan")));
}

TEST_F(SpaceTest, TheBudgetKeepsItselfByAgeAndBySize) {
  Import("old", Came::kPulled, 50);
  Import("older", Came::kPulled, 100);
  Import("mine", Came::kByHand, 200);
  store_->Use(SpaceBudget{.max_age = Millis(72LL * 3'600'000)});
  EXPECT_GE(*KeepToBudget(*store_), kContent);
  EXPECT_THAT(Names(), UnorderedElementsAre("old", "mine"));
  store_->Use(SpaceBudget{.max_bytes = 1});
  EXPECT_GE(*KeepToBudget(*store_), kContent);
  EXPECT_THAT(Names(), ElementsAre("mine"));
}

TEST_F(SpaceTest, ABudgetOutlivesTheProgramAndADamagedOneIsNone) {
  const std::string directory = store_->layers().directory();
  EXPECT_EQ(ReadBudget(directory), SpaceBudget());
  const SpaceBudget budget{.max_bytes = 5 * kGiB, .max_age = Millis(1000)};
  ASSERT_TRUE(WriteBudget(directory, budget));
  EXPECT_EQ(store_->budget(), budget);
  dir_.Write("state/templates/.budget", "{\"max_bytes\": -4, \"max_age_ms\": \"long\"}");
  EXPECT_EQ(store_->budget(), SpaceBudget());
}

}  // namespace
}  // namespace cay::templates
