// Template import where it needs processes that are killed and files that change meanwhile.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/os/file.h"
#include "template/store/template_store.h"
#include "template/store/test_sandboxes.h"

namespace cay::templates {
namespace {

namespace fs = std::filesystem;

class TemplateTest : public ::testing::Test {
 protected:
  TemplateTest() {
    std::string pattern = ::testing::TempDir() + "cay-template-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    fs::create_directories(dir_ + "/rootfs/usr/bin");
    fs::create_directories(dir_ + "/rootfs/etc");
  }
  ~TemplateTest() override {
    const Result<void> removed = RemoveTreeAt(AT_FDCWD, dir_);
    EXPECT_TRUE(removed.has_value()) << removed.error().ToString();
  }

  Result<TemplateStore> Open() const {
    return TemplateStore::Open({dir_ + "/state", dir_ + "/run"}, NoSandboxes);
  }

  static void Write(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
  }

  static size_t CountNames(const std::string& directory) {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  }

  std::string dir_;
};

TEST_F(TemplateTest, WhatAnImportKilledInTheMiddleLeftIsGoneAfterTheNextOpen) {
  for (int i = 0; i < 64; ++i) {
    Write(dir_ + "/rootfs/usr/file" + std::to_string(i), std::string(64 << 10, 'x'));
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ImportOptions options;
    options.on_progress = [](const ImportProgress&) { ::raise(SIGKILL); };
    Result<TemplateStore> store = Open();
    if (store) (void)store->Import("t", dir_ + "/rootfs", options).has_value();
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(CountNames(dir_ + "/state/templates/.partial"), 1U);
  Result<TemplateStore> store = Open();
  ASSERT_TRUE(store.has_value()) << store.error().ToString();
  EXPECT_EQ(CountNames(dir_ + "/state/templates/.partial"), 0U);
  EXPECT_EQ(CountNames(dir_ + "/state/templates/.layers"), 0U);
  EXPECT_FALSE(store->Find("t").has_value());
}

// Somebody who may write the source directory swaps a directory of it for a symlink, again and
// again: what the symlink points to must never come in.
TEST_F(TemplateTest, ADirectoryThatIsSwappedForASymlinkMeanwhileLetsNothingIn) {
  fs::create_directories(dir_ + "/outside");
  Write(dir_ + "/outside/secret", "secret");
  const std::string swapped = dir_ + "/rootfs/usr/swapped";
  fs::create_directories(swapped);
  Write(swapped + "/harmless", "harmless");
  fs::create_symlink(dir_ + "/outside", dir_ + "/rootfs/usr/link");
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    while (!stop) {
      ::renameat2(AT_FDCWD, swapped.c_str(), AT_FDCWD, (dir_ + "/rootfs/usr/link").c_str(),
                  RENAME_EXCHANGE);
    }
  });
  Result<TemplateStore> store = Open();
  ASSERT_TRUE(store.has_value());
  for (int round = 0; round < 20; ++round) {
    const Result<TemplateInfo> info =
        store->Import("t", dir_ + "/rootfs", {.replace = true, .on_progress = {}});
    if (!info) continue;
    const Result<Template> found = store->Find("t");
    ASSERT_TRUE(found.has_value());
    for (const auto& entry : fs::recursive_directory_iterator(
             engine::HostLayersOf(found->root).overlays.front().layers.front(),
             fs::directory_options::skip_permission_denied)) {
      EXPECT_NE(entry.path().filename(), "secret");
    }
  }
  stop = true;
  swapper.join();
}

TEST_F(TemplateTest, ImportsAndRemovalsOfOneNameFromManyThreadsEndWithNothingLeft) {
  Write(dir_ + "/rootfs/usr/bin/tool", "tool");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Result<TemplateStore> store = Open();
      ASSERT_TRUE(store.has_value()) << store.error().ToString();
      for (int round = 0; round < 10; ++round) {
        const Result<TemplateInfo> info =
            store->Import("t", dir_ + "/rootfs", {.replace = true, .on_progress = {}});
        EXPECT_TRUE(info.has_value()) << info.error().ToString();
        const Result<Template> found = store->Find("t");
        if (found) {
          const std::string& root =
              engine::HostLayersOf(found->root).overlays.front().layers.front();
          EXPECT_EQ(ReadFile(root + "/usr/bin/tool").value_or("gone"), "tool");
        } else {
          EXPECT_EQ(found.error().code(), ErrorCode::kNotFound) << found.error().ToString();
        }
        const Result<void> removed = i == 0 ? store->Remove("t") : Result<void>{};
        EXPECT_TRUE(removed || removed.error().code() == ErrorCode::kNotFound);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Result<TemplateStore> store = Open();
  ASSERT_TRUE(store.has_value());
  [[maybe_unused]] const Result<void> removed = store->Remove("t");
  EXPECT_TRUE(store->CollectGarbage().has_value());
  EXPECT_EQ(CountNames(dir_ + "/state/templates/.partial"), 0U);
  EXPECT_EQ(CountNames(dir_ + "/state/templates/.layers"), 0U);
}

}  // namespace
}  // namespace cay::templates
