#include "guest/io/proc_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace cay::guest {
namespace {

Fd Proc() { return Fd::Adopt(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

TEST(ProcFilesTest, ANumberIsFoundAtTheStartOfItsLine) {
  EXPECT_EQ(FindNumber("Name:\tx\nSeccomp_filters:\t3\nEnd:\t4\n", "Seccomp_filters:"), 3U);
  EXPECT_EQ(FindNumber("sockets: used 41\nTCP: inuse 2\n", "sockets: used"), 41U);
  EXPECT_EQ(FindNumber("Seccomp_filters:\t3", "Seccomp_filters:"), 3U);
}

TEST(ProcFilesTest, WhatIsNotThereOrIsNoNumberIsNothing) {
  EXPECT_EQ(FindNumber("", "Seccomp_filters:"), std::nullopt);
  EXPECT_EQ(FindNumber("Name:\tSeccomp_filters:\t3\n", "Seccomp_filters:"), std::nullopt);
  EXPECT_EQ(FindNumber("Seccomp_filters:\n", "Seccomp_filters:"), std::nullopt);
  EXPECT_EQ(FindNumber("Seccomp_filters:\tmany\n", "Seccomp_filters:"), std::nullopt);
  EXPECT_EQ(FindNumber("Seccomp_filters:\t99999999999999999999\n", "Seccomp_filters:"),
            std::nullopt);
}

TEST(ProcFilesTest, AFileIsReadAsFarAsThereIsRoom) {
  std::array<char, 6> buffer;
  EXPECT_EQ(ReadSmall(Proc(), "self/status", buffer), "Name:\t");
  EXPECT_EQ(ReadSmall(Proc(), "self/nothing", buffer), "");
}

TEST(ProcFilesTest, OwnProcessAndThreadAreAmongTheNumbers) {
  std::vector<pid_t> processes;
  ASSERT_TRUE(ForEachNumber(Proc(), ".", [&](pid_t pid) { processes.push_back(pid); }));
  EXPECT_NE(std::ranges::find(processes, ::getpid()), processes.end());
  std::vector<pid_t> threads;
  ASSERT_TRUE(ForEachNumber(Proc(), "self/task", [&](pid_t pid) { threads.push_back(pid); }));
  EXPECT_EQ(threads, std::vector<pid_t>{::getpid()});
  EXPECT_FALSE(ForEachNumber(Proc(), "nothing", [](pid_t) {}));
}

}  // namespace
}  // namespace cay::guest
