// What becomes of processes whose time is over.
#include <gmock/gmock.h>
#include <signal.h>

#include "base/os/sys.h"
#include "keeper_fixture.h"

namespace cay::testing {
namespace {

using sandbox::OutputRoom;
using sandbox::ProcessSpec;
using sandbox::ProcessState;

class ProcessTime : public KeeperFixture {};

TEST_F(ProcessTime, EndsWhatIsOverItsTimeWithAllItStarted) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec spec = Shell("(setsid sleep 1000 &) ; sleep 1001 & echo on; wait");
  spec.timeout = Millis(400);
  const auto done = heart_->keeper->Execute(lease, spec, "", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(done) << done.error().ToString();
  EXPECT_TRUE(done->record.timed_out);
  EXPECT_EQ(done->record.signal, static_cast<uint32_t>(SIGTERM));
  EXPECT_EQ(done->record.leftover_count, 0U);
  EXPECT_EQ(done->Text(OutputStream::kStdout).bytes, "on\n");
  const auto left = Execute(lease, "pgrep -f 'sleep 100[01]' | wc -l");
  EXPECT_EQ(left->Text(OutputStream::kStdout).bytes, "0\n");
  EXPECT_EQ(heart_->keeper->GetMetrics().timed_out, 1U);
}

TEST_F(ProcessTime, AsksWhatIsOverItsTimeToEndAndKillsWhatDoesNot) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec heeds = Shell("trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done");
  heeds.timeout = Millis(300);
  const auto asked = heart_->keeper->Execute(lease, heeds, "", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(asked) << asked.error().ToString();
  EXPECT_TRUE(asked->record.timed_out);
  EXPECT_EQ(asked->record.exit_code, 3);
  EXPECT_EQ(asked->Text(OutputStream::kStdout).bytes, "bye\n");
  ProcessSpec ignores = Shell("trap 'echo no' TERM; while :; do sleep 0.05; done");
  ignores.timeout = ignores.kill_grace = Millis(300);
  const auto killed = heart_->keeper->Execute(lease, ignores, "", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(killed) << killed.error().ToString();
  EXPECT_TRUE(killed->record.timed_out);
  EXPECT_EQ(killed->record.signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_EQ(killed->Text(OutputStream::kStdout).bytes, "no\n");
  ProcessSpec at_once = heeds;
  at_once.kill_grace = Millis(0);
  const auto ended = heart_->keeper->Execute(lease, at_once, "", OutputRoom::Unshared(kMiB));
  ASSERT_TRUE(ended) << ended.error().ToString();
  EXPECT_EQ(ended->record.signal, static_cast<uint32_t>(SIGKILL));
  ProcessSpec patient = heeds;
  patient.kill_grace = Millis(3'600'000);
  EXPECT_EQ(heart_->keeper->Start(lease, patient).error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(ProcessTime, EndsWhatIsOverItsTimeWhenNobodyFollowsOrReads) {
  const auto view = Create();
  const auto lease = Use(view);
  ProcessSpec spec = Shell("sleep 1000");
  spec.timeout = Millis(300);
  const uint64_t alone = heart_->keeper->Start(lease, spec)->id();
  // Its output is complete only when its reader has taken it, or gone.
  spec.shell = "yes";
  auto reads_late = heart_->keeper->Start(lease, spec);
  ASSERT_TRUE(reads_late);
  std::optional<sandbox::RunningProcess> goes = *heart_->keeper->Start(lease, spec);
  const uint64_t unread = goes->id();
  EXPECT_TRUE(Ended(view, alone).timed_out);
  EXPECT_TRUE(Soon([&] { return Get(view, unread).timed_out; }));
  goes.reset();
  EXPECT_EQ(Ended(view, unread).signal, static_cast<uint32_t>(SIGTERM));
  const Followed followed = Follow(*reads_late);
  EXPECT_EQ(followed.ends, 1);
  EXPECT_TRUE(followed.record->timed_out);
}

TEST_F(ProcessTime, AProcessWhoseGuestTakesNoConnectionIsOverInItsTime) {
  const auto view = Create();
  ProcessSpec spec = Shell("exec sleep 1000");
  spec.timeout = Millis(1000);
  auto process = heart_->keeper->Start(Use(view), spec);
  ASSERT_TRUE(process);
  const auto guest = Use(view).Watch();
  ASSERT_TRUE(guest);
  ASSERT_TRUE(sys::PidfdSendSignal(*guest, SIGSTOP));
  std::vector<Fd> waiting;
  while (auto connection = heart_->engine->Connect(view.id, Millis(0))) {
    waiting.push_back(std::move(*connection));
  }
  const Followed followed = Follow(*process);
  ASSERT_TRUE(followed.record);
  EXPECT_EQ(followed.ends, 1);
  EXPECT_TRUE(followed.record->timed_out);
  EXPECT_EQ(followed.record->state, ProcessState::kLost);
  waiting.clear();
  ASSERT_TRUE(sys::PidfdSendSignal(*guest, SIGCONT));
  // It is killed all the same, once its guest can be asked to.
  EXPECT_TRUE(Soon([&] {
    const auto left = Execute(Use(view), "pgrep -x sleep | wc -l");
    return left && left->Text(OutputStream::kStdout).bytes == "0\n";
  }));
}

TEST_F(ProcessTime, ProcessesOfAPausedSandboxGoOnWhenItIsResumed) {
  const auto view = Create();
  ProcessSpec spec = Shell("exec sleep 1000");
  spec.timeout = Millis(300);
  spec.kill_grace = Millis(0);
  const uint64_t id = heart_->keeper->Start(Use(view), spec)->id();
  ASSERT_TRUE(heart_->manager->Pause(caller_, view.id.text()));
  EXPECT_TRUE(Soon([&] { return Get(view, id).timed_out; }));
  EXPECT_EQ(Get(view, id).state, ProcessState::kRunning);
  ASSERT_TRUE(heart_->manager->Resume(caller_, view.id.text()));
  EXPECT_EQ(Ended(view, id).signal, static_cast<uint32_t>(SIGKILL));
}

TEST_F(ProcessTime, AProcessOfAPausedSandboxHearsThatItsTimeIsOver) {
  const auto view = Create();
  ProcessSpec spec = Shell("trap 'exit 7' TERM; touch /tmp/ready; while :; do sleep 0.05; done");
  spec.timeout = Millis(5000);
  spec.kill_grace = Millis(300);
  const uint64_t id = heart_->keeper->Start(Use(view), spec)->id();
  EXPECT_TRUE(Soon([&] {
    const auto there = Execute(Use(view), "test -e /tmp/ready");
    return there && there->record.exit_code == 0;
  }));
  ASSERT_TRUE(heart_->manager->Pause(caller_, view.id.text()));
  EXPECT_TRUE(Soon([&] { return Get(view, id).timed_out; }));
  std::this_thread::sleep_for(Millis(1000));  // longer than its grace
  ASSERT_TRUE(heart_->manager->Resume(caller_, view.id.text()));
  EXPECT_EQ(Ended(view, id).exit_code, 7);
}

}  // namespace
}  // namespace cay::testing
