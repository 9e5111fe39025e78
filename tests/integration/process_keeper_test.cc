// Processes on the real engine, through the manager: followed, left alone, lost, adopted.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "base/testing/test_memory.h"
#include "keeper_fixture.h"
#include "sandbox/projects/project_files.h"

namespace cay::testing {
namespace {

using sandbox::OutputRoom;
using sandbox::ProcessRecord;
using sandbox::ProcessSpec;
using sandbox::ProcessState;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Keeper : public KeeperFixture {};

TEST_F(Keeper, ExecutesInTheForegroundAndRemembersTheResult) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec spec = Shell("cat; echo $WORD; echo oops >&2; pwd; exit 3");
  spec.env = {{"WORD", "hello"}};
  spec.workdir = "agent_workspace";
  spec.tag = "build";
  const auto done = heart_->keeper->Execute(lease, spec, "input\n", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(done) << done.error().ToString();
  EXPECT_EQ(done->Text(OutputStream::kStdout).bytes, "input\nhello\n/workspace/agent_workspace\n");
  EXPECT_EQ(done->Text(OutputStream::kStderr).bytes, "oops\n");
  EXPECT_EQ(done->Written(OutputStream::kStdout), done->Text(OutputStream::kStdout).bytes.size());
  EXPECT_FALSE(done->Truncated(OutputStream::kStdout));
  EXPECT_EQ(done->record.exit_code, 3);
  EXPECT_EQ(done->record.signal, std::nullopt);
  EXPECT_EQ(done->record.state, ProcessState::kExited);
  EXPECT_FALSE(done->record.disk_full);
  EXPECT_FALSE(done->record.oom_killed);
  const ProcessRecord record = Get(view, done->record.id);
  EXPECT_EQ(record.exit_code, 3);
  EXPECT_EQ(record.tag, "build");
  EXPECT_THAT(record.command, ElementsAre(EndsWith("/bash"), "-c", StartsWith("cat; echo")));
  EXPECT_EQ(CountEvents("execution.started"), 1U);
  EXPECT_EQ(CountEvents("execution.completed"), 1U);
  const auto after = heart_->manager->Get(caller_, view.id.text());
  EXPECT_EQ(after->executions, 1U);
  EXPECT_EQ(after->running, 0U);
}

TEST_F(Keeper, KeepsTheBeginningAndTheEndOfTooMuchOutputAndCountsAll) {
  const auto view = Create();
  const auto done = Execute(Use(view), "seq 100000; seq 10 >&2", 100);
  ASSERT_TRUE(done) << done.error().ToString();
  const sandbox::KeptText kept = done->Text(OutputStream::kStdout);
  EXPECT_EQ(kept.bytes.size(), 100U);
  EXPECT_EQ(kept.gap_at, 50U);
  EXPECT_THAT(kept.bytes, StartsWith("1\n2\n3\n"));
  EXPECT_THAT(kept.bytes, EndsWith("99999\n100000\n"));
  EXPECT_TRUE(done->Truncated(OutputStream::kStdout));
  EXPECT_EQ(done->Written(OutputStream::kStdout), 588895U);
  EXPECT_FALSE(done->Truncated(OutputStream::kStderr));
}

TEST_F(Keeper, SaysWhyACommandDidNotStart) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec missing;
  missing.argv = {"no-such-command"};
  const auto not_found = heart_->keeper->Execute(lease, missing, "", OutputRoom::Unshared(kMiB));
  EXPECT_EQ(not_found.error().code(), ErrorCode::kCommandNotFound);
  EXPECT_EQ(CountEvents("execution.error"), 1U);
  EXPECT_EQ(heart_->keeper->Start(lease, {}).error().code(), ErrorCode::kInvalidArgument);
  ProcessSpec both = Shell("true");
  both.argv = {"true"};
  EXPECT_EQ(heart_->keeper->Start(lease, both).error().code(), ErrorCode::kInvalidArgument);
  ProcessSpec long_one = Shell("true");
  long_one.timeout = options_.max_timeout + Millis(1);
  EXPECT_EQ(heart_->keeper->Start(lease, long_one).error().code(), ErrorCode::kLimitTooHigh);
  long_one.timeout = Millis(0);
  EXPECT_EQ(heart_->keeper->Start(lease, long_one).error().code(), ErrorCode::kLimitTooHigh);
  ProcessSpec wide = Shell("true");
  wide.output_held = options_.max_output_held + 1;
  EXPECT_EQ(heart_->keeper->Start(lease, wide).error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(heart_->manager->Get(caller_, view.id.text())->running, 0U);
}

TEST_F(Keeper, OneThatIsLeftAloneRunsOnAndGetsItsResult) {
  const auto view = Create();
  uint64_t id = 0;
  {
    auto process = heart_->keeper->Start(Use(view), Shell("sleep 0.3; echo late; exit 7"));
    ASSERT_TRUE(process) << process.error().ToString();
    id = process->id();
  }
  EXPECT_EQ(Get(view, id).state, ProcessState::kRunning);
  EXPECT_EQ(heart_->manager->Get(caller_, view.id.text())->running, 1U);
  EXPECT_EQ(Ended(view, id).exit_code, 7);
  auto again = heart_->keeper->Attach(Use(view), id, 0);
  ASSERT_TRUE(again) << again.error().ToString();
  const Followed followed = Follow(*again);
  EXPECT_EQ(followed.out, "late\n");
  EXPECT_EQ(followed.ends, 1);
  EXPECT_EQ(followed.record->exit_code, 7);
  EXPECT_TRUE(Soon([&] { return heart_->manager->Get(caller_, view.id.text())->running == 0; }));
}

TEST_F(Keeper, AReaderThatComesBackContinuesAndIsToldWhatItMissed) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec spec = Shell("echo first; read x; seq 20000; read x");
  spec.stdin_open = true;
  spec.output_held = 8192;
  uint64_t id = 0;
  uint64_t seen = 0;
  {
    auto process = heart_->keeper->Start(lease, spec);
    ASSERT_TRUE(process) << process.error().ToString();
    id = process->id();
    seen = Follow(*process, [](const Followed& f) { return f.out == "first\n"; }).next_seq;
  }
  EXPECT_EQ(seen, 6U);
  ASSERT_TRUE(heart_->keeper->WriteStdin(lease, id, TextSource("\n"), false));
  // Nobody reads: the ring keeps the end.
  ASSERT_TRUE(Soon([&] { return lease.guest().ListProcesses()->front().end_seq == 6 + 108894; }));
  ASSERT_TRUE(heart_->keeper->WriteStdin(lease, id, TextSource("\n"), true));
  EXPECT_EQ(Ended(view, id).exit_code, 0);
  auto again = heart_->keeper->Attach(lease, id, seen);
  ASSERT_TRUE(again) << again.error().ToString();
  const Followed rest = Follow(*again);
  ASSERT_EQ(rest.gaps.size(), 1U);
  EXPECT_EQ(rest.gaps.front().from, seen);
  EXPECT_EQ(rest.gaps.front().to + rest.out.size(), 6U + 108894U);
  EXPECT_THAT(rest.out, HasSubstr("\n20000\n"));
  // Who asks for what there is, is told of no gap.
  auto oldest = heart_->keeper->Attach(lease, id, std::nullopt);
  ASSERT_TRUE(oldest) << oldest.error().ToString();
  const Followed held = Follow(*oldest);
  EXPECT_TRUE(held.gaps.empty());
  EXPECT_EQ(held.out, rest.out);
}

TEST_F(Keeper, ListsLeftoversAndKillsThemWhenAsked) {
  const auto view = Create();
  const auto lease = Use(view);
  const auto leaves = Execute(lease, "(setsid sleep 1000 &); echo on");
  EXPECT_EQ(leaves->record.leftover_count, 1U);
  EXPECT_EQ(leaves->record.leftovers.size(), 1U);
  const auto killed = heart_->keeper->KillLeftovers(lease, leaves->record.id);
  ASSERT_TRUE(killed) << killed.error().ToString();
  EXPECT_EQ(killed->killed, 1U);
  EXPECT_EQ(killed->remaining, 0U);
  ProcessSpec tidy = Shell("(setsid sleep 1000 &); echo on");
  tidy.kill_leftovers = true;
  const auto tidied = heart_->keeper->Execute(lease, tidy, "", OutputRoom::Unshared(100));
  EXPECT_EQ(tidied->record.leftover_count, 0U);
  const auto left = Execute(lease, "pgrep -x sleep | wc -l");
  EXPECT_EQ(left->Text(OutputStream::kStdout).bytes, "0\n");
  // The same of one that nobody follows.
  uint64_t id = 0;
  {
    tidy.shell = "(setsid sleep 1000 &); sleep 0.2";
    id = heart_->keeper->Start(lease, tidy)->id();
  }
  EXPECT_EQ(Ended(view, id).leftover_count, 0U);
}

TEST_F(Keeper, TheEndOfTheGuestIsExactlyOneEndOfTheStream) {
  const auto view = Create();
  auto process = heart_->keeper->Start(Use(view), Shell("echo on; exec sleep 1000"));
  ASSERT_TRUE(process);
  Follow(*process, [](const Followed& f) { return f.out == "on\n"; });
  const uint64_t alone = heart_->keeper->Start(Use(view), Shell("exec sleep 1000"))->id();
  ASSERT_TRUE(heart_->manager->Stop(caller_, view.id.text()));
  const Followed followed = Follow(*process);
  EXPECT_FALSE(followed.error) << followed.error->ToString();
  EXPECT_EQ(followed.ends, 1);
  EXPECT_EQ(followed.record->state, ProcessState::kLost);
  EXPECT_THAT(followed.record->reason, StartsWith("stopped"));
  EXPECT_FALSE(process->Next(Millis(0))->has_value());
  const ProcessRecord record = Ended(view, alone);
  EXPECT_EQ(record.state, ProcessState::kLost);
  EXPECT_THAT(record.reason, StartsWith("stopped"));
  EXPECT_EQ(heart_->keeper->GetMetrics().lost, 2U);
  EXPECT_EQ(heart_->keeper->History(view.id, 10).size(), 2U);
}

TEST_F(Keeper, NumbersGoOnWhenASandboxIsStartedAgain) {
  const auto view = Create();
  const auto first = Execute(Use(view), "echo one");
  ASSERT_TRUE(heart_->manager->Stop(caller_, view.id.text()));
  const auto again = heart_->manager->Start(caller_, view.id.text());
  ASSERT_TRUE(again) << again.error().ToString();
  const auto second = Execute(Use(view), "echo two");
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_GT(second->record.id, first->record.id);
  // The first one's output went with its guest; its result did not.
  const auto gone = heart_->keeper->Attach(Use(view), first->record.id, 0);
  EXPECT_EQ(gone.error().code(), ErrorCode::kIllegalState);
  EXPECT_EQ(Get(view, first->record.id).exit_code, 0);
  Restart();
  const auto third = Execute(Use(view), "echo three");
  ASSERT_TRUE(third) << third.error().ToString();
  EXPECT_EQ(third->record.id, second->record.id + 1);
  const auto list = heart_->keeper->List(Use(view), 10);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ(list->front().id, third->record.id);
  EXPECT_EQ(list->back().id, first->record.id);
}

TEST_F(Keeper, ResetEndsProcessesAndWhatIsStartedAfterwardsIsAnother) {
  const auto view = Create();
  const uint64_t before = heart_->keeper->Start(Use(view), Shell("exec sleep 1000"))->id();
  ASSERT_TRUE(heart_->manager->Reset(caller_, view.id.text()));
  EXPECT_EQ(Ended(view, before).state, ProcessState::kLost);
  const auto after = Execute(Use(view), "echo new");
  ASSERT_TRUE(after) << after.error().ToString();
  EXPECT_EQ(after->Text(OutputStream::kStdout).bytes, "new\n");
  EXPECT_GT(after->record.id, before);
  EXPECT_EQ(Get(view, before).state, ProcessState::kLost);
}

TEST_F(Keeper, AClientThatGoesLeavesItsCommandRunning) {
  const auto view = Create();
  auto pair = MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  // Input is no end: it may be the client's next request.
  ASSERT_TRUE(WriteAll(pair->second.get(), "GET /"));
  std::optional<Fd> client = std::move(pair->second);
  std::thread goes([&] {
    EXPECT_TRUE(Soon([&] { return heart_->keeper->GetMetrics().running == 1; }));
    client.reset();
  });
  const auto done = heart_->keeper->Execute(Use(view), Shell("sleep 0.5; exit 9"), "",
                                            OutputRoom::Unshared(100), pair->first.get());
  goes.join();
  EXPECT_EQ(done.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Ended(view, 1).exit_code, 9);
}

TEST_F(Keeper, TellsAFullDiskAndMissingMemoryFromTheCommandsOwnFailures) {
  const auto view = Create();
  const auto lease = Use(view);
  const auto plain = Execute(lease, "kill -9 $$");
  EXPECT_EQ(plain->record.signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_FALSE(plain->record.oom_killed);
  const auto full = Execute(lease, "head -c 200000000 /dev/zero > /workspace/agent_workspace/big");
  EXPECT_TRUE(full->record.disk_full);
  EXPECT_FALSE(full->record.oom_killed);
  ASSERT_TRUE(Execute(lease, "rm /workspace/agent_workspace/big"));
  // A line without an end is kept in memory.
  const auto eater = Execute(lease, "tail -c 1000000000 /dev/zero | tail -c 1");
  const auto eater_alone = Execute(lease, "exec tail /dev/zero");
  EXPECT_TRUE(eater_alone->record.oom_killed);
  EXPECT_FALSE(eater_alone->record.disk_full);
  const auto after = Execute(lease, "false");
  EXPECT_FALSE(after->record.oom_killed);
  // What was killed in a command that succeeds is no later one's.
  EXPECT_EQ(Execute(lease, "tail /dev/zero; true")->record.exit_code, 0);
  EXPECT_FALSE(Execute(lease, "exit 3")->record.oom_killed);
  // Nor what a process left behind ran into between two commands, nor another's that runs beside
  // it.
  ASSERT_TRUE(
      Execute(lease, "setsid sh -c 'tail /dev/zero; touch eaten; sleep 60' >/dev/null 2>&1 &"));
  ASSERT_TRUE(Execute(lease, "until [ -e eaten ]; do sleep .01; done"));
  EXPECT_FALSE(Execute(lease, "exit 3")->record.oom_killed);
  uint64_t beside = 0;
  {
    const auto process =
        heart_->keeper->Start(lease, Shell("until [ -e go ]; do sleep .01; done; exit 4"));
    ASSERT_TRUE(process) << process.error().ToString();
    beside = process->id();
  }
  EXPECT_TRUE(Execute(lease, "exec tail /dev/zero")->record.oom_killed);
  ASSERT_TRUE(Execute(lease, "touch go"));
  EXPECT_FALSE(Ended(view, beside).oom_killed);
  // Two that are killed are both told, whoever is judged first.
  std::optional<bool> other;
  std::thread at_once([&] {
    const auto killed = Execute(lease, "until [ -e now ]; do sleep .01; done; exec tail /dev/zero");
    if (killed) other = killed->record.oom_killed;
  });
  EXPECT_TRUE(Execute(lease, "touch now; exec tail /dev/zero")->record.oom_killed);
  at_once.join();
  EXPECT_EQ(other, true);
}

TEST_F(Keeper, AnotherServerTakesOverWhatRunsAndWhatEnded) {
  const auto view = Create();
  const auto other = Create();
  uint64_t long_one = 0;
  uint64_t short_one = 0;
  uint64_t timed = 0;
  uint64_t lost = 0;
  {
    ProcessSpec spec = Shell("read x; echo $x; exit 4");
    spec.stdin_open = true;
    spec.tag = "kept";
    long_one = heart_->keeper->Start(Use(view), spec)->id();
    short_one = heart_->keeper->Start(Use(view), Shell("sleep 0.2; exit 5"))->id();
    spec.timeout = Millis(1500);
    timed = heart_->keeper->Start(Use(view), spec)->id();
    lost = heart_->keeper->Start(Use(other), spec)->id();
  }
  const uint64_t executions = heart_->manager->Get(caller_, view.id.text())->executions;
  EXPECT_EQ(executions, 3U);
  heart_->keeper.reset();
  heart_->manager.reset();
  // Meanwhile one ends, and one sandbox.
  const auto connect = [&] { return heart_->engine->Connect(view.id); };
  const GuestChannel guest(connect);
  ASSERT_TRUE(Soon([&] { return guest.Ping()->running == 2; }));
  ASSERT_TRUE(heart_->engine->Stop(other.id));
  heart_.reset();
  Open();
  EXPECT_EQ(Get(view, short_one).exit_code, 5);
  EXPECT_EQ(Get(other, lost).state, ProcessState::kLost);
  EXPECT_FALSE(Get(other, lost).reason.empty());
  EXPECT_EQ(Get(view, long_one).state, ProcessState::kRunning);
  EXPECT_EQ(Get(view, long_one).tag, "kept");
  EXPECT_EQ(heart_->keeper->GetMetrics().running, 2U);
  const auto now = heart_->manager->Get(caller_, view.id.text());
  EXPECT_EQ(now->running, 2U);
  EXPECT_EQ(now->executions, executions);
  EXPECT_TRUE(Ended(view, timed).timed_out);
  const auto lease = Use(view);
  ASSERT_TRUE(heart_->keeper->WriteStdin(lease, long_one, TextSource("back\n"), true));
  auto attached = heart_->keeper->Attach(lease, long_one, 0);
  ASSERT_TRUE(attached) << attached.error().ToString();
  EXPECT_EQ(Follow(*attached).out, "back\n");
  EXPECT_EQ(Ended(view, long_one).exit_code, 4);
}

TEST_F(Keeper, AServerThatIsKilledLosesNothing) {
  const auto view = Create();
  const Paths paths = paths_;
  heart_.reset();
  // The child is a server; it is killed in the middle of it.
  auto said = MakePipe();
  ASSERT_TRUE(said);
  const pid_t child = ::fork();
  if (child == 0) {
    auto heart = Heart::Open(paths, {});
    if (!heart) ::_exit(1);
    auto lease = (*heart)->manager->UseForServer(view.id);
    if (!lease) ::_exit(2);
    ProcessSpec spec;
    spec.shell = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.1; done; exit 6";
    auto process = (*heart)->keeper->Start(*lease, spec);
    if (!process) ::_exit(3);
    if (!WriteAll(said->write.get(), std::to_string(process->id()) + "\n")) ::_exit(4);
    Follow(*process);
    ::_exit(5);
  }
  char text[32] = {};
  ASSERT_GT(::read(said->read.get(), text, sizeof text - 1), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const uint64_t id = std::stoull(text);
  ASSERT_TRUE(Soon([&] {
    auto heart = Heart::Open(paths_, options_);  // until the launcher before has let go
    const bool opened = heart.has_value();
    if (opened) heart_ = *std::move(heart);
    return opened;
  }));
  auto attached = heart_->keeper->Attach(Use(view), id, 0);
  ASSERT_TRUE(attached) << attached.error().ToString();
  EXPECT_EQ(Follow(*attached).out, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
  EXPECT_EQ(Ended(view, id).exit_code, 6);
}

TEST_F(Keeper, HistoryIsBoundedAndGoesWithTheSandbox) {
  options_.history_per_sandbox = 20;
  Restart();
  const auto view = Create();
  const auto lease = Use(view);
  for (int i = 0; i < 150; ++i) {
    ASSERT_TRUE(Execute(lease, "exit 1"));
  }
  ASSERT_TRUE(heart_->store->Flush());
  const auto history = heart_->keeper->History(view.id, 1000);
  EXPECT_LE(history.size(), 20U + 64U);
  EXPECT_GE(history.size(), 20U);
  EXPECT_EQ(history.front().id, 150U);
  ASSERT_TRUE(heart_->manager->Destroy(caller_, view.id.text(), "requested"));
  EXPECT_TRUE(heart_->keeper->History(view.id, 1000).empty());
}

TEST_F(Keeper, EndlessOutputCostsNothingWhoeverReads) {
  const auto view = Create();
  const auto lease = Use(view);
  const Bytes before = ResidentBytes();
  ProcessSpec spec;
  spec.argv = {"yes"};
  const uint64_t alone = heart_->keeper->Start(lease, spec)->id();
  auto stopped = heart_->keeper->Start(lease, spec);
  ASSERT_TRUE(stopped);
  Follow(*stopped, [](const Followed& f) { return f.next_seq > 1'000'000; });
  auto read = heart_->keeper->Start(lease, spec);
  ASSERT_TRUE(read);
  uint64_t bytes = 0;
  while (bytes < 100 * kMiB) {
    auto event = read->Next(Millis(10'000));
    ASSERT_TRUE(event && *event);
    if (auto* output = std::get_if<ProcessOutput>(&**event)) bytes += output->bytes.size();
  }
  const auto executed = Execute(lease, "yes | head -c 50000000", 1000);
  EXPECT_EQ(executed->Written(OutputStream::kStdout), 50'000'000U);
  EXPECT_LE(ResidentBytes(), before + 16 * kMiB);
  // The one without a reader has gone on meanwhile.
  const auto processes = lease.guest().ListProcesses();
  EXPECT_EQ(Get(view, alone).state, ProcessState::kRunning);
  EXPECT_GT(processes->front().end_seq, 1'000'000U);
  EXPECT_TRUE(heart_->keeper->Signal(lease, alone, SIGKILL));
  EXPECT_EQ(Ended(view, alone).signal, static_cast<uint32_t>(SIGKILL));
}

TEST_F(Keeper, FilesOfAProjectAreSeenAndCannotBeChangedInItsSandboxes) {
  auto files = sandbox::ProjectFiles::Open(paths_, {}, *heart_->store, *heart_->events);
  ASSERT_TRUE(files) << files.error().ToString();
  const auto add = [&](const std::string& name, const std::string& content) {
    auto file = (*files)->Add(caller_, "web", name, "", TextSource(content));
    EXPECT_TRUE(file) << file.error().ToString();
    return *std::move(file);
  };
  const auto early = add("early.txt", "early");
  const auto view = Create([](sandbox::SandboxSpec& spec) { spec.project = "web"; });
  const auto other = Create([](sandbox::SandboxSpec& spec) { spec.project = "other"; });
  add("late \xe2\x82\xac.txt", "late");
  const auto run = [&](const sandbox::SandboxView& where, const std::string& line) {
    const auto done = Execute(Use(where), line);
    return done ? std::string(done->Text(OutputStream::kStdout).bytes) +
                      std::string(done->Text(OutputStream::kStderr).bytes)
                : done.error().ToString();
  };
  EXPECT_EQ(run(view, "id -u; cat /workspace/project_files/*"), "1000\nearlylate");
  EXPECT_EQ(run(other, "ls /workspace/project_files"), "");
  const std::string refused = run(view,
                                  "cd /workspace/project_files; echo x > early.txt; echo x > new;"
                                  "rm early.txt; chmod 600 early.txt; ln early.txt again");
  EXPECT_EQ(std::ranges::count(refused, '\n'), 5) << refused;
  EXPECT_EQ(run(view, "cat /workspace/project_files/early.txt"), "early");
  ASSERT_TRUE((*files)->Remove(caller_, early.id));
  EXPECT_EQ(run(view, "ls /workspace/project_files"), "late \xe2\x82\xac.txt\n");
}

}  // namespace
}  // namespace cay::testing
