// NativeEngine with its launcher, as a server uses it: from many threads, for persistent sandboxes,
// and when the launcher dies.
#include "engine/native/native_engine.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "base/os/file.h"
#include "engine/native/launcher/inventory.h"
#include "engine/native/rootfs/scratch.h"
#include "template/store/template_store.h"

namespace cay::engine::native {
namespace {

class NativeEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::string pattern = ::testing::TempDir() + "cay-engine-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    paths_ = {directory_ + "/state", directory_ + "/run"};
    ASSERT_TRUE(MakeDirectories(paths_.run_dir, 0711));
    auto store = templates::TemplateStore::Open(
        paths_, [this] { return engine::native::ListStatuses(paths_); });
    ASSERT_TRUE(store) << store.error().ToString();
    host_ = store->Find("host");
    ASSERT_TRUE(host_) << host_.error().ToString();
  }
  void TearDown() override {
    if (directory_.empty()) return;
    {
      const auto engine = StartEngine();
      const auto list = engine->List();
      ASSERT_TRUE(list);
      for (const SandboxStatus& status : *list) (void)engine->Destroy(status.id);
    }
    EXPECT_TRUE(CollectGarbage(paths_));
    std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<NativeEngine> StartEngine(bool one_shot = false) const {
    auto engine =
        NativeEngine::Start({.paths = paths_, .launcher_path = CAY_PROGRAM, .one_shot = one_shot});
    if (!engine) std::abort();
    return *std::move(engine);
  }

  CreateRequest Request(Lifetime lifetime = Lifetime::kPersistent) const {
    CreateRequest request(*SandboxId::Generate(), host_->root);
    request.limits.disk = 32 * kMiB;
    request.limits.memory = 128 * kMiB;
    request.scratch = Scratch::kMemory;
    request.lifetime = lifetime;
    return request;
  }

  // Kills the launcher and waits until its process is no more.
  static void KillLauncher(const NativeEngine& engine) {
    const pid_t launcher = engine.launcher_pid();
    ASSERT_GT(launcher, 1);
    ASSERT_EQ(::kill(launcher, SIGKILL), 0);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(launcher), &info, WEXITED | WNOWAIT), 0);
  }

  std::string directory_;
  Paths paths_;
  Result<templates::Template> host_ = Failure(Error::Invalid("not looked for"));
};

TEST_F(NativeEngineTest, ConnectingDoesNotWaitForTheLauncher) {
  const auto engine = StartEngine();
  const CreateRequest request = Request();
  ASSERT_TRUE(engine->Create(request));
  ASSERT_EQ(::kill(engine->launcher_pid(), SIGSTOP), 0);
  EXPECT_TRUE(engine->Connect(request.id));
  ASSERT_EQ(::kill(engine->launcher_pid(), SIGCONT), 0);
}

TEST_F(NativeEngineTest, MeasuringWhatIsOnDiskDoesNotWaitForTheLauncher) {
  if (const std::string why_not = WhyNoDiskScratch(); !why_not.empty()) GTEST_SKIP() << why_not;
  const auto engine = StartEngine();
  CreateRequest request = Request();
  request.scratch = Scratch::kDisk;
  ASSERT_TRUE(engine->Create(request));
  const auto group = CgroupTree::Discover(
      {.purpose = CgroupPurpose::kLook, .name = CgroupParentName(paths_.state_dir)});
  ASSERT_TRUE(group);
  if (!group->ReadStats(request.id)) GTEST_SKIP() << "no groups here";
  ASSERT_EQ(::kill(engine->launcher_pid(), SIGSTOP), 0);
  const auto stats = engine->GetStats(request.id);
  ASSERT_EQ(::kill(engine->launcher_pid(), SIGCONT), 0);
  ASSERT_TRUE(stats) << stats.error().ToString();
  EXPECT_GT(stats->disk, 0U);
  EXPECT_LT(stats->disk, request.limits.disk);
  EXPECT_EQ(stats->memory.has_value(), group->ReadStats(request.id)->memory.has_value());
  ASSERT_TRUE(engine->Destroy(request.id));
  EXPECT_EQ(engine->GetStats(request.id).error().code(), ErrorCode::kNotFound);
}

