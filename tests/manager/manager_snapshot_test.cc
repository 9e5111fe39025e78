// Snapshots: what a sandbox wrote is kept, for its owner alone, whatever the sandbox is doing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/os/file.h"

#include "manager_fixture.h"

namespace cay::sandbox {
namespace {

using templates::TemplateInfo;
using ::testing::HasSubstr;
using ::testing::Not;

class SnapshotTest : public ManagerTest {
 protected:
  // All tests have one state directory.
  void TearDown() override {
    const Caller everybodys{.owner = "root", .admin = true};
    for (const std::string& name : Names(everybodys))
      EXPECT_TRUE(manager().snapshots().Remove(everybodys, name)) << name;
    ManagerTest::TearDown();
  }

  TemplateInfo Take(const std::string& id, const std::string& name, bool replace = false) {
    auto taken = manager().TakeSnapshot(me_, id, {.name = name, .replace = replace});
    EXPECT_TRUE(taken) << taken.error().ToString();
    return taken.value_or(TemplateInfo{});
  }
  std::string CreateFrom(const std::string& name) {
    SandboxSpec spec;
    spec.template_name = name;
    return Create(spec).id.text();
  }
  std::vector<std::string> Names(const Caller& caller) {
    std::vector<std::string> names;
    const auto list = manager().snapshots().List(caller);
    EXPECT_TRUE(list) << list.error().ToString();
    for (const TemplateInfo& info : list.value_or(std::vector<TemplateInfo>{}))
      names.push_back(info.name);
    return names;
  }
  ErrorCode CodeOfTake(const std::string& id, const std::string& name) {
    const auto taken = manager().TakeSnapshot(me_, id, {.name = name});
    return taken ? ErrorCode::kInternal : taken.error().code();
  }
};

constexpr const char* kWriteEverywhere =
    "set -e; echo mine > /workspace/mine; echo t > /tmp/t; mkdir -p $HOME/d; echo h > $HOME/d/h; "
    "chmod 600 $HOME/d/h; ln -s mine /workspace/link; ln /workspace/mine /workspace/hard; "
    "rm -rf /workspace/outputs";
constexpr const char* kWriteEverywhereAsRoot =
    "set -e; echo r > /etc/mark; rm /etc/nsswitch.conf; mkdir -p /opt/a/b; echo x > /opt/a/b/c; "
    "chmod 755 /root; echo s > /root/s; mkdir -p /usr/local/mark 2>/dev/null && "
    "echo u > /usr/local/mark/u; rm -rf /usr/share/doc";
constexpr const char* kLookEverywhere =
    "cd /; for f in workspace tmp/t home etc/mark etc/nsswitch.conf opt root usr/local/mark "
    "usr/share/doc; do find $f -printf '%p %y %m %U:%G %s %l\\n' 2>/dev/null | sort; done; "
    "cat workspace/mine tmp/t opt/a/b/c usr/local/mark/u; stat -c %h workspace/hard";

TEST_F(SnapshotTest, WhatBeginsWithOneSeesWhatTheSandboxSaw) {
  const std::string id = Create().id.text();
  ASSERT_THAT(Run(id, kWriteEverywhere), HasSubstr("[0]"));
  ASSERT_THAT(Run(id, kWriteEverywhereAsRoot, "root"), HasSubstr("[0]"));
  const std::string seen = Run(id, kLookEverywhere, "root");
  const TemplateInfo info = Take(id, "all");
  EXPECT_EQ(info.name, "@me/all");
  EXPECT_EQ(info.parent, "host");
  EXPECT_EQ(info.sandbox, id);
  EXPECT_EQ(AwaitEvent("sandbox.snapshotted", id), "@me/all");
  EXPECT_EQ(Run(id, "echo later > /workspace/mine"), "[0]");
  const std::string other = CreateFrom("all");
  EXPECT_EQ(Run(other, kLookEverywhere, "root"), seen);
  // Again, of the one that was made from it; and of one that stopped, was paused, and whose server
  // was another.
  EXPECT_EQ(Run(other, "echo deeper > /workspace/deeper; rm /workspace/link"), "[0]");
  ASSERT_TRUE(manager().Pause(me_, other));
  EXPECT_EQ(Take(other, "paused").parent, "@me/all");
  EXPECT_EQ(manager().Get(me_, other)->state, SandboxState::kPaused);
  ASSERT_TRUE(manager().Stop(me_, other));
  Reopen();
  Take(other, "stopped");
  for (const char* name : {"paused", "stopped"}) {
    const std::string third = CreateFrom(name);
    EXPECT_EQ(Run(third, "cat /workspace/deeper /workspace/mine; test -L /workspace/link"),
              "deeper\nmine\n[1]");
  }
  // Another server has adopted it.
  ASSERT_TRUE(manager().Start(me_, other));
  Reopen();
  Take(other, "adopted");
  EXPECT_EQ(Run(CreateFrom("adopted"), "cat /workspace/deeper"), "deeper\n[0]");
}

TEST_F(SnapshotTest, ADirectoryOfTheTemplateThatWasRenamedKeepsItsFiles) {
  const std::string id = Create().id.text();
  ASSERT_EQ(Run(id, "mv /usr/share /usr/shared && ls /usr/shared | wc -l > /workspace/n", "root"),
            "[0]");
  Take(id, "renamed");
  EXPECT_EQ(Run(CreateFrom("renamed"),
                "test \"$(ls /usr/shared | wc -l)\" = \"$(cat /workspace/n)\"; ls /usr/share"),
            "ls: cannot access '/usr/share': No such file or directory\n[2]");
}

TEST_F(SnapshotTest, WhatRunsStandsStillForAMomentOnly) {
  const std::string id = Create().id.text();
  // Two files that are the same at any moment at which nothing runs between two writes of one
  // process: the second is never ahead of the first, and never more than one behind.
  ASSERT_THAT(Run(id,
                  "cd /workspace; (i=0; while :; do i=$((i+1)); echo $i >> a; echo $i >> b; "
                  "done) >/dev/null 2>&1 & sleep 0.3"),
              HasSubstr("[0]"));
  for (int round = 0; round < 5; ++round) {
    Take(id, "moment", /*replace=*/true);
    const std::string made = CreateFrom("moment");
    EXPECT_EQ(Run(made,
                  "a=$(tail -n 1 /workspace/a); b=$(tail -n 1 /workspace/b); "
                  "test $a = $b || test $a = $((b+1)) || echo $a $b"),
              "[0]");
    ASSERT_TRUE(manager().Destroy(me_, made, "test"));
  }
  EXPECT_EQ(Run(id, "a=$(wc -l < /workspace/a); sleep 0.3; test $(wc -l < /workspace/a) -gt $a"),
            "[0]");
}

TEST_F(SnapshotTest, NobodyElseLearnsOfIt) {
  const std::string id = Create().id.text();
  ASSERT_THAT(Run(id, "echo secret > /workspace/secret"), HasSubstr("[0]"));
  Take(id, "mine");
  const Caller other{.owner = "other", .admin = false};
  EXPECT_TRUE(Names(other).empty());
  EXPECT_EQ(Names({.owner = "root", .admin = true}), std::vector<std::string>{"@me/mine"});
  for (const char* name : {"mine", "@me/mine", "@me/none"}) {
    SandboxSpec spec;
    spec.template_name = name;
    const auto created = manager().Create(other, spec);
    ASSERT_FALSE(created) << name;
    EXPECT_EQ(created.error().code(), ErrorCode::kNotFound) << created.error().ToString();
    EXPECT_THAT(created.error().ToString(), Not(HasSubstr("@me/mine,")));
    EXPECT_FALSE(manager().snapshots().Get(other, name));
    EXPECT_FALSE(manager().snapshots().Remove(other, name));
  }
  EXPECT_FALSE(manager().TakeSnapshot(other, id, {.name = "theirs"}));
  EXPECT_FALSE(manager().Restore(other, id, "mine"));
  EXPECT_EQ(Names(me_), std::vector<std::string>{"@me/mine"});
  // An owner's snapshot is its own, whatever others call theirs.
  const auto theirs = manager().Create(other, {});
  ASSERT_TRUE(theirs);
  ASSERT_TRUE(manager().TakeSnapshot(other, theirs->id.text(), {.name = "mine"}));
  EXPECT_EQ(Run(CreateFrom("mine"), "cat /workspace/secret"), "secret\n[0]");
  EXPECT_EQ(Names(other), std::vector<std::string>{"@other/mine"});
}

TEST_F(SnapshotTest, ASandboxGoesBackToItsOwn) {
  const std::string id = Create().id.text();
  ASSERT_THAT(Run(id, "echo one > /workspace/f"), HasSubstr("[0]"));
  Take(id, "one");
  ASSERT_THAT(
      Run(id, "echo two > /workspace/f; echo x > /workspace/x; setsid sleep 1000 & sleep 0.1"),
      HasSubstr("[0]"));
  Take(id, "two");
  const auto restored = manager().Restore(me_, id, "one");
  ASSERT_TRUE(restored) << restored.error().ToString();
  EXPECT_EQ(restored->state, SandboxState::kRunning);
  EXPECT_EQ(restored->spec.template_name, "@me/one");
  EXPECT_EQ(AwaitEvent("sandbox.restored", id), "requested");
  constexpr const char* kLook = "cat /workspace/f; ls /workspace/x; pgrep -x sleep";
  EXPECT_EQ(Run(id, kLook),
            "one\nls: cannot access '/workspace/x': No such file or directory\n[1]");
  // There and back, over a restart, and a reset goes to the snapshot.
  ASSERT_TRUE(manager().Restore(me_, id, "two"));
  EXPECT_EQ(Run(id, "cat /workspace/f /workspace/x"), "two\nx\n[0]");
  Reopen();
  ASSERT_TRUE(manager().Restore(me_, id, "one"));
  ASSERT_THAT(Run(id, "echo three > /workspace/f"), HasSubstr("[0]"));
  ASSERT_TRUE(manager().Reset(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/f"), "one\n[0]");
  // Its snapshots go, and it stays.
  ASSERT_TRUE(manager().snapshots().Remove(me_, "one"));
  ASSERT_TRUE(manager().snapshots().Remove(me_, "two"));
  ASSERT_TRUE(manager().Stop(me_, id));
  ASSERT_TRUE(manager().Start(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/f"), "one\n[0]");
  const std::string other = Create().id.text();
  Take(other, "others");
  const auto wrong = manager().Restore(me_, id, "others");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Run(id, "cat /workspace/f"), "one\n[0]");
}

TEST_F(SnapshotTest, AnOwnerHasSoManyAndSoMuch) {
  options_.max_snapshots_per_owner = 2;
  options_.max_snapshot_bytes_per_owner = 3 * kMiB;
  Reopen();
  const std::string id = Create().id.text();
  Take(id, "a");
  Take(id, "b");
  EXPECT_EQ(CodeOfTake(id, "c"), ErrorCode::kResourceExhausted);
  Take(id, "b", /*replace=*/true);
  EXPECT_EQ(CodeOfTake(id, "b"), ErrorCode::kResourceExhausted);
  ASSERT_TRUE(manager().snapshots().Remove(me_, "b"));
  EXPECT_EQ(CodeOfTake(id, "a"), ErrorCode::kAlreadyExists);
  ASSERT_THAT(Run(id, "head -c 4194304 /dev/zero | tr '\\0' x > /workspace/big"), HasSubstr("[0]"));
  EXPECT_EQ(CodeOfTake(id, "c"), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Run(id, "truncate -s 2M /workspace/big; echo goes on"), "goes on\n[0]");
  Take(id, "c");
  EXPECT_EQ(CodeOfTake(id, "not/short"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOfTake(id, "@me/x"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Names(me_), (std::vector<std::string>{"@me/a", "@me/c"}));
}

// What the template said of its programs stays with the sandbox.
TEST_F(SnapshotTest, ItOutlivesTheTemplate) {
  const std::string root = paths_.state_dir + "/rootfs";
  for (const char* directory : {"/bin", "/etc"})
    ASSERT_TRUE(MakeDirectories(root + directory, 0755));
  ASSERT_TRUE(WriteFileAtomic(root + "/etc/passwd", "own:x:1000:1000::/home/own:/bin/sh\n", 0644));
  ASSERT_TRUE(server_.templates->Import("base", root, {}));
  const std::string id = CreateFrom("base");
  ASSERT_TRUE(server_.templates->Remove("base"));
  const TemplateInfo info = Take(id, "orphaned");
  EXPECT_EQ(info.user, "own");
  EXPECT_EQ(info.parent, "base");
  EXPECT_TRUE(server_.templates->Find("@me/orphaned"));
}

}  // namespace
}  // namespace cay::sandbox
