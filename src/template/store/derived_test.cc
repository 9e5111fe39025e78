// Templates with packages above another one: what they have of it, how they are found again, and
// when they go.
#include "template/store/derived.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utime.h>

#include <filesystem>
#include <string>

#include "template/store/template_store.h"
#include "template/store/test_sandboxes.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr BuiltBounds kAny{.max_bytes = 1 * kGiB, .max_age = Millis(3'600'000)};

class DerivedTest : public ::testing::Test {
 protected:
  DerivedTest() {
    auto store = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
    if (!store) std::abort();
    store_.emplace(*std::move(store));
    dir_.MakeDirectory("root/bin");
    dir_.MakeDirectory("root/etc");
    dir_.Write("root/bin/sh", "a shell", 0755);
    const auto imported = store_->Import("base", dir_.At("root"), {});
    if (!imported) ADD_FAILURE() << imported.error().ToString();
  }

  Result<TemplateInfo> Derive(const std::string& name, Bytes written = 100) {
    LayerStore layers = store_->layers();
    NewLayer layer = TRY(layers.Begin());
    std::filesystem::create_directories(layer.root() + "/opt/own");
    const std::string id = layer.id();
    const auto held = TRY(layers.PublishAndHold(std::move(layer)));
    return store_->AddDerived({.name = name,
                               .key = "key of " + name,
                               .base = TRY(store_->Find("base")),
                               .layers = {id},
                               .variables = {"PATH=/opt/own:/bin"},
                               .packages = {"pip:six"},
                               .written = written});
  }
  // As if it had been made, and used, so long ago.
  void MakeOld(const std::string& name, int64_t seconds) {
    const std::string path = dir_.At("state/templates/" + name + ".json");
    std::string text = ReadFile(path).value_or("");
    const size_t at = text.find("\"imported_unix_ms\":") + 19;
    const size_t end = text.find_first_not_of("0123456789", at);
    const int64_t then = std::stoll(text.substr(at, end - at)) - seconds * 1000;
    text.replace(at, end - at, std::to_string(then));
    dir_.Write("state/templates/" + name + ".json.new", text);
    dir_.Rename("state/templates/" + name + ".json.new", "state/templates/" + name + ".json");
    const utimbuf times{.actime = then / 1000, .modtime = then / 1000};
    ::utime(dir_.At("state/templates/.used/" + name).c_str(), &times);
  }

  TestDirectory dir_;
  std::optional<TemplateStore> store_;
};

TEST_F(DerivedTest, HasWhatItsBaseHasAndMore) {
  const auto made = Derive("packages-1");
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ(made->parent, "base");
  EXPECT_EQ(made->layers, 3U);
  EXPECT_THAT(made->packages, ElementsAre("pip:six"));
  const auto base = store_->Find("base");
  const auto found = store_->Find("packages-1");
  ASSERT_TRUE(found) << found.error().ToString();
  const auto& layers = engine::HostLayersOf(found->root).overlays.at(0).layers;
  EXPECT_EQ(layers.back(), engine::HostLayersOf(base->root).overlays.at(0).layers.back());
  EXPECT_TRUE(std::filesystem::is_directory(layers.at(1) + "/opt/own"));
  EXPECT_THAT(found->env, Contains("PATH=/opt/own:/bin"));
  EXPECT_THAT(found->env, Not(Contains(std::string(kDefaultPath))));
  EXPECT_EQ(found->user, base->user);
}

TEST_F(DerivedTest, IsFoundByWhatItWasMadeOf) {
  ASSERT_TRUE(Derive("packages-1"));
  EXPECT_TRUE(store_->HasDerived("packages-1", "key of packages-1"));
  EXPECT_FALSE(store_->HasDerived("packages-1", "another")) << "of the same name alone";
  EXPECT_FALSE(store_->HasDerived("packages-2", "key of packages-1"));
  EXPECT_FALSE(store_->HasDerived("base", "")) << "a template of somebody's is none";
  auto again = TemplateStore::Open({dir_.At("state"), dir_.At("run")}, NoSandboxes);
  EXPECT_TRUE(again->HasDerived("packages-1", "key of packages-1")) << "after a restart";
  EXPECT_THAT(again->InfoOf("packages-1")->packages, ElementsAre("pip:six"));
}

TEST_F(DerivedTest, ASnapshotOfItsSandboxIsNoneOfThem) {
  ASSERT_TRUE(Derive("packages-1"));
  const auto found = store_->Find("packages-1");
  LayerStore layers = store_->layers();
  SnapshotDraft draft{};
  draft.below = engine::HostLayersOf(found->root).overlays;
  draft.hold = found->hold;
  draft.hostname = "cay";
  draft.made.emplace_back(0, *layers.Begin());
  const auto kept =
      store_->AddSnapshot({.name = "kept", .parent = "base", .sandbox = "a"}, std::move(draft));
  ASSERT_TRUE(kept) << kept.error().ToString();
  EXPECT_THAT(kept->packages, IsEmpty());
  EXPECT_THAT(store_->Find("kept")->env, Contains("PATH=/opt/own:/bin")) << "and still works";
  MakeOld("kept", 7200);
  EXPECT_THAT(PruneDerived(*store_, kAny)->removed, IsEmpty());
}

TEST_F(DerivedTest, WhatWasNotUsedForLongGoes) {
  ASSERT_TRUE(Derive("packages-1"));
  ASSERT_TRUE(Derive("packages-2"));
  MakeOld("packages-1", 7200);
  MakeOld("base", 7200);
  EXPECT_THAT(PruneDerived(*store_, kAny)->removed, ElementsAre("packages-1"));
  EXPECT_TRUE(store_->Has("base"));
  EXPECT_TRUE(store_->Has("packages-2"));
}

TEST_F(DerivedTest, WhatSomebodyIsAboutToUseStays) {
  ASSERT_TRUE(Derive("packages-1"));
  auto used = store_->Find("packages-1");
  MakeOld("packages-1", 7200);
  EXPECT_THAT(PruneDerived(*store_, kAny)->removed, IsEmpty());
  used = Failure(Error::Invalid("not any more"));
  EXPECT_THAT(PruneDerived(*store_, kAny)->removed, ElementsAre("packages-1"));
}

TEST_F(DerivedTest, OverTheirSizeThoseGoThatWereNotUsedForLongest) {
  ASSERT_TRUE(Derive("packages-1", 600));
  ASSERT_TRUE(Derive("packages-2", 600));
  MakeOld("packages-2", 60);
  const auto pruned = PruneDerived(*store_, {.max_bytes = 1000});
  ASSERT_TRUE(pruned) << pruned.error().ToString();
  EXPECT_THAT(pruned->removed, ElementsAre("packages-2"));
  EXPECT_EQ(pruned->bytes, 600U);
}

}  // namespace
}  // namespace cay::templates