size_t DescriptorsOf(pid_t process) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(process) + "/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST_F(NativeEngineTest, TheLauncherKeepsNothingOfTheNetworksThatItOpened) {
  const auto engine = StartEngine();
  const CreateRequest request = Request();
  ASSERT_TRUE(engine->Create(request));
  const auto first = engine->OpenNetwork(request.id);
  if (!first && first.error().code() == ErrorCode::kNotSupported)
    GTEST_SKIP() << first.error().ToString();
  EXPECT_EQ(engine->OpenNetwork(request.id).error().code(), ErrorCode::kIllegalState);
  const SandboxId other = [&] {
    const CreateRequest another = Request();
    EXPECT_TRUE(engine->Create(another));
    return another.id;
  }();
  size_t least = SIZE_MAX;  // what is made ahead comes and goes
  size_t last = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(engine->OpenNetwork(other));
    last = DescriptorsOf(engine->launcher_pid());
    least = std::min(least, last);
  }
  EXPECT_LT(last, least + 50) << "each would be one, or several";
}

TEST_F(NativeEngineTest, ALauncherThatHangsIsReplaced) {
  auto engine = NativeEngine::Start(
      {.paths = paths_, .launcher_path = CAY_PROGRAM, .patience = Millis(1000)});
  ASSERT_TRUE(engine);
  const CreateRequest kept = Request();
  ASSERT_TRUE((*engine)->Create(kept));
  const pid_t hung = (*engine)->launcher_pid();
  ASSERT_EQ(::kill(hung, SIGSTOP), 0);
  EXPECT_TRUE((*engine)->GetStats(kept.id));
  EXPECT_NE((*engine)->launcher_pid(), hung);
  EXPECT_NE(::kill(hung, 0), 0);
  ASSERT_EQ(::kill((*engine)->launcher_pid(), SIGSTOP), 0);
  const auto created = (*engine)->Create(Request());
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(created.error().fault(), Fault::kMachine);
  ASSERT_EQ(::kill((*engine)->launcher_pid(), SIGSTOP), 0);
  EXPECT_TRUE((*engine)->Destroy(kept.id));
  ASSERT_EQ(::kill((*engine)->launcher_pid(), SIGSTOP), 0);
  engine->reset();  // and ends
}

TEST_F(NativeEngineTest, TheLauncherOfAServerThatIsGoneIsEndedWhenItHangs) {
  const NativeEngineOptions options{.paths = paths_, .launcher_path = CAY_PROGRAM, .sole = true};
  auto gone = NativeEngine::Start(options);
  ASSERT_TRUE(gone);
  const CreateRequest kept = Request();
  ASSERT_TRUE((*gone)->Create(kept));
  ASSERT_EQ(::kill((*gone)->launcher_pid(), SIGSTOP), 0);
  auto next = NativeEngine::Start(options);
  ASSERT_TRUE(next);
  const auto stats = (*next)->GetStats(kept.id);
  EXPECT_TRUE(stats) << stats.error().ToString();
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>((*gone)->launcher_pid()), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_EQ(info.si_status, SIGKILL);
  EXPECT_TRUE((*next)->Destroy(kept.id));
}

TEST_F(NativeEngineTest, WhoeverHasASandboxAfterwardsFollowsFromItsIdAndTheNumberOfLaunchers) {
  std::vector<SandboxId> ids;
  for (const size_t launchers : {size_t{1}, size_t{3}, size_t{2}, kMaxLaunchers, size_t{1}}) {
    auto engine = NativeEngine::Start(
        {.paths = paths_, .launcher_path = CAY_PROGRAM, .launchers = launchers, .sole = true});
    ASSERT_TRUE(engine);
    for (const SandboxId& id : ids) {
      EXPECT_TRUE((*engine)->Watch(id)) << launchers << " launchers, " << id.text();
      EXPECT_TRUE((*engine)->Connect(id));
    }
    for (int i = 0; i < 3; ++i) {
      const CreateRequest request = Request();
      const auto created = (*engine)->Create(request);
      ASSERT_TRUE(created) << created.error().ToString();
      ids.push_back(request.id);
    }
    EXPECT_EQ((*engine)->List()->size(), ids.size());
  }
  const auto engine = StartEngine();
  for (const SandboxId& id : ids) EXPECT_TRUE(engine->Destroy(id));
}

