// What a watch tells when directories are renamed while things happen in them.
#include <gmock/gmock.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "guest/files/file_writer.h"
#include "guest/files/test_tree.h"
#include "guest/files/tree_watcher.h"

namespace cay::guest {
namespace {

using protocol::WatchEvent;
using protocol::WatchKind;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;

// "+a" created, "*a" modified, "-a" removed, "a>b" renamed, ">b" came from outside, "!" overflow;
// attributes are left out.
std::string Text(const WatchEvent& event) {
  const std::string path = event.path + (event.directory ? "/" : "");
  switch (event.kind) {
    case WatchKind::kCreated:
      return "+" + path;
    case WatchKind::kModified:
      return "*" + path;
    case WatchKind::kRemoved:
      return "-" + path;
    case WatchKind::kRenamed:
      return event.from.value_or("") + ">" + path;
    case WatchKind::kOverflow:
      return "!";
    default:
      return "";
  }
}

class TreeWatcherRenameTest : public TestTree {
 protected:
  TreeWatcherRenameTest() {
    MakeDir("/w");
    MakeDir("/outside");
  }
  void Watch() {
    Result<TreeWatcher> watcher = TreeWatcher::Begin(view_, "/w", Recursive::kYes);
    ASSERT_TRUE(watcher) << watcher.error().message();
    watcher_.emplace(*std::move(watcher));
  }
  void Rename(const std::string& from, const std::string& to) {
    ASSERT_EQ(::rename((path_ + from).c_str(), (path_ + to).c_str()), 0) << from << " " << to;
  }
  void Touch(const std::string& path) {
    const Fd made =
        Fd::Adopt(::open((path_ + path).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_GE(made.get(), 0) << path;
  }
  bool Waits() const {
    pollfd waiting{.fd = watcher_->fd(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) == 1;
  }
  // All that has happened until now.
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    while (Waits()) EXPECT_TRUE(watcher_->Collect());
    while (watcher_->HasEvents()) {
      for (const WatchEvent& event : watcher_->Take(100)) {
        if (const std::string text = Text(event); !text.empty()) told.push_back(text);
      }
    }
    return told;
  }

  std::optional<TreeWatcher> watcher_;
};

TEST_F(TreeWatcherRenameTest, FilesMadeInADirectoryBetweenItsRenamesAreToldUnderTheNameOfTheTime) {
  MakeDir("/w/0");
  Watch();
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    const std::string from = std::to_string(i);
    const std::string to = std::to_string(i + 1);
    Touch("/w/" + from + "/f" + from);
    Rename("/w/" + from, "/w/" + to);
    expected.insert(expected.end(),
                    {"+" + from + "/f" + from, "-" + from + "/", from + ">" + to + "/"});
  }
  EXPECT_EQ(Told(), expected);
}

TEST_F(TreeWatcherRenameTest, FilesMadeInDirectoriesBelowARenamedOneAreTold) {
  MakeDir("/w/a/b/c");
  MakeDir("/w/other");
  Watch();
  Rename("/w/a", "/w/x");
  Touch("/w/x/b/c/1");
  Rename("/w/x/b", "/w/other/b");
  Touch("/w/other/b/c/2");
  ASSERT_EQ(::unlink((path_ + "/w/other/b/c/1").c_str()), 0);
  Rename("/w/other", "/w/x/o");
  Touch("/w/x/o/b/c/3");
  EXPECT_THAT(Told(),
              ElementsAre("-a/", "a>x/", "+x/b/c/1", "-x/b/", "x/b>other/b/", "+other/b/c/2",
                          "-other/b/c/1", "-other/", "other>x/o/", "+x/o/b/c/3"));
}

// Nobody looked when they had the names that they were made with.
TEST_F(TreeWatcherRenameTest, NewDirectoriesAreWatchedWhateverTheyAreRenamedToAtOnce) {
  MakeDir("/w/a");
  Watch();
  MakeDir("/w/a/sub/deep");
  Rename("/w/a", "/w/b");
  MakeDir("/w/new");
  Rename("/w/new", "/w/b/newer");
  Rename("/w/b", "/w/c");
  EXPECT_THAT(Told(), IsSupersetOf({"+a/sub/", "+new/", "new>b/newer/", "b>c/"}));
  Touch("/w/c/sub/1");
  Touch("/w/c/sub/deep/2");
  Touch("/w/c/newer/3");
  EXPECT_THAT(Told(), ElementsAre("+c/sub/1", "+c/sub/deep/2", "+c/newer/3"));
}

TEST_F(TreeWatcherRenameTest, OneNameOfManyDirectoriesIsNotMixedUp) {
  Watch();
  for (int i = 0; i < 20; ++i) {
    MakeDir("/w/a");
    Rename("/w/a", "/w/" + std::to_string(i));
  }
  Told();
  for (int i = 0; i < 20; ++i) {
    Touch("/w/" + std::to_string(i) + "/f");
    EXPECT_THAT(Told(), ElementsAre("+" + std::to_string(i) + "/f"));
  }
}

TEST_F(TreeWatcherRenameTest, TwoDirectoriesThatChangePlacesKeepTheirEvents) {
  MakeDir("/w/a");
  MakeDir("/w/b");
  Watch();
  Touch("/w/a/of-a");
  ASSERT_EQ(::renameat2(AT_FDCWD, (path_ + "/w/a").c_str(), AT_FDCWD, (path_ + "/w/b").c_str(),
                        RENAME_EXCHANGE),
            0);
  Touch("/w/b/of-a-too");
  Touch("/w/a/of-b");
  EXPECT_THAT(Told(),
              ElementsAre("+a/of-a", "-a/", "a>b/", "-b/", "b>a/", "+b/of-a-too", "+a/of-b"));
}

TEST_F(TreeWatcherRenameTest, ADirectoryThatTakesTheOthersPlaceIsWatched) {
  MakeDir("/w/a");
  MakeDir("/w/b");
  Watch();
  Rename("/w/a", "/w/b");
  MakeDir("/w/new");
  Rename("/w/new", "/w/c");
  MakeDir("/w/d");
  Told();
  Rename("/w/c", "/w/d");
  Touch("/w/b/1");
  Touch("/w/d/2");
  EXPECT_THAT(Told(), ElementsAre("-c/", "c>d/", "+b/1", "+d/2"));
  MakeDir("/w/e");
  Rename("/w/e", "/w/f");
  Rename("/w/f", "/w/g");
  Told();
  Touch("/w/g/3");
  EXPECT_THAT(Told(), ElementsAre("+g/3"));
}

TEST_F(TreeWatcherRenameTest, WhatComesFromOutsideIsToldWithAllThatIsInIt) {
  MakeDir("/outside/a/b");
  Put("/outside/a/b/f", "x");
  Put("/outside/file", "x");
  Watch();
  Rename("/outside/a", "/w/a");
  Rename("/outside/file", "/w/file");
  Touch("/w/a/b/g");
  EXPECT_THAT(Told(), IsSupersetOf({">a/", "+a/b/", "+a/b/f", "+a/b/g", ">file"}));
  Touch("/w/a/b/h");
  EXPECT_THAT(Told(), ElementsAre("+a/b/h"));
}

TEST_F(TreeWatcherRenameTest, NothingIsToldOfWhatHasLeft) {
  MakeDir("/w/a/b");
  Watch();
  Rename("/w/a", "/outside/a");
  Touch("/outside/a/b/f");
  Rename("/outside/a/b", "/outside/b");
  Touch("/outside/b/g");
  EXPECT_THAT(Told(), ElementsAre("-a/"));
  Touch("/outside/a/h");
  EXPECT_THAT(Told(), ElementsAre());
}

TEST_F(TreeWatcherRenameTest, WhatLeavesAndComesBackIsToldWithWhatChangedOutside) {
  MakeDir("/w/a/b");
  Watch();
  Rename("/w/a", "/outside/a");
  Touch("/outside/a/b/f");
  Rename("/outside/a", "/w/c");
  Touch("/w/c/b/g");
  const auto told = Told();
  EXPECT_THAT(told, IsSupersetOf({"-a/", ">c/", "+c/b/", "+c/b/f", "+c/b/g"}));
  EXPECT_THAT(told, Not(Contains("+a/b/f")));
  Rename("/w/c", "/outside/a");
  Told();
  Rename("/outside/a", "/w/d");
  Told();
  Touch("/w/d/b/h");
  EXPECT_THAT(Told(), ElementsAre("+d/b/h"));
}

TEST_F(TreeWatcherRenameTest, ARenameOfAFileSaysWhence) {
  Put("/w/a", "x");
  MakeDir("/w/d");
  Watch();
  Rename("/w/a", "/w/d/b");
  EXPECT_THAT(Told(), ElementsAre("-a", "a>d/b"));
  Result<TreeWatcher> flat = TreeWatcher::Begin(view_, "/w/d", Recursive::kNo);
  ASSERT_TRUE(flat);
  watcher_.emplace(*std::move(flat));
  Rename("/w/d/b", "/w/d/c");
  Rename("/w/d/c", "/w/a");
  EXPECT_THAT(Told(), ElementsAre("-b", "b>c", "-c"));
}

TEST_F(TreeWatcherRenameTest, AFileThatIsWrittenByTheGuestIsOneEvent) {
  const auto write = [&](const std::string& path) {
    auto writer = FileWriter::Begin(view_, path, {.mode = 0600, .make_parents = true});
    ASSERT_TRUE(writer) << writer.error().message();
    EXPECT_THAT(Told(), Not(Contains(::testing::HasSubstr("cay-write"))));
    ASSERT_TRUE(writer->Write("content"));
    ASSERT_TRUE(writer->Finish());
  };
  Watch();
  write("/w/a");
  EXPECT_THAT(Told(), ElementsAre("+a"));
  write("/w/a");
  EXPECT_THAT(Told(), ElementsAre("*a"));
  ASSERT_EQ(::symlink("a", (path_ + "/w/link").c_str()), 0);
  EXPECT_THAT(Told(), ElementsAre("+link"));
  write("/w/link");
  EXPECT_THAT(Told(), ElementsAre("*a"));
  write("/w/new/dir/b");
  EXPECT_THAT(Told(), ElementsAre("+new/dir/b"));
  ASSERT_TRUE(FileWriter::Begin(view_, "/w/a", {}));  // given up
  EXPECT_THAT(Told(), ElementsAre());
  Touch("/w/.cay-write-0123456789abcdef");
  EXPECT_THAT(Told(), ElementsAre("+.cay-write-0123456789abcdef"));
}

// What a reader thinks is there who does what the events say.
class Replica {
 public:
  void Apply(const WatchEvent& event) {
    switch (event.kind) {
      case WatchKind::kCreated:
        paths_.insert(event.path);
        break;
      case WatchKind::kRemoved:
        removed_[event.path] = Cut(event.path);
        break;
      case WatchKind::kRenamed:
        paths_.insert(event.path);
        if (event.from) {
          for (const std::string& below : removed_[*event.from]) paths_.insert(event.path + below);
        }
        break;
      case WatchKind::kOverflow:
        overflow_ = true;
        break;
      default:
        break;
    }
  }
  const std::set<std::string>& paths() const { return paths_; }
  bool overflow() const { return overflow_; }

