#include "guest/files/tree_watcher.h"

#include <poll.h>

#include <chrono>

#include "guest/files/test_tree.h"

namespace cay::guest {
namespace {

using protocol::WatchKind;

class TreeWatcherTest : public TestTree {
 protected:
  TreeWatcher Watch(const std::string& path, Recursive recursive) {
    Result<TreeWatcher> watcher = TreeWatcher::Begin(view_, path, recursive);
    EXPECT_TRUE(watcher) << watcher.error().message();
    return *std::move(watcher);
  }
  // Until an event of that kind and path comes, for at most five seconds.
  static bool Comes(TreeWatcher& watcher, WatchKind kind, const std::string& path) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < deadline) {
      pollfd waiting{.fd = watcher.fd(), .events = POLLIN, .revents = 0};
      ::poll(&waiting, 1, 100);
      EXPECT_TRUE(watcher.Collect());
      for (const protocol::WatchEvent& event : watcher.Take(TreeWatcher::kMaxQueued + 1)) {
        if (event.kind == kind && event.path == path) return true;
      }
    }
    return false;
  }
};

TEST_F(TreeWatcherTest, TellsWhatHappensInTheDirectory) {
  MakeDir("/w");
  TreeWatcher watcher = Watch("/w", Recursive::kNo);
  Put("/plain", "x");
  ASSERT_EQ(::rename((path_ + "/plain").c_str(), (path_ + "/w/new").c_str()), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kRenamed, "new"));
  ASSERT_EQ(::chmod((path_ + "/w/new").c_str(), 0600), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kAttributes, "new"));
  ASSERT_EQ(::unlink((path_ + "/w/new").c_str()), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kRemoved, "new"));
}

TEST_F(TreeWatcherTest, NewSubdirectoriesAreWatchedToo) {
  MakeDir("/w/old");
  TreeWatcher watcher = Watch("/w", Recursive::kYes);
  Put("/w/old/f", "x");
  EXPECT_TRUE(Comes(watcher, WatchKind::kRenamed, "old/f"));
  MakeDir("/w/a/b/c");
  EXPECT_TRUE(Comes(watcher, WatchKind::kCreated, "a/b/c"));
  ASSERT_EQ(::mkdir((path_ + "/w/a/b/c/d").c_str(), 0755), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kCreated, "a/b/c/d"));
}

TEST_F(TreeWatcherTest, RenamedDirectoryIsWatchedUnderItsNewName) {
  MakeDir("/w/a/sub");
  TreeWatcher watcher = Watch("/w", Recursive::kYes);
  ASSERT_EQ(::rename((path_ + "/w/a").c_str(), (path_ + "/w/b").c_str()), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kRenamed, "b"));
  ASSERT_EQ(::mkdir((path_ + "/w/b/sub/x").c_str(), 0755), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kCreated, "b/sub/x"));
}

TEST_F(TreeWatcherTest, MoreEventsThanAreKeptBecomeOneOverflow) {
  MakeDir("/w");
  TreeWatcher watcher = Watch("/w", Recursive::kNo);
  for (size_t i = 0; i < TreeWatcher::kMaxQueued / 2 + 10; ++i) {
    const std::string name = path_ + "/w/" + std::to_string(i);
    ASSERT_EQ(::mkdir(name.c_str(), 0755), 0);
    ASSERT_EQ(::rmdir(name.c_str()), 0);
  }
  size_t events = 0;
  bool overflow = false;
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(watcher.Collect());
  while (watcher.HasEvents()) {
    for (const protocol::WatchEvent& event : watcher.Take(256)) {
      ++events;
      overflow = event.kind == WatchKind::kOverflow;
    }
  }
  EXPECT_TRUE(overflow);
  EXPECT_EQ(events, TreeWatcher::kMaxQueued + 1);
  // And it goes on afterwards.
  ASSERT_EQ(::mkdir((path_ + "/w/after").c_str(), 0755), 0);
  EXPECT_TRUE(Comes(watcher, WatchKind::kCreated, "after"));
}

TEST_F(TreeWatcherTest, RemovedDirectoryIsGone) {
  MakeDir("/w");
  TreeWatcher watcher = Watch("/w", Recursive::kYes);
  ASSERT_EQ(::rmdir((path_ + "/w").c_str()), 0);
  ASSERT_TRUE(watcher.Collect());
  EXPECT_TRUE(watcher.gone());
}

}  // namespace
}  // namespace cay::guest
