// Reset: nothing that was written or started is there afterwards, wherever it was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "base/os/sys.h"

#include "manager_fixture.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

// Writes everywhere, as the user and as root, replaces what the template has, and leaves processes.
constexpr const char* kSpoil =
    "for d in /workspace /workspace/agent_workspace /workspace/outputs /tmp /var/tmp /dev/shm "
    "$HOME; do "
    "echo x > $d/mark-file; mkdir -p $d/mark-dir/sub; ln -s /etc $d/mark-link; done; "
    "rm -rf /workspace/outputs; ln -s /etc /workspace/outputs; setsid sleep 1000 & "
    "sleep 0.1";
constexpr const char* kSpoilAsRoot =
    "for d in / /etc /usr /usr/local/bin /var /opt /root /srv; do "
    "mkdir -p $d 2>/dev/null; echo x > $d/mark-file; done; "
    "echo 10.0.0.1 spoilt >> /etc/hosts; rm -rf /usr/share; chmod 777 /etc; mkdir /mark-dir";
constexpr const char* kWhatIsLeft =
    "find / -xdev -name 'mark-*' 2>/dev/null; find /workspace /tmp /dev/shm -name 'mark-*'; "
    "pgrep -x sleep; grep spoilt /etc/hosts; test -d /usr/share || echo no share; "
    "stat -c %a /etc; test -L /workspace/outputs && echo link; echo y > /workspace/outputs/y";

class ResetTest : public ManagerTest {
 protected:
  // Resets it, and expects what a fresh one shows.
  void ExpectAsNew(const std::string& id, const std::string& fresh) {
    EXPECT_THAT(Run(id, kSpoil), HasSubstr("[0]"));
    Run(id, kSpoilAsRoot, "root");
    EXPECT_THAT(Run(id, kWhatIsLeft), HasSubstr("/workspace/mark-file"));
    EXPECT_THAT(Run(id, kWhatIsLeft), HasSubstr("/etc/mark-file"));
    const auto reset = manager().Reset(me_, id);
    ASSERT_TRUE(reset) << reset.error().ToString();
    EXPECT_EQ(reset->state, SandboxState::kRunning);
    EXPECT_EQ(Run(id, kWhatIsLeft), fresh);
  }
};

TEST_F(ResetTest, NothingThatWasWrittenOrStartedIsLeft) {
  const std::string fresh = Run(Create().id.text(), kWhatIsLeft);
  EXPECT_EQ(fresh, "755\n[0]");
  const std::string id = Create().id.text();
  // Called again when the sandbox is destroyed, after this test.
  const auto gone = std::make_shared<std::atomic<int>>(0);
  manager().OnGuestGone([gone](const SandboxId&, const GuestEnd&) { ++*gone; });
  ExpectAsNew(id, fresh);
  EXPECT_EQ(*gone, 1);
  EXPECT_EQ(AwaitEvent("sandbox.reset", id), "requested");
  ExpectAsNew(id, fresh);
  // What a reset gave is kept as anything is.
  Run(id, "echo kept > /workspace/kept");
  ASSERT_TRUE(manager().Stop(me_, id));
  ASSERT_TRUE(manager().Start(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/kept"), "kept\n[0]");
}

TEST_F(ResetTest, AlsoOfOneThatAnEarlierServerMade) {
  const std::string id = Create().id.text();
  const std::string fresh = Run(Create().id.text(), kWhatIsLeft);
  Run(id, "echo x > /workspace/mark-before; setsid sleep 1000 & sleep 0.1");
  Reopen();
  ExpectAsNew(id, fresh);
  Reopen();
  EXPECT_EQ(Run(id, kWhatIsLeft), fresh);
}

TEST_F(ResetTest, MountsStayWithWhatIsInThem) {
  const std::string directory = paths_.state_dir + "/mounted";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/given") << "given";
  options_.mount_roots = {paths_.state_dir + "/mounted"};
  Reopen();
  const std::string id =
      Create({.mounts = {{.source = directory, .target = "/data", .read_only = true}}}).id.text();
  Run(id, "echo x > /workspace/x");
  ASSERT_TRUE(manager().Reset(me_, id));
  EXPECT_EQ(Run(id, "cat /data/given; ls /workspace/x 2>/dev/null"), "given[2]");
}

TEST_F(ResetTest, AnImportedTemplateIsAsItWas) {
  // As small as a template can be: a shell that brings all it needs.
  const std::string rootfs = paths_.state_dir + "/rootfs";
  std::filesystem::create_directories(rootfs + "/bin");
  std::filesystem::create_directories(rootfs + "/etc");
  std::ofstream(rootfs + "/etc/given") << "given";
  const std::string line =
      "cp -L /bin/sh /bin/cat /bin/rm /bin/ls " + rootfs +
      "/bin && ldd /bin/sh /bin/cat /bin/rm "
      "/bin/ls | grep -o '/[^ ]*\\.so[^ ]*' | sort -u | xargs -I{} cp -L --parents {} " +
      rootfs;
  ASSERT_EQ(::system(line.c_str()), 0);
  const auto imported = server_.templates->Import("tiny", rootfs, {});
  ASSERT_TRUE(imported) << imported.error().ToString();
  const std::string id = Create({.template_name = "tiny"}).id.text();
  EXPECT_EQ(Run(id, "echo x > /etc/written; rm /etc/given; echo x > /written; ls /written", "root"),
            "/written\n[0]");
  ASSERT_TRUE(manager().Reset(me_, id));
  EXPECT_EQ(Run(id, "cat /etc/given; ls /etc/written /written 2>/dev/null", "root"), "given[2]");
  ASSERT_TRUE(manager().Destroy(me_, id, "requested"));
  EXPECT_TRUE(server_.templates->Remove("tiny"));
}

// A launcher that hangs gets the request, and is killed for it.
TEST_F(ResetTest, AResetOrACreateThatFailsWithTheLauncherIsDoneByTheNext) {
  const std::string id = Create().id.text();
  Run(id, "echo x > /workspace/mark-file");
  server_.engine->SetPatience(Millis(5000));
  const auto hang = [&] { ASSERT_EQ(::kill(server_.engine->launcher_pid(), SIGSTOP), 0); };
  hang();
  const auto made = manager().Create(me_, {.name = "made"});
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ(Run("made", "true"), "[0]");
  hang();
  const auto reset = manager().Reset(me_, id);
  ASSERT_TRUE(reset) << reset.error().ToString();
  EXPECT_EQ(Run(id, "ls /workspace/mark-file 2>/dev/null"), "[2]");
  EXPECT_EQ(AwaitInEngine(2), 2U);
}

TEST_F(ResetTest, WhatCannotBeDoneLeavesItAsItWas) {
  const std::string id = Create().id.text();
  Run(id, "echo kept > /workspace/kept; setsid sleep 1000 & sleep 0.1");
  ASSERT_TRUE(manager().Pause(me_, id));
  EXPECT_EQ(manager().Reset(me_, id).error().code(), ErrorCode::kIllegalState);
  ASSERT_TRUE(manager().Resume(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/kept; pgrep -c -x sleep"), "kept\n1\n[0]");
}

}  // namespace
}  // namespace cay::sandbox