TEST_F(NativeEngineTest, TheDeathOfOneLauncherIsNothingToTheSandboxesOfAnother) {
  auto engine = NativeEngine::Start(
      {.paths = paths_, .launcher_path = CAY_PROGRAM, .launchers = 2, .patience = Millis(2000)});
  ASSERT_TRUE(engine);
  std::map<size_t, SandboxId> ids;  // one of each
  while (ids.size() < 2) {
    const CreateRequest request = Request(Lifetime::kEphemeral);
    if (!ids.emplace(Share::NumberOf(request.id, 2), request.id).second) continue;
    ASSERT_TRUE((*engine)->Create(request));
  }
  const auto first = (*engine)->Watch(ids.at(0));
  const auto second = (*engine)->Watch(ids.at(1));
  ASSERT_TRUE(first && second);
  const pid_t gone = (*engine)->launcher_pid(0);
  KillLauncher(**engine);
  pollfd dead{.fd = first->get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&dead, 1, 10'000), 1) << "an ephemeral one ends with its launcher";
  EXPECT_EQ((*engine)->GetExit(ids.at(0)).error().code(), ErrorCode::kNotFound);
  EXPECT_NE((*engine)->launcher_pid(0), gone);
  pollfd lives{.fd = second->get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&lives, 1, 0), 0);
  EXPECT_TRUE((*engine)->Connect(ids.at(1)));
  // One that hangs keeps nobody else waiting.
  ASSERT_EQ(::kill((*engine)->launcher_pid(0), SIGSTOP), 0);
  EXPECT_TRUE((*engine)->Destroy(ids.at(1)));
  EXPECT_EQ((*engine)->GetExit(ids.at(0)).error().code(), ErrorCode::kNotFound);
}

// However many launchers there were, and there are.
TEST_F(NativeEngineTest, AllLaunchersOfAServerThatIsGoneAreEndedWhenTheyHang) {
  using Counts = std::pair<size_t, size_t>;
  for (const auto& [before, now] : {Counts{1, 3}, Counts{3, 1}, Counts{3, 2}, Counts{3, 3}}) {
    NativeEngineOptions options{.paths = paths_, .launcher_path = CAY_PROGRAM, .sole = true};
    options.launchers = before;
    auto gone = NativeEngine::Start(options);
    ASSERT_TRUE(gone);
    std::vector<SandboxId> kept;
    for (int i = 0; i < 8; ++i) {
      const CreateRequest request = Request();
      ASSERT_TRUE((*gone)->Create(request));
      kept.push_back(request.id);
    }
    for (size_t i = 0; i < before; ++i) ASSERT_EQ(::kill((*gone)->launcher_pid(i), SIGSTOP), 0);
    options.launchers = now;
    auto next = NativeEngine::Start(options);
    ASSERT_TRUE(next);
    for (const SandboxId& id : kept)
      EXPECT_TRUE((*next)->Watch(id)) << before << " before, now " << now;
    for (const SandboxId& id : kept) EXPECT_TRUE((*next)->Destroy(id));
    next->reset();
    // Who has no sandboxes of the new ones' may still be there.
    for (size_t i = 0; i < before; ++i) ::kill((*gone)->launcher_pid(i), SIGCONT);
  }
}

