// What a server keeps of space: the budget is written for others, and kept to, when it starts and
// when it changes.
#include "sandbox/templates/space_keeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <thread>

#include "base/clock.h"
#include "template/layers/test_layer_tar.h"
#include "template/store/test_sandboxes.h"
#include "template/test_directory.h"

namespace cay::sandbox {
namespace {

using templates::Came;
using templates::SpaceBudget;

class SpaceKeeperTest : public ::testing::Test {
 protected:
  SpaceKeeperTest()
      : store_(*templates::TemplateStore::Open({dir_.At("state"), dir_.At("run")},
                                               &templates::NoSandboxes)) {}

  // An hour ago.
  void Import(const std::string& name, Came came) {
    templates::LayerTar tar;
    tar.Directory("usr").Directory("etc").File("usr/content", std::string(100'000, 'x'));
    dir_.Write("archive.tar", tar.Finish());
    templates::ImportOptions options;
    options.came = came;
    ASSERT_TRUE(store_.Import(name, dir_.At("archive.tar"), options));
    const std::string path = "state/templates/" + name + ".json";
    dir_.Write(path,
               std::regex_replace(dir_.Read(path), std::regex(R"("imported_unix_ms":\d+)"),
                                  "\"imported_unix_ms\":" + std::to_string(UnixMs() - 3'600'000)));
  }
  bool IsGoneSoon(const std::string& name) const {
    for (int i = 0; i < 3000 && store_.Has(name); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return !store_.Has(name);
  }

  templates::TestDirectory dir_;
  templates::TemplateStore store_;
};

TEST_F(SpaceKeeperTest, WhatIsTooMuchGoesWhenItStarts) {
  Import("pulled", Came::kPulled);
  Import("mine", Came::kByHand);
  const auto keeper = SpaceKeeper::Open({.max_bytes = 1}, store_);
  ASSERT_TRUE(keeper);
  EXPECT_TRUE(IsGoneSoon("pulled"));
  EXPECT_TRUE(store_.Has("mine"));
  EXPECT_EQ(store_.budget(), SpaceBudget{.max_bytes = 1});
}

TEST_F(SpaceKeeperTest, AnotherBudgetHoldsAtOnce) {
  Import("pulled", Came::kPulled);
  const auto keeper = SpaceKeeper::Open({}, store_);
  ASSERT_TRUE(keeper);
  EXPECT_TRUE(store_.Has("pulled"));
  (*keeper)->Reconfigure({.max_age = Millis(60'000)});
  EXPECT_TRUE(IsGoneSoon("pulled"));
  EXPECT_EQ(store_.budget(), SpaceBudget{.max_age = Millis(60'000)});
  (*keeper)->Stop();
}

}  // namespace
}  // namespace cay::sandbox
