// Which templates are used, what they take on the disk, and which of them go.
#include "template/usage/template_usage.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "template/layers/test_layer_tar.h"
#include "template/store/last_used.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Millis kDay{24LL * 3600 * 1000};

class TemplateUsageTest : public ::testing::Test {
 protected:
  TemplateStore Open() {
    auto store = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, [this] {
      return Result<std::vector<engine::SandboxStatus>>(sandboxes_);
    });
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return *std::move(store);
  }

  void Import(const std::string& name) {
    LayerTar tar;
    tar.Directory("usr").Directory("etc").File("usr/content", std::string(100'000, 'x'));
    dir_.Write("archive.tar", tar.Finish());
    const auto info = Open().Import(name, dir_.At("archive.tar"), {.on_progress = {}});
    ASSERT_TRUE(info.has_value()) << info.error().ToString();
  }

  std::string UsePath(const std::string& name) { return dir_.At("state/templates/.used/" + name); }

  std::vector<std::string> Unused(Millis unused_for) {
    auto store = Open();
    const auto report = PruneTemplates(store, {.unused_for = unused_for, .dry_run = true});
    EXPECT_TRUE(report.has_value()) << report.error().ToString();
    return report ? report->removed : std::vector<std::string>();
  }

  TestDirectory dir_;
  std::vector<engine::SandboxStatus> sandboxes_;
};

TEST_F(TemplateUsageTest, AUseIsNotedOnceAnHour) {
  Import("a");
  auto store = Open();
  EXPECT_EQ(LastUseOf(store.layers(), "a"), 0);
  ASSERT_TRUE(store.Find("a"));
  EXPECT_GT(LastUseOf(store.layers(), "a"), 0);
  const auto set = [&](time_t seconds_ago) {
    const time_t when = ::time(nullptr) - seconds_ago;
    const timespec times[2] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, UsePath("a").c_str(), times, 0), 0);
  };
  set(3000);
  const int64_t recent = LastUseOf(store.layers(), "a");
  ASSERT_TRUE(store.Find("a"));
  EXPECT_EQ(LastUseOf(store.layers(), "a"), recent);
  set(4000);
  ASSERT_TRUE(store.Find("a"));
  EXPECT_GT(LastUseOf(store.layers(), "a"), recent);
  ASSERT_TRUE(store.Remove("a"));
  EXPECT_FALSE(dir_.Exists("state/templates/.used/a"));
}

TEST_F(TemplateUsageTest, WhatWasNotUsedForThatLongGoes) {
  Import("a");
  Import("b");
  EXPECT_THAT(Unused(kDay), IsEmpty());
  EXPECT_THAT(Unused(Millis{0}), ElementsAre("a", "b"));
  auto store = Open();
  const auto report = PruneTemplates(store, {.unused_for = Millis{0}});
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_THAT(report->removed, ElementsAre("a", "b"));
  EXPECT_GE(report->freed, 200'000U);
  EXPECT_EQ(store.List()->size(), 1U);
}

TEST_F(TemplateUsageTest, WhatIsHeldOrStoodOnStays) {
  Import("held");
  Import("stood-on");
  auto store = Open();
  const auto held = store.Find("held");
  ASSERT_TRUE(held.has_value());
  {
    const auto found = store.Find("stood-on");
    ASSERT_TRUE(found.has_value());
    engine::SandboxStatus sandbox{.id = *SandboxId::Generate()};
    sandbox.layers.push_back(
        {.kind = engine::LayerReference::Kind::kHostDirectory,
         .name = engine::HostLayersOf(found->root).overlays.at(0).layers.at(0)});
    sandboxes_.push_back(sandbox);
  }
  EXPECT_THAT(Unused(Millis{0}), IsEmpty());
  sandboxes_.clear();
  EXPECT_THAT(Unused(Millis{0}), ElementsAre("stood-on"));
}

TEST_F(TemplateUsageTest, NothingGoesWhileASandboxIsDamaged) {
  Import("a");
  engine::SandboxStatus sandbox{.id = *SandboxId::Generate()};
  sandbox.damage = "its record is half a record";
  sandboxes_.push_back(sandbox);
  auto store = Open();
  const auto report = PruneTemplates(store, {.unused_for = Millis{0}});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), ErrorCode::kIllegalState);
}

TEST_F(TemplateUsageTest, ANoKeepsAll) {
  Import("a");
  auto store = Open();
  Bytes asked = 0;
  const auto report = PruneTemplates(
      store, {.unused_for = Millis{0}, .confirm = [&](const auto& unused, Bytes freed) {
                asked = freed;
                return Result<bool>(unused.size() == 5);
              }});
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(report->removed, IsEmpty());
  EXPECT_GE(asked, 100'000U);
  EXPECT_EQ(store.List()->size(), 2U);
}

TEST_F(TemplateUsageTest, WhatTheyTakeOnTheDisk) {
  Import("a");
  dir_.MakeDirectory("state/templates/.blobs");
  dir_.Write("state/templates/.blobs/sha256-1", std::string(300'000, 'x'));
  auto store = Open();
  const auto usage = MeasureStore(store);
  ASSERT_TRUE(usage.has_value()) << usage.error().ToString();
  ASSERT_EQ(usage->templates.size(), 1U);
  EXPECT_GE(usage->templates[0].own, 100'000U);
  EXPECT_EQ(usage->templates[0].shared, 0U);
  EXPECT_FALSE(usage->templates[0].in_use);
  EXPECT_EQ(usage->layers, usage->templates[0].own);
  EXPECT_GE(usage->blobs, 300'000U);
  EXPECT_GE(usage->total, usage->layers + usage->blobs);
  const auto details = InspectTemplate(store, "a");
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->layers.at(0).disk, usage->layers);
  EXPECT_FALSE(details->layers.at(0).is_cays_own);
}

}  // namespace
}  // namespace cay::templates