 private:
  // Takes a path out with all that is below it, which is given back relative to it.
  std::vector<std::string> Cut(const std::string& path) {
    std::vector<std::string> below;
    paths_.erase(path);
    for (auto at = paths_.lower_bound(path + "/");
         at != paths_.end() && at->starts_with(path + "/"); at = paths_.erase(at)) {
      below.push_back(at->substr(path.size()));
    }
    return below;
  }
  std::set<std::string> paths_;
  std::map<std::string, std::vector<std::string>> removed_;
  bool overflow_ = false;
};

// Makes, renames, moves in and out, and removes directories and files, as `seed` has it.
void Churn(const std::string& root, unsigned seed, int steps) {
  std::mt19937 random(seed);
  const std::string own = "t" + std::to_string(seed) + "-";
  const auto any = [&](unsigned count) { return static_cast<unsigned>(random()) % count; };
  const auto directory = [&] {
    std::string path = root + "/w";
    for (unsigned depth = any(3); depth > 0; --depth) path += "/" + own + std::to_string(any(4));
    return path;
  };
  const auto name = [&] { return "/" + own + std::to_string(any(4)); };
  for (int i = 0; i < steps; ++i) {
    // Most of these fail at times, since what they are about is not there.
    switch (any(6)) {
      case 0:
        ::mkdir((directory() + name()).c_str(), 0755);
        break;
      case 1:
        static_cast<void>(
            Fd::Adopt(::open((directory() + "/" + own + "f" + std::to_string(i)).c_str(),
                             O_CREAT | O_WRONLY | O_CLOEXEC, 0644)));
        break;
      case 2:
      case 3:
        ::rename((directory() + name()).c_str(), (directory() + name()).c_str());
        break;
      case 4:
        ::rename((directory() + name()).c_str(), (root + "/outside" + name()).c_str());
        break;
      default:
        ::rename((root + "/outside" + name()).c_str(), (directory() + name()).c_str());
        break;
    }
  }
}

class TreeWatcherChurnTest : public TreeWatcherRenameTest {
 protected:
  void Follow(Replica& replica) {
    while (Waits()) EXPECT_TRUE(watcher_->Collect());
    while (watcher_->HasEvents()) {
      for (const WatchEvent& event : watcher_->Take(100)) replica.Apply(event);
    }
  }
  std::set<std::string> There() const {
    std::set<std::string> there;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_ + "/w")) {
      there.insert(entry.path().string().substr(path_.size() + 3));
    }
    return there;
  }
};

TEST_F(TreeWatcherChurnTest, WhoFollowsTheEventsKnowsWhatIsThere) {
  for (unsigned round = 0; round < 20; ++round) {
    Watch();
    Replica replica;
    for (const std::string& path : There()) {
      replica.Apply({.kind = WatchKind::kCreated, .path = path});
    }
    std::atomic<int> running = 2;
    std::vector<std::thread> churns;
    for (unsigned i = 0; i < 2; ++i) {
      churns.emplace_back([&, i] {
        Churn(path_, round * 2 + i, 400);
        --running;
      });
    }
    while (running > 0) Follow(replica);
    for (std::thread& churn : churns) churn.join();
    Follow(replica);
    EXPECT_FALSE(replica.overflow()) << "round " << round;
    std::vector<std::string> wrong;
    std::ranges::set_symmetric_difference(replica.paths(), There(), std::back_inserter(wrong));
    ASSERT_THAT(wrong, ElementsAre()) << "round " << round;
  }
}

}  // namespace
}  // namespace cay::guest
