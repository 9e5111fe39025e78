// Nothing stays: after many creates and destroys, and after SIGKILL of the caller, the launcher or
// the guest at any moment, everything on the host is as it was.
//
// CAY_LEAK_ROUNDS: 1000 for the full form (./dev test-leaks).
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "engine/native/launcher/inventory.h"
#include "host_state.h"
#include "live_sandbox.h"

namespace cay::attacks {
namespace {

unsigned Rounds(unsigned short_form) {
  const char* text = std::getenv("CAY_LEAK_ROUNDS");
  return text == nullptr ? short_form : static_cast<unsigned>(std::atoi(text));
}

class Leaks : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    // What is made once (the template's layers, empty images, directories) is made before.
    EXPECT_EQ(arena_.Cay({"run", "--", "true"})->Wait().exit_code, 0);
    before_ = TakeHostState(arena_, {});
  }

  void ExpectNothingLeft() { EXPECT_EQ(WaitForHostState(arena_, ids_, before_), before_); }
  void RememberIds() {
    for (const std::string& id : arena_.Leftovers()) ids_.push_back(id);
  }
  Paths paths() const { return {arena_.state_dir(), arena_.run_dir()}; }

  Arena& arena_ = Arena::Own();
  HostState before_;
  std::vector<std::string> ids_;
};

TEST_F(Leaks, CreateAndDestroyLeaveNothing) {
  const auto engine = StartEngine(arena_);
  const engine::RootFilesystem root = HostTemplate(arena_);
  const auto round = [&] {
    const LiveSandbox sandbox(*engine, root);
    ids_.push_back(sandbox.id().text());
    EXPECT_EQ(sandbox.Execute({"true"}).exit_code, 0);
  };
  for (int i = 0; i < 5; ++i) round();
  ExpectNothingLeft();
  const size_t descriptors = CountDescriptors(engine->launcher_pid());
  const size_t mounts = CountMounts(engine->launcher_pid());
  for (unsigned i = 0; i < Rounds(100); ++i) round();
  ExpectNothingLeft();
  // The pool of network namespaces is refilled behind the requests.
  EXPECT_LE(CountDescriptors(engine->launcher_pid()), descriptors + 2);
  EXPECT_EQ(CountMounts(engine->launcher_pid()), mounts);
}

TEST_F(Leaks, ACreateThatFailsLeavesNothing) {
  const auto engine = StartEngine(arena_);
  for (int i = 0; i < 10; ++i) {
    auto id = SandboxId::Generate();
    ASSERT_TRUE(id);
    engine::CreateRequest request(*id, HostTemplate(arena_));
    request.mounts.push_back({.source = "/there/is/no/such/path", .target = "/mnt"});
    EXPECT_FALSE(engine->Create(request));
    ids_.push_back(id->text());
  }
  ExpectNothingLeft();
}

// The caller is killed between exec and the end of its command.
TEST_F(Leaks, KillingTheCallerAtAnyMomentLeavesNothing) {
  std::mt19937 random(7);
  for (unsigned i = 0; i < Rounds(30); ++i) {
    const auto child = arena_.Cay({"run", "--", "sleep", "10"});
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    RememberIds();
    child->Kill(SIGKILL);
    child->Wait();
  }
  ExpectNothingLeft();
}

// What the launcher could not clean up itself, `cay gc` does.
TEST_F(Leaks, KillingTheLauncherAtAnyMomentLeavesNothingThatGcDoesNotRemove) {
  std::mt19937 random(8);
  const engine::RootFilesystem root = HostTemplate(arena_);
  for (unsigned i = 0; i < Rounds(20); ++i) {
    const auto engine = StartEngine(arena_);
    std::jthread killer([&, delay = random() % 20'000] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay));
      ::kill(engine->launcher_pid(), SIGKILL);
    });
    auto id = SandboxId::Generate();
    ASSERT_TRUE(id);
    ids_.push_back(id->text());
    // It may succeed or fail; it must not hang.
    (void)engine->Create(engine::CreateRequest(*id, root));
  }
  const auto collected = engine::native::CollectGarbage(paths());
  ASSERT_TRUE(collected) << collected.error().ToString();
  EXPECT_TRUE(collected->failures.empty());
  ExpectNothingLeft();
}

