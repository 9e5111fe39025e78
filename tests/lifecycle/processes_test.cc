// The book and the supervisor of processes, over a fake engine whose guests end, hang and refuse.
#include <signal.h>

#include <map>
#include <type_traits>

#include "lifecycle_fixture.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/output_room.h"
#include "sandbox/processes/process_fields.h"
#include "sandbox/processes/process_keeper.h"

namespace cay::sandbox {
namespace {

using engine::ExitReason;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr Millis kMinute{60'000};

class ProcessesTest : public LifecycleTest {
 protected:
  ProcessesTest() {
    heart_.reset();  // the manager has its own
    OpenServer();
    id_.emplace(manager_->Create(me_, {})->id);
    other_.emplace(manager_->Create(me_, {})->id);
  }
  ~ProcessesTest() override { CloseServer(); }

  void OpenServer() {
    if (!engine_) engine_ = std::make_unique<FakeEngine>(machine_, engine_options_);
    manager_ = *Manager::Open(options_, *engine_, templates(), *store_, *events_);
    keeper_ = *ProcessKeeper::Open(keeper_options_, *manager_, *store_, *events_);
  }
  void CloseServer() {
    keeper_.reset();
    manager_.reset();
  }

  Lease Use() { return *manager_->Use(me_, id_->text()); }
  ProcessSpec Spec(std::vector<std::string> argv, Millis timeout = 60 * kMinute) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.timeout = timeout;
    return spec;
  }
  // Nobody follows it. 0: it did not start.
  uint64_t Start(const ProcessSpec& spec) {
    auto process = keeper_->Start(Use(), spec);
    if (process) return process->id();
    ADD_FAILURE() << process.error().ToString();
    return 0;
  }
  ProcessRecord Get(uint64_t process) {
    const auto record = keeper_->Get(*id_, process);
    return record ? *record : ProcessRecord{};
  }
  bool AwaitEnd(uint64_t process) {
    return Eventually([&] { return Get(process).state != ProcessState::kRunning; });
  }
  // The supervisor looks at the clock when the next time that it waits for is over, by the
  // machine's clock: or, as here, when there is one before that.
  void Advance(Millis by) {
    clock_.Advance(by);
    ProcessSpec spec = Spec({"true"}, Millis(1));
    const auto lease = manager_->Use(me_, other_->text());
    ASSERT_TRUE(lease);
    ASSERT_TRUE(Eventually([&] { return keeper_->Start(*lease, spec).has_value(); }));
  }
  // Time goes by until the condition holds.
  bool InTime(const std::function<bool()>& condition) {
    return Eventually([&] {
      Advance(Millis(200));
      return condition();
    });
  }
  uint64_t Running() { return manager_->Get(me_, id_->text())->running; }
  void ExpectNothingRuns() {
    EXPECT_TRUE(Eventually([&] { return keeper_->GetMetrics().running == 0; }));
    EXPECT_TRUE(Eventually([&] { return Running() == 0; })) << "the manager counts after the book";
  }

  KeeperOptions keeper_options_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<ProcessKeeper> keeper_;
  std::optional<SandboxId> id_;
  std::optional<SandboxId> other_;
};

using Texts = std::map<std::string, std::string, std::less<>>;

// The texts that a list tells, by their names.
struct TextsTold {
  Texts texts{};
  template <class Kind, class Member>
  void operator()(const field::About& about, const Kind&, const Member& member) {
    if constexpr (std::is_same_v<Member, std::string>) texts.emplace(about.name, member);
  }
};

// Gives each text that can be asked for, and is told of a process, its own name.
struct TextsAskedFor {
  const Texts& told;
  std::vector<std::string> names{};
  template <class Kind, class Member>
  void operator()(const field::About& about, const Kind&, Member& member) {
    if constexpr (std::is_same_v<Member, std::string>) {
      if (!told.contains(about.name)) return;
      names.emplace_back(about.name);
      member = about.name;
    }
  }
};

// The record is another struct than what was asked for: what both have is copied.
TEST_F(ProcessesTest, WhatIsAskedForIsToldUnderTheSameName) {
  TextsTold told;
  fields::Process::Of(ProcessRecord{}, told);
  ProcessSpec spec = Spec({"true"});
  TextsAskedFor asked{told.texts};
  fields::ProcessSpec::Of(spec, asked);
  EXPECT_THAT(asked.names, Contains("tag"));
  const uint64_t process = Start(spec);
  ASSERT_TRUE(AwaitEnd(process));
  TextsTold answer;
  fields::Process::Of(Get(process), answer);
  for (const std::string& name : asked.names) EXPECT_EQ(answer.texts[name], name);
}

TEST_F(ProcessesTest, WhatIsExecutedEndsWithItsOutput) {
  const auto done = keeper_->Execute(Use(), Spec({"echo", "one"}), "", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(done) << done.error().ToString();
  EXPECT_EQ(done->record.exit_code, 0);
  EXPECT_EQ(done->Text(OutputStream::kStdout).bytes, "one\n");
  const auto fed = keeper_->Execute(Use(), Spec({"cat"}), "fed", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(fed) << fed.error().ToString();
  EXPECT_EQ(fed->Text(OutputStream::kStdout).bytes, "fed");
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, APlaceIsGivenBackByEachStartThatFails) {
  CloseServer();
  keeper_options_.max_running_per_sandbox = 1;
  OpenServer();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(keeper_->Start(Use(), Spec({"unknown"})), FailsWith(ErrorCode::kCommandNotFound));
    engine_->Fail(Call::kConnect, Busy());
    EXPECT_THAT(keeper_->Start(Use(), Spec({"true"})), FailsWith(ErrorCode::kUnavailable));
  }
  const uint64_t runs = Start(Spec({"sleep", "1000"}));
  EXPECT_THAT(keeper_->Start(Use(), Spec({"true"})), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Running(), 1U);
  ASSERT_TRUE(keeper_->Signal(Use(), runs, SIGKILL));
  ASSERT_TRUE(AwaitEnd(runs));
  EXPECT_EQ(Get(runs).signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_TRUE(keeper_->Start(Use(), Spec({"true"})));
}

TEST_F(ProcessesTest, WhatIsOverItsTimeIsAskedToEnd) {
  const uint64_t process = Start(Spec({"sleep", "100000"}, kMinute));
  EXPECT_EQ(Get(process).state, ProcessState::kRunning);
  Advance(kMinute);
  ASSERT_TRUE(AwaitEnd(process));
  EXPECT_TRUE(Get(process).timed_out);
  EXPECT_EQ(Get(process).signal, static_cast<uint32_t>(SIGTERM));
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, WhatDoesNotEndWhenItIsAskedToIsKilledAfterItsGrace) {
  const uint64_t process = Start(Spec({"stubborn"}, kMinute));
  Advance(kMinute);
  ASSERT_TRUE(InTime([&] { return Get(process).state != ProcessState::kRunning; }));
  EXPECT_TRUE(Get(process).timed_out);
  EXPECT_EQ(Get(process).signal, static_cast<uint32_t>(SIGKILL));
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, AGuestThatSaysNothingDoesNotKeepAProcessBeyondItsTime) {
  const uint64_t process = Start(Spec({"sleep", "100000"}, kMinute));
  engine_->SetSilent(*id_, true);
  Advance(kMinute);
  ASSERT_TRUE(InTime([&] { return Get(process).state != ProcessState::kRunning; }));
  EXPECT_TRUE(Get(process).timed_out);
  // It is killed when its guest answers again.
  engine_->SetSilent(*id_, false);
  ASSERT_TRUE(InTime([&] {
    const auto list = Use().guest().ListProcesses();
    return list && !list->empty() && list->back().exited;
  }));
  ExpectNothingRuns();
}

// Nobody waits for its grace any more: it is killed all the same.
TEST_F(ProcessesTest, WhatIsOwedItsKillGetsItHoweverLongItsGraceWas) {
  ProcessSpec spec = Spec({"stubborn"}, kMinute);
  spec.kill_grace = kMinute;
  const uint64_t process = Start(spec);
  engine_->SetSilent(*id_, true);
  Advance(kMinute);
  ASSERT_TRUE(InTime([&] { return Get(process).state != ProcessState::kRunning; }));
  EXPECT_EQ(Get(process).state, ProcessState::kLost);
  engine_->SetSilent(*id_, false);
  ASSERT_TRUE(InTime([&] {
    const auto list = Use().guest().ListProcesses();
    return list && !list->empty() && list->back().exited;
  }));
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, WhatForksFasterThanItIsKilledIsKilledAgain) {
  const uint64_t process = Start(Spec({"breed", "3"}, kMinute));
  Advance(kMinute);
  ASSERT_TRUE(InTime([&] { return Get(process).state != ProcessState::kRunning; }));
  EXPECT_TRUE(Get(process).timed_out);
  EXPECT_EQ(Get(process).signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_EQ(Get(process).leftover_count, 0U);
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, WhatIsLeftBehindIsKilledOnlyWhereThatWasAskedFor) {
  const uint64_t leaves = Start(Spec({"leave", "3"}));
  ASSERT_TRUE(AwaitEnd(leaves));
  EXPECT_EQ(Get(leaves).leftover_count, 3U);
  ProcessSpec spec = Spec({"leave", "3"});
  spec.kill_leftovers = true;
  const uint64_t clears = Start(spec);
  ASSERT_TRUE(AwaitEnd(clears));
  EXPECT_EQ(Get(clears).exit_code, 0);
  EXPECT_FALSE(Get(clears).timed_out);
  EXPECT_EQ(Get(clears).leftover_count, 0U);
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, TheGraceOfWhatIsPausedBeginsWhenItCanHearOfIt) {
  ProcessSpec spec = Spec({"sleep", "100000"}, kMinute);
  // Less than the pause, and long enough for a machine that is slow at running this test.
  spec.kill_grace = 4 * kMinute;
  const uint64_t process = Start(spec);
  ASSERT_TRUE(manager_->Pause(me_, id_->text()));
  Advance(kMinute);
  ASSERT_TRUE(Eventually([&] { return Get(process).timed_out; }));
  for (int i = 0; i < 5; ++i) Advance(kMinute);
  EXPECT_EQ(Get(process).state, ProcessState::kRunning);
  ASSERT_TRUE(manager_->Resume(me_, id_->text()));
  ASSERT_TRUE(InTime([&] { return Get(process).state != ProcessState::kRunning; }));
  EXPECT_EQ(Get(process).signal, static_cast<uint32_t>(SIGTERM)) << "it was asked, not killed";
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, WhatCannotBeReachedForSomeTimeIsWaitedForAgain) {
  engine_->Fail(Call::kConnect, Busy(), 2, engine::fake::When::kAfter);
  ProcessSpec spec = Spec({"sleep", "100000"});
  EXPECT_FALSE(keeper_->Start(Use(), spec)) << "the first";
  EXPECT_FALSE(keeper_->Start(Use(), spec)) << "the second";
  const uint64_t process = Start(spec);
  // Its follower is gone: the supervisor connects, in vain at first.
  engine_->Fail(Call::kConnect, Error(ErrorCode::kResourceExhausted, Fault::kMachine, "busy"), 3);
  EXPECT_FALSE(keeper_->Signal(Use(), process, SIGKILL));
  ASSERT_TRUE(InTime([&] {
    (void)keeper_->Signal(Use(), process, SIGKILL);
    return Get(process).state != ProcessState::kRunning;
  }));
  EXPECT_EQ(Get(process).signal, static_cast<uint32_t>(SIGKILL));
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, AGuestThatEndsTakesItsProcessesWithIt) {
  const uint64_t process = Start(Spec({"sleep", "100000"}));
  engine_->EndGuest(*id_, {.reason = ExitReason::kOomKilled});
  ASSERT_TRUE(AwaitEnd(process));
  EXPECT_EQ(Get(process).state, ProcessState::kLost);
  EXPECT_THAT(Get(process).reason, HasSubstr("oom_killed"));
  ExpectNothingRuns();
  EXPECT_EQ(manager_->Get(me_, id_->text())->state, SandboxState::kFailed);
  // Started again, its numbers go on.
  ASSERT_TRUE(manager_->Start(me_, id_->text()));
  EXPECT_GT(Start(Spec({"true"})), process);
}

TEST_F(ProcessesTest, AnEndThatTheEngineCannotExplainIsOneAllTheSame) {
  const uint64_t process = Start(Spec({"sleep", "100000"}));
  engine_->Fail(Call::kGetExit, Busy());
  engine_->EndGuest(*id_, {.reason = ExitReason::kOomKilled});
  ASSERT_TRUE(AwaitEnd(process));
  EXPECT_EQ(Get(process).state, ProcessState::kLost);
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, AStopAndAResetEndThem) {
  const uint64_t stopped = Start(Spec({"sleep", "100000"}));
  ASSERT_TRUE(manager_->Stop(me_, id_->text()));
  ASSERT_TRUE(AwaitEnd(stopped));
  EXPECT_EQ(Get(stopped).guest_end, GuestEndKind::kStopped);
  EXPECT_THAT(Get(stopped).reason, HasSubstr("stopped"));
  ASSERT_TRUE(manager_->Start(me_, id_->text()));
  const uint64_t reset = Start(Spec({"sleep", "100000"}));
  ASSERT_TRUE(manager_->Reset(me_, id_->text()));
  ASSERT_TRUE(AwaitEnd(reset));
  EXPECT_EQ(Get(reset).state, ProcessState::kLost);
  // Of the guest that it had: the one after it is not asked for its processes.
  EXPECT_EQ(Get(reset).guest_end, GuestEndKind::kReset) << Get(reset).reason;
  ExpectNothingRuns();
}

TEST_F(ProcessesTest, AStopThatFailsEndsNone) {
  const uint64_t process = Start(Spec({"sleep", "100000"}));
  engine_->Fail(Call::kStop, Broken());
  EXPECT_FALSE(manager_->Stop(me_, id_->text()));
  EXPECT_EQ(Get(process).state, ProcessState::kRunning);
  EXPECT_EQ(Running(), 1U);
  ASSERT_TRUE(keeper_->Signal(Use(), process, SIGKILL));
  ASSERT_TRUE(AwaitEnd(process));
}

TEST_F(ProcessesTest, AKilledOneIsBlamedOnMemoryOnlyWhenTheKernelSaysSo) {
  const uint64_t innocent = Start(Spec({"sleep", "100000"}));
  ASSERT_TRUE(keeper_->Signal(Use(), innocent, SIGKILL));
  ASSERT_TRUE(AwaitEnd(innocent));
  EXPECT_FALSE(Get(innocent).oom_killed);
  const uint64_t victim = Start(Spec({"sleep", "100000"}));
  engine_->KillInside(*id_);
  ASSERT_TRUE(keeper_->Signal(Use(), victim, SIGKILL));
  ASSERT_TRUE(AwaitEnd(victim));
  EXPECT_TRUE(Get(victim).oom_killed);
  // Where the engine cannot say, nobody is blamed.
  engine_->Fail(Call::kOomKills, Busy());
  const uint64_t unknown = Start(Spec({"sleep", "100000"}));
  engine_->KillInside(*id_);
  ASSERT_TRUE(keeper_->Signal(Use(), unknown, SIGKILL));
  ASSERT_TRUE(AwaitEnd(unknown));
  EXPECT_FALSE(Get(unknown).oom_killed);
}

TEST_F(ProcessesTest, WhatRunsIsTakenOverByTheNextServerAndWhatEndedMeanwhileHasItsEnd) {
  const uint64_t runs = Start(Spec({"sleep", "100000"}, kMinute));
  const uint64_t ends = Start(Spec({"sleep", "100000"}));
  const auto guest = [&] { return GuestChannel([&] { return engine_->Connect(*id_); }); };
  CloseServer();
  ASSERT_TRUE(store_->Flush());
  const auto list = guest().ListProcesses();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2U);
  protocol::SignalRequest kill;
  kill.process = list->at(1).process;
  kill.signal = SIGKILL;
  ASSERT_TRUE(guest().Signal(kill));
  OpenServer();
  ASSERT_TRUE(AwaitEnd(ends));
  EXPECT_EQ(Get(ends).state, ProcessState::kExited);
  EXPECT_EQ(Get(ends).signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_EQ(Get(runs).state, ProcessState::kRunning);
  EXPECT_EQ(Running(), 1U);
  Advance(kMinute);
  ASSERT_TRUE(AwaitEnd(runs));
  EXPECT_TRUE(Get(runs).timed_out) << "its time went on";
  ExpectNothingRuns();
}

}  // namespace
}  // namespace cay::sandbox
