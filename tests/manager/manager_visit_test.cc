// Files of stopped sandboxes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <optional>
#include <thread>

#include "base/os/sys.h"

#include "manager_fixture.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

class VisitTest : public ManagerTest {
 protected:
  // One that is stopped, with "kept" in /workspace/x.
  std::string Stopped(const SandboxSpec& spec = {}) {
    const std::string id = Create(spec).id.text();
    EXPECT_EQ(Run(id, "echo -n kept > /workspace/x"), "[0]");
    EXPECT_TRUE(manager().Stop(me_, id));
    return id;
  }
  static std::string Read(const Lease& lease, const std::string& path = "/workspace/x") {
    std::string content;
    const auto read = lease.guest().ReadFile({.user = lease.user(), .path = path},
                                             [&](std::string_view bytes) -> Result<void> {
                                               content += bytes;
                                               return {};
                                             });
    return read ? content : read.error().ToString();
  }
  std::string ReadOf(const std::string& which, const std::string& path = "/workspace/x") {
    const auto lease = manager().UseFiles(me_, which);
    return lease ? Read(*lease, path) : lease.error().ToString();
  }
  static Result<void> Write(const Lease& lease, const std::string& path,
                            const std::string& content) {
    protocol::WriteFileRequest write;
    write.user = lease.user();
    write.path = path;
    TRY(lease.guest().WriteFile(write, TextSource(content)));
    return {};
  }
  bool HasGuest(const std::string& id) {
    return server_.engine->Connect(*SandboxId::Parse(id), Millis(0)).has_value();
  }
  static bool IsGone(const Lease& lease) {
    const auto watch = lease.Watch();
    if (!watch) return true;
    pollfd poller{.fd = watch->get(), .events = POLLIN, .revents = 0};
    return ::poll(&poller, 1, 20'000) == 1;
  }
};

TEST_F(VisitTest, FilesAreReadAndWrittenAndNobodySeesThatItHadAGuest) {
  const std::string id = Stopped();
  const size_t events = CountEvents(id);
  const SandboxView before = *manager().Get(me_, id);
  {
    const auto lease = manager().UseFiles(me_, id);
    ASSERT_TRUE(lease) << lease.error().ToString();
    EXPECT_EQ(lease->view().state, SandboxState::kStopped);
    EXPECT_EQ(Read(*lease), "kept");
    EXPECT_TRUE(Write(*lease, "/workspace/y", "written"));
    EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kStopped);
    EXPECT_EQ(server_.engine->List()->at(0).state, engine::State::kStopped);
    // Files, and nothing else.
    EXPECT_EQ(manager().Use(me_, id).error().code(), ErrorCode::kIllegalState);
    EXPECT_EQ(manager().UseForServer(before.id).error().code(), ErrorCode::kIllegalState);
    EXPECT_TRUE(manager().Running().empty());
  }
  EXPECT_FALSE(HasGuest(id));
  const SandboxView after = *manager().Get(me_, id);
  EXPECT_EQ(after.state, SandboxState::kStopped);
  EXPECT_EQ(after.reason, before.reason);
  EXPECT_EQ(after.expires_unix_ms, before.expires_unix_ms);
  EXPECT_EQ(after.idle_expires_unix_ms, std::nullopt);
  EXPECT_EQ(CountEvents(id), events);
  ASSERT_TRUE(manager().Start(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/x /workspace/y"), "keptwritten[0]");
}

TEST_F(VisitTest, ThoseWhoComeTogetherShareAGuestThatEndsWithTheLast) {
  const std::string id = Stopped();
  auto first = std::make_optional(manager().UseFiles(me_, id));
  ASSERT_TRUE(*first);
  std::vector<std::thread> others;
  std::atomic<int> read = 0;
  for (int i = 0; i < 8; ++i) others.emplace_back([&] { read += ReadOf(id) == "kept" ? 1 : 0; });
  for (std::thread& other : others) other.join();
  EXPECT_EQ(read, 8);
  EXPECT_EQ(Read(**first), "kept");
  first.reset();
  EXPECT_FALSE(HasGuest(id));
}

TEST_F(VisitTest, AStartMakesTheGuestTheSandboxsOwnAndDisturbsNobody) {
  const std::string id = Stopped();
  auto lease = std::make_optional(manager().UseFiles(me_, id));
  ASSERT_TRUE(*lease);
  const auto started = manager().Start(me_, id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(Run(id, "cat /workspace/x"), "kept[0]");
  EXPECT_EQ(Read(**lease), "kept");
  lease.reset();
  EXPECT_EQ(Run(id, "cat /workspace/x"), "kept[0]");
  Reopen();
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kRunning);
  // Seen when it ends, as any.
  const auto guest = server_.engine->Watch(*SandboxId::Parse(id));
  ASSERT_TRUE(guest);
  ASSERT_TRUE(sys::PidfdSendSignal(*guest, SIGKILL));
  EXPECT_TRUE(Await(id, SandboxState::kFailed));
}

TEST_F(VisitTest, AStopAfterThatStartIsNotUndoneByWhoIsStillThere) {
  const std::string id = Stopped();
  auto old = std::make_optional(manager().UseFiles(me_, id));
  ASSERT_TRUE(*old);
  ASSERT_TRUE(manager().Start(me_, id));
  ASSERT_TRUE(manager().Stop(me_, id));
  EXPECT_NE(Read(**old), "kept");
  const auto lease = manager().UseFiles(me_, id);
  ASSERT_TRUE(lease) << lease.error().ToString();
  old.reset();
  EXPECT_EQ(Read(*lease), "kept");
}

TEST_F(VisitTest, ADestroyTakesItFromWhoIsThere) {
  const std::string id = Stopped();
  const auto lease = manager().UseFiles(me_, id);
  ASSERT_TRUE(lease);
  ASSERT_TRUE(manager().Destroy(me_, id, "requested"));
  EXPECT_TRUE(IsGone(*lease));
  EXPECT_NE(Read(*lease), "kept");
  EXPECT_EQ(AwaitInEngine(0), 0U);
}

TEST_F(VisitTest, TheEndOfItsLifeComesAllTheSame) {
  const std::string id = Stopped({.timeout = Millis(3000)});
  const auto lease = manager().UseFiles(me_, id);
  EXPECT_TRUE(Await(id, SandboxState::kDestroyed));
}

TEST_F(VisitTest, AGuestThatEndsIsReplacedForTheNextWhoComes) {
  const std::string id = Stopped();
  const auto first = manager().UseFiles(me_, id);
  ASSERT_TRUE(first);
  const auto guest = first->Watch();
  ASSERT_TRUE(guest);
  ASSERT_TRUE(sys::PidfdSendSignal(*guest, SIGKILL));
  ASSERT_TRUE(IsGone(*first));
  EXPECT_EQ(ReadOf(id), "kept");
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kStopped);
  ASSERT_TRUE(manager().Start(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/x"), "kept[0]");
}

// The server and its launcher die while somebody is there: the lease is never left.
TEST_F(VisitTest, WhatADeadServerVisitedIsStoppedForTheNextOne) {
  const std::string id = Stopped();
  const auto visited = server_.engine->Visit(*SandboxId::Parse(id));
  ASSERT_TRUE(visited) << visited.error().ToString();
  Reopen();
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kStopped);
  pollfd poller{.fd = visited->guest->get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poller, 1, 20'000), 1);
  EXPECT_FALSE(HasGuest(id));
  EXPECT_EQ(ReadOf(id), "kept");
  // Limits of what is stopped can be changed, whatever became of its group.
  EXPECT_TRUE(manager().Update(me_, id, {.memory = 96 * kMiB}));
  ASSERT_TRUE(manager().Start(me_, id));
  EXPECT_EQ(Run(id, "cat /workspace/x"), "kept[0]");
}

TEST_F(VisitTest, ItsMemoryIsAdmittedForThatLongAndNoLonger) {
  options_.max_memory = 256 * kMiB;
  Reopen();
  const std::string id = Stopped();
  {
    const auto lease = manager().UseFiles(me_, id);
    ASSERT_TRUE(lease);
    const std::string other = Create().id.text();
    EXPECT_FALSE(manager().Create(me_, {}));
    ASSERT_TRUE(manager().Destroy(me_, other, "requested"));
  }
  const std::string first = Create().id.text();
  const std::string second = Create().id.text();
  const auto refused = manager().UseFiles(me_, id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  ASSERT_TRUE(manager().Destroy(me_, first, "requested"));
  EXPECT_EQ(ReadOf(id), "kept");
  {
    // Started, or destroyed, it is not counted twice.
    const auto lease = manager().UseFiles(me_, id);
    ASSERT_TRUE(manager().Start(me_, id));
  }
  ASSERT_TRUE(manager().Stop(me_, id));
  {
    const auto lease = manager().UseFiles(me_, id);
    ASSERT_TRUE(manager().Destroy(me_, id, "requested"));
  }
  EXPECT_TRUE(manager().Create(me_, {}));
  EXPECT_FALSE(manager().Create(me_, {}));
}

TEST_F(VisitTest, WhatIsInMemoryIsRefusedAndNotLostInSilence) {
  const std::string id = Stopped({.tmpfs = {{.target = "/scratch", .size = kMiB}}});
  const auto lease = manager().UseFiles(me_, id);
  ASSERT_TRUE(lease);
  for (const char* path : {"/dev/shm/x", "/scratch/x", "/workspace/../dev/shm/x", "//scratch//x"}) {
    const auto checked = lease->CheckKept(path);
    ASSERT_FALSE(checked) << path;
    EXPECT_EQ(checked.error().code(), ErrorCode::kIllegalState);
    EXPECT_THAT(checked.error().remedy().text(), HasSubstr("start "));
  }
  for (const char* path : {"/workspace/x", "/scratchy", "/devices", "/"})
    EXPECT_TRUE(lease->CheckKept(path)) << path;
  ASSERT_TRUE(manager().Start(me_, id));
  const auto running = manager().UseFiles(me_, id);
  ASSERT_TRUE(running);
  EXPECT_TRUE(running->CheckKept("/dev/shm/x"));
}

TEST_F(VisitTest, APausedOneIsNotVisited) {
  const std::string id = Create().id.text();
  ASSERT_TRUE(manager().Pause(me_, id));
  const auto refused = manager().UseFiles(me_, id);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("resume "));
}

}  // namespace
}  // namespace cay::sandbox