TEST_F(Leaks, KillingTheGuestEndsTheSandboxAndLeavesNothing) {
  const auto engine = StartEngine(arena_);
  const engine::RootFilesystem root = HostTemplate(arena_);
  for (unsigned i = 0; i < Rounds(10); ++i) {
    const LiveSandbox sandbox(*engine, root);
    ids_.push_back(sandbox.id().text());
    auto sleeper = sandbox.Start({"sleep", "100"});
    auto pidfd = engine->Watch(sandbox.id());
    ASSERT_TRUE(pidfd) << pidfd.error().ToString();
    ASSERT_EQ(::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0), 0);
    pollfd wait = {.fd = pidfd->get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 5000), 1);
    const CommandResult result = Finish(sleeper);
    EXPECT_NE(result.out.find("error:"), std::string::npos) << "the end was not noticed";
    const auto exit = engine->GetExit(sandbox.id());
    ASSERT_TRUE(exit) << exit.error().ToString();
    EXPECT_EQ(exit->reason, engine::ExitReason::kSignalled);
  }
  ExpectNothingLeft();
}

pid_t PidOf(const Fd& pidfd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(pidfd.get()));
  for (std::string key; info >> key;) {
    pid_t pid = 0;
    if (key == "Pid:" && info >> pid) return pid;
  }
  return -1;
}

// The guest holds the output of commands; here more than the sandbox has memory, and the kernel is
// told to choose the guest.
TEST_F(Leaks, AGuestThatIsKilledForItsMemoryTakesTheSandboxWithItAndLeavesNothing) {
  const auto engine = StartEngine(arena_);
  {
    engine::Limits limits;
    limits.memory = 64 * kMiB;
    const LiveSandbox sandbox(*engine, HostTemplate(arena_), limits);
    ids_.push_back(sandbox.id().text());
    const auto pidfd = engine->Watch(sandbox.id());
    ASSERT_TRUE(pidfd) << pidfd.error().ToString();
    const pid_t guest = PidOf(*pidfd);
    ASSERT_GT(guest, 1);
    std::ofstream("/proc/" + std::to_string(guest) + "/oom_score_adj") << "1000";
    std::vector<ProcessStream> floods;
    for (int i = 0; i < 6; ++i) {
      protocol::StartRequest request;
      request.argv = {"/attack/attack-victim", "flood"};
      request.ring_bytes = protocol::kMaxRingBytes;
      request.overflow = protocol::Overflow::kDrop;
      auto stream = sandbox.guest().Start(request);
      if (stream) floods.push_back(*std::move(stream));
    }
    pollfd wait = {.fd = pidfd->get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1) << "the guest lives";
    const auto exit = engine->GetExit(sandbox.id());
    ASSERT_TRUE(exit) << exit.error().ToString();
    EXPECT_EQ(exit->reason, engine::ExitReason::kOomKilled);
  }
  ExpectNothingLeft();
}

// Two state directories on one machine: the one's garbage collection must know the other's living
// sandboxes from garbage.
TEST_F(Leaks, GarbageCollectionLeavesSandboxesOfOtherStateDirectoriesAlone) {
  const auto engine = StartEngine(arena_);
  const LiveSandbox sandbox(*engine, HostTemplate(arena_));
  ids_.push_back(sandbox.id().text());
  const std::string other = arena_.directory() + "/other-state";
  const auto outcome = arena_.Cay({"gc"}, {"CAY_STATE_DIR=" + other})->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(sandbox.Execute({"true"}).exit_code, 0) << outcome.out;
}

}  // namespace
}  // namespace cay::attacks
