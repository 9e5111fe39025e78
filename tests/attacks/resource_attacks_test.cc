// Attacks on what the machine has: memory, processors, disk, time, output.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "arena.h"
#include "base/os/file.h"

namespace cay::attacks {
namespace {

using std::chrono::milliseconds;

// In MiB; what the kernel thinks could be given to programs.
long AvailableMemory() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    long value = 0;
    if (key == "MemAvailable:" && meminfo >> value) return value / 1024;
  }
  return -1;
}

long FreeDisk(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return -1;
  return static_cast<long>(status.f_bavail * status.f_frsize >> 20);
}

class Resources : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  // `cay run --json`, so that what ended the command is known.
  Outcome RunJson(const std::string& probe, const std::string& options) {
    return arena_.Attack(probe, "--json " + options)->Wait();
  }

  // Whether a fresh sandbox works, and nothing of an earlier one is left.
  void ExpectHealthy() {
    EXPECT_EQ(VerdictOf(arena_.Attack("crash")->Wait()), "killed SIGSEGV");
    EXPECT_TRUE(arena_.Leftovers().empty());
  }

  Arena& arena_ = Arena::Own();
};

bool Says(const Outcome& outcome, const std::string& key_and_value) {
  return outcome.out.find(key_and_value) != std::string::npos;
}

struct Bomb {
  const char* name;
  const char* probe;
  const char* cpus = "1";
};

template <class T>
std::string ParameterName(const testing::TestParamInfo<T>& info) {
  return info.param.name;
}

class MemoryBombs : public Resources, public testing::WithParamInterface<Bomb> {};

