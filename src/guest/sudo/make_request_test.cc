#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/sudo/wanted_command.h"

namespace cay::guest::sudo {
namespace {

using testing::Contains;
using testing::Not;
using testing::StartsWith;
using Words = std::vector<std::string>;

const Account kRoot{
    .uid = 0, .gid = 0, .groups = {}, .name = "root", .home = "/root", .shell = "/bin/bash"};
const Account kAlice{.uid = 1001,
                     .gid = 7,
                     .groups = {27},
                     .name = "alice",
                     .home = "/home/alice",
                     .shell = "/bin/zsh"};

Caller User() {
  return {.account = {.uid = 1000,
                      .gid = 1000,
                      .groups = {},
                      .name = "user",
                      .home = "/home/user",
                      .shell = "/bin/sh"},
          .env = {"HOME=/home/user", "USER=user", "PATH=/opt/x:/usr/bin", "TERM=xterm", "SECRET=1",
                  "https_proxy=http://127.0.0.1:1", "PIP_INDEX_URL=x", "SHELL=/bin/dash", "broken"},
          .directory = "/workspace"};
}

protocol::StartRequest Made(const WantedCommand& wanted, const Account& target) {
  auto made = MakeRequest(wanted, target, User());
  EXPECT_TRUE(made) << made.error().message();
  return *std::move(made);
}

WantedCommand Command(Words argv) {
  WantedCommand wanted;
  wanted.argv = std::move(argv);
  return wanted;
}

TEST(MakeRequest, TheCommandIsWhoItRunsAs) {
  const auto request = Made(Command({"id"}), kRoot);
  EXPECT_EQ(request.argv, Words{"id"});
  EXPECT_EQ(request.cwd, "/workspace");
  EXPECT_EQ(request.user, "root");
  for (const char* variable : {"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
                               "SUDO_USER=user", "SUDO_UID=1000", "SUDO_GID=1000"}) {
    EXPECT_THAT(request.env, Contains(variable));
  }
}

TEST(MakeRequest, KeepsWhatTheNetworkAndTheTerminalNeed) {
  const auto request = Made(Command({"id"}), kRoot);
  EXPECT_THAT(request.env, Contains("TERM=xterm"));
  EXPECT_THAT(request.env, Contains("https_proxy=http://127.0.0.1:1"));
  EXPECT_THAT(request.env, Contains("PIP_INDEX_URL=x"));
  EXPECT_THAT(request.env, Not(Contains(StartsWith("SECRET"))));
  EXPECT_THAT(request.env, Contains("PATH=/opt/x:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin"));
}

TEST(MakeRequest, KeepsAllOrSomeWhereItIsAskedTo) {
  WantedCommand wanted = Command({"id"});
  wanted.kept = {"SECRET"};
  EXPECT_THAT(Made(wanted, kRoot).env, Contains("SECRET=1"));
  wanted.kept.clear();
  wanted.keep = Keep::kAll;
  EXPECT_THAT(Made(wanted, kRoot).env, Contains("SECRET=1"));
  EXPECT_THAT(Made(wanted, kRoot).env, Contains("HOME=/root"));
  wanted.set = {"HOME=/x"};
  EXPECT_THAT(Made(wanted, kRoot).env, Contains("HOME=/x"));
}

TEST(MakeRequest, ALoginBeginsAfresh) {
  WantedCommand wanted = Command({"echo", "a b", "$HOME"});
  wanted.login = true;
  wanted.shell = Shell::kLine;
  const auto request = Made(wanted, kAlice);
  EXPECT_EQ(request.argv, (Words{"/bin/zsh", "-l", "-c", "echo a\\ b $HOME"}));
  EXPECT_EQ(request.cwd, "/home/alice");
  EXPECT_THAT(request.env,
              Contains("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

TEST(MakeRequest, AShellIsTheCallersOrTheUsers) {
  WantedCommand wanted;
  wanted.shell = Shell::kLine;
  wanted.callers_shell = true;
  EXPECT_EQ(Made(wanted, kAlice).argv, Words{"/bin/dash"});
  wanted.callers_shell = false;
  wanted.shell = Shell::kArguments;
  wanted.command_line = "ls";
  wanted.argv = {"x"};
  EXPECT_EQ(Made(wanted, kAlice).argv, (Words{"/bin/zsh", "-c", "ls", "x"}));
}

TEST(MakeRequest, GroupsAreTheUsersUnlessOneIsNamed) {
  WantedCommand wanted = Command({"id"});
  EXPECT_EQ(Made(wanted, kAlice).user, "alice");
  wanted.group = "7";
  EXPECT_EQ(Made(wanted, kAlice).user, "1001:7");
}

TEST(MakeRequest, WhatIsTooLongIsRefused) {
  EXPECT_FALSE(MakeRequest(Command({std::string(200'000, 'x')}), kRoot, User()));
}

}  // namespace
}  // namespace cay::guest::sudo
