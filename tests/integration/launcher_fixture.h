// LauncherTest: a launcher in the test's own process, on a state directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "engine/native/launcher/inventory.h"
#include "engine/native/launcher/launcher.h"
#include "support/machine_state.h"
#include "template/store/template_store.h"

namespace cay::engine::native {

// No create makes more system calls through the seam than this.
inline constexpr int kMaxCalls = 2000;

class LauncherTest : public ::testing::TestWithParam<Scratch> {
 protected:
  // The template is the same for all.
  static void SetUpTestSuite() {
    cay::testing::KeepMountsApart();
    std::string pattern = ::testing::TempDir() + "cay-launcher-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory_); }

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto paths = Paths::Resolve(directory_);
    ASSERT_TRUE(paths) << paths.error().ToString();
    paths_ = *paths;
    auto store = templates::TemplateStore::Open(paths_, [this] { return ListStatuses(paths_); });
    ASSERT_TRUE(store) << store.error().ToString();
    auto host = store->Find("host");
    ASSERT_TRUE(host) << host.error().ToString();
    root_ = host->root;
    // What is made ahead would come and go beside what is looked for.
    auto launcher = Launcher::Open({.paths = paths_, .netns_pool = 0, .one_shot = true});
    ASSERT_TRUE(launcher) << launcher.error().ToString();
    launcher_.emplace(std::move(*launcher));
  }

  CreateRequest Request(Lifetime lifetime = Lifetime::kEphemeral) const {
    CreateRequest request(*SandboxId::Generate(), root_);
    request.limits.disk = 32 * kMiB;
    request.limits.memory = 128 * kMiB;
    request.scratch = GetParam();
    request.lifetime = lifetime;
    return request;
  }

  // One sandbox comes and goes: what is made once (an empty image, the janitor) is there
  // afterwards.
  void WarmUp() {
    const CreateRequest request = Request();
    const auto created = launcher_->Create(request);
    ASSERT_TRUE(created) << created.error().ToString();
    ASSERT_TRUE(launcher_->Destroy(request.id));
    while (launcher_->DoIdleWork()) {
    }
  }

  static inline std::string directory_;
  Paths paths_;
  RootFilesystem root_;
  std::optional<Launcher> launcher_;
};

}  // namespace cay::engine::native