// The limit is 64 MiB: the machine has at most that and some slack less while the bomb runs.
TEST_P(MemoryBombs, StayWithinTheLimit) {
  constexpr long kSlackMiB =
      1024;  // others live on this machine too; without a limit it would be all there is
  const long before = AvailableMemory();
  long least = before;
  const auto child = arena_.Attack(
      GetParam().probe, "--memory 64m --pids 64 --timeout 3s --json --scratch memory --cpus " +
                            std::string(GetParam().cpus));
  std::jthread observer([&least](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      least = std::min(least, AvailableMemory());
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  const Outcome outcome = child->Wait();
  observer.request_stop();
  observer.join();
  EXPECT_GE(least, before - 64 - kSlackMiB);
  EXPECT_TRUE(outcome.exit_code == 137 || outcome.exit_code == 124 || outcome.exit_code == 0)
      << outcome.exit_code << outcome.out << outcome.err;
  ExpectHealthy();
}

INSTANTIATE_TEST_SUITE_P(
    Of, MemoryBombs,
    testing::Values(Bomb{"Anonymous", "memory_bomb"}, Bomb{"Pipes", "pipe_bomb"},
                    Bomb{"Sockets", "socket_bomb"},
                    // What the kernel does in vain for them is a debt that they would have to
                    // pay off before they die.
                    Bomb{"PipesOnLittleProcessor", "pipe_bomb", "0.1"},
                    Bomb{"Dentries", "dentry_bomb 300000"}, Bomb{"Tmpfs", "tmpfs_bomb /dev/shm"},
                    Bomb{"Scratch", "tmpfs_bomb /tmp"}),
    ParameterName<Bomb>);

TEST_F(Resources, AllocatingPastTheLimitEndsAsOomKilled) {
  const Outcome outcome = RunJson("memory_bomb", "--memory 64m --timeout 20s");
  EXPECT_EQ(outcome.exit_code, 137) << outcome.err;
  EXPECT_TRUE(Says(outcome, "\"oom_killed\":true")) << outcome.out;
}

TEST_F(Resources, AForkBombEndsWithTheTimeoutAndTheHostForksOn) {
  const auto child = arena_.Attack("fork_bomb", "--pids 64 --timeout 2s");
  for (int i = 0; i < 20; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) ::_exit(0);
    ::waitpid(pid, nullptr, 0);
    std::this_thread::sleep_for(milliseconds(20));
  }
  const Outcome outcome = child->Wait();
  EXPECT_EQ(outcome.exit_code, 124) << outcome.err;
  ExpectHealthy();
}

TEST_F(Resources, WhatIsWrittenPastTheDiskLimitDoesNotFillTheHost) {
  const long before = FreeDisk(arena_.state_dir());
  long least = before;
  const auto child = arena_.Attack("fill_blocks /tmp", "--disk 64m --scratch disk");
  std::jthread observer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      least = std::min(least, FreeDisk(arena_.state_dir()));
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  const Outcome outcome = child->Wait();
  observer.request_stop();
  observer.join();
  EXPECT_TRUE(VerdictOf(outcome).starts_with("refused ENOSPC")) << outcome.out << outcome.err;
  // Others write on this machine too; without a limit it would be all there is.
  EXPECT_GE(least, before - 64 - 1024);
}

struct Persistent {
  const char* name;
  const char* probe;
};
class Timeouts : public Resources, public testing::WithParamInterface<Persistent> {};

// What holds out against SIGTERM, stops itself, or leaves a daemon that holds stdout.
TEST_P(Timeouts, EndTheCommandAndLeaveNothing) {
  const Outcome outcome =
      arena_.Attack(GetParam().probe, "--timeout 1s")->Wait(milliseconds(15'000));
  EXPECT_TRUE(outcome.exit_code == 124 || outcome.exit_code == 0)
      << outcome.exit_code << " " << outcome.err;
  ExpectHealthy();
}

INSTANTIATE_TEST_SUITE_P(Of, Timeouts,
                         testing::Values(Persistent{"StoppedSelf", "stop_self"},
                                         Persistent{"IgnoredSignals", "ignore_everything"},
                                         Persistent{"Daemon", "daemon"},
                                         Persistent{"SpinningThreads", "spin 128 30"},
                                         Persistent{"SignalStorm", "signal_storm 30"},
                                         Persistent{"FsyncStorm", "fsync_storm /tmp 30"}),
                         ParameterName<Persistent>);

// In KiB.
long ResidentSize(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string key; status >> key;) {
    long value = 0;
    if (key == "VmRSS:" && status >> value) return value;
  }
  return -1;
}

TEST_F(Resources, OutputThatNobodyReadsDoesNotFillTheMemoryOfCay) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's run time keeps what is freed";
  const auto child = arena_.Attack("flood", "--timeout 2s --memory 64m");
  long most = 0;
  for (int i = 0; i < 60; ++i) {
    most = std::max(most, ResidentSize(child->pid()));
    std::this_thread::sleep_for(milliseconds(25));
  }
  EXPECT_LT(most, 64 * 1024);
  EXPECT_EQ(child->Wait().exit_code, 124);
}

TEST_F(Resources, OutputHeldForJsonIsBounded) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's run time keeps what is freed";
  const auto child = arena_.Attack("flood", "--timeout 1s --memory 64m --json");
  long most = 0;
  for (int i = 0; i < 30; ++i) {
    most = std::max(most, ResidentSize(child->pid()));
    std::this_thread::sleep_for(milliseconds(25));
  }
  EXPECT_LT(most, 64 * 1024);
  const Outcome outcome = child->Wait();
  EXPECT_TRUE(Says(outcome, "\"timed_out\":true")) << outcome.out.substr(0, 200);
}

// On a filesystem of 3 MiB, which is full.
TEST_F(Resources, AFullStateDirectoryIsOneErrorAndLeavesNoHalfMadeSandbox) {
  const std::string small = arena_.directory() + "/small";
  std::filesystem::create_directory(small);
  if (::mount("none", small.c_str(), "tmpfs", 0, "size=3m,mode=0700") != 0) {
    std::filesystem::remove(small);
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  std::ofstream(small + "/ballast") << std::string(4 << 20, 'x');
  const auto child = arena_.Cay({"run", "--", "true"}, {"CAY_STATE_DIR=" + small + "/state"});
  const Outcome outcome = child->Wait();
  EXPECT_EQ(outcome.exit_code, 125) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  std::error_code error;
  EXPECT_TRUE(!std::filesystem::exists(small + "/state/sandboxes", error) ||
              std::filesystem::is_empty(small + "/state/sandboxes", error));
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
  std::filesystem::remove(small);
}

}  // namespace
}  // namespace cay::attacks