TEST_F(NativeEngineTest, WhoCannotBeConnectedToIsToldWhy) {
  const auto engine = StartEngine();
  const CreateRequest request = Request();
  EXPECT_EQ(engine->Connect(request.id).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(engine->Create(request));
  ASSERT_TRUE(engine->Pause(request.id));
  EXPECT_EQ(engine->Connect(request.id).error().code(), ErrorCode::kIllegalState);
  ASSERT_TRUE(engine->Resume(request.id));
  EXPECT_TRUE(engine->Connect(request.id));
  ASSERT_TRUE(engine->Stop(request.id));
  EXPECT_EQ(engine->Connect(request.id).error().code(), ErrorCode::kIllegalState);
  const auto started = engine->Start(request.id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_TRUE(engine->Connect(request.id));
  ASSERT_TRUE(engine->Destroy(request.id));
  EXPECT_EQ(engine->Connect(request.id).error().code(), ErrorCode::kNotFound);
}

TEST_F(NativeEngineTest, WhenTheLauncherDiesTheNextCallStartsAnotherWhichAdopts) {
  const auto engine = StartEngine();
  const CreateRequest running = Request();
  const CreateRequest paused = Request();
  const CreateRequest ephemeral = Request(Lifetime::kEphemeral);
  ASSERT_TRUE(engine->Create(running));
  ASSERT_TRUE(engine->Create(paused));
  ASSERT_TRUE(engine->Create(ephemeral));
  ASSERT_TRUE(engine->Pause(paused.id));
  const auto doomed = engine->Watch(ephemeral.id);
  ASSERT_TRUE(doomed);
  for (int i = 0; i < 3; ++i) {
    const pid_t before = engine->launcher_pid();
    KillLauncher(*engine);
    EXPECT_TRUE(engine->GetStats(running.id));
    EXPECT_NE(engine->launcher_pid(), before);
    EXPECT_TRUE(engine->Connect(running.id));
    EXPECT_EQ(engine->Connect(paused.id).error().code(), ErrorCode::kIllegalState);
    EXPECT_EQ(engine->GetStats(ephemeral.id).error().code(), ErrorCode::kNotFound);
  }
  pollfd poller{.fd = doomed->get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poller, 1, 5000), 1) << "an ephemeral sandbox outlives its launcher";
  EXPECT_TRUE(engine->Resume(paused.id));
  EXPECT_TRUE(engine->Connect(paused.id));
  EXPECT_TRUE(engine->Destroy(paused.id));
  EXPECT_TRUE(engine->Destroy(running.id));
}

// At any moment of a create: it fails or the sandbox is there, and no other one is lost.
TEST_F(NativeEngineTest, ALauncherThatDiesInTheMiddleLosesNoSandbox) {
  const auto engine = StartEngine();
  const CreateRequest neighbour = Request();
  ASSERT_TRUE(engine->Create(neighbour));
  std::mt19937 random(11);
  for (int i = 0; i < 20; ++i) {
    const CreateRequest request = Request();
    std::jthread killer([pid = engine->launcher_pid(), delay = random() % 4000] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay));
      ::kill(pid, SIGKILL);
    });
    const auto created = engine->Create(request);
    killer.join();
    if (created) {
      EXPECT_TRUE(engine->Destroy(request.id));
    } else {
      EXPECT_EQ(created.error().code(), ErrorCode::kUnavailable) << created.error().ToString();
      EXPECT_EQ(engine->GetStats(request.id).error().code(), ErrorCode::kNotFound);
    }
    ASSERT_TRUE(engine->GetStats(neighbour.id)) << "after death " << i;
  }
  EXPECT_TRUE(engine->Connect(neighbour.id));
}

TEST_F(NativeEngineTest, OneShotAdoptsNothingAndEndsWithItsLauncher) {
  const CreateRequest persistent = Request();
  ASSERT_TRUE(StartEngine()->Create(persistent));
  const auto engine = StartEngine(/*one_shot=*/true);
  EXPECT_EQ(engine->GetStats(persistent.id).error().code(), ErrorCode::kNotFound);
  KillLauncher(*engine);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(engine->GetStats(persistent.id).error().code(), ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(StartEngine()->GetStats(persistent.id));
}

TEST_F(NativeEngineTest, ALauncherThatCannotStartIsAnErrorOfEachCall) {
  auto engine = NativeEngine::Start({.paths = paths_, .launcher_path = "/bin/false"});
  ASSERT_TRUE(engine);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*engine)->GetStats(*SandboxId::Generate()).error().code(), ErrorCode::kUnavailable);
  }
}

TEST_F(NativeEngineTest, AHundredAtOnceAllSucceedAndAreAllAdopted) {
  constexpr size_t kSandboxes = 100;
  auto engine = StartEngine();
  const CreateRequest first = Request();
  ASSERT_TRUE(engine->Create(first));
  ASSERT_TRUE(engine->Destroy(first.id));
  std::vector<CreateRequest> requests;
  for (size_t i = 0; i < kSandboxes; ++i) requests.push_back(Request());
  std::vector<std::string> failures(kSandboxes);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kSandboxes; ++i) {
      threads.emplace_back([&, i] {
        const auto created = engine->Create(requests[i]);
        const auto connected = engine->Connect(requests[i].id);
        if (!created) failures[i] = created.error().ToString();
        if (!connected) failures[i] += connected.error().ToString();
      });
    }
  }
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
  engine = StartEngine();
  for (const CreateRequest& request : requests) {
    EXPECT_TRUE(engine->Connect(request.id));
    EXPECT_TRUE(engine->GetStats(request.id));
  }
  for (const CreateRequest& request : requests) EXPECT_TRUE(engine->Destroy(request.id));
}

}  // namespace
}  // namespace cay::engine::native
