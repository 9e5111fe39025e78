// Commands through a real guest: identity, exit, stdio, signals, limits, what is left behind.
#include <gmock/gmock.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os/linux_abi.h"
#include "guest_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class GuestProcess : public GuestFixture {};

TEST_F(GuestProcess, GivesOutputAndExitCode) {
  const Outcome outcome = Run(Shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(outcome.exited) << outcome.error->ToString();
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(outcome.exited->exit_code, 7);
  EXPECT_EQ(outcome.exited->signal, 0U);
  EXPECT_EQ(outcome.exited->end_seq, 8U);
  EXPECT_EQ(outcome.exited->leftover_count, 0U);
  EXPECT_FALSE(outcome.exited->output_cut);
}

TEST_F(GuestProcess, HasNothingOfTheGuestsPrivileges) {
  const Outcome outcome = Run(
      // The guest raises the score when the shell runs, not before.
      Shell("until grep -q 500 /proc/$$/oom_score_adj; do :; done;"
            "id -u; id -g; id -G; umask; cat /proc/self/oom_score_adj; ls /proc/self/fd | wc -l;"
            "grep -E '^(Cap|NoNewPrivs|Seccomp:|SigBlk|SigIgn)' /proc/self/status; ulimit -c"));
  EXPECT_EQ(outcome.out,
            "1000\n1000\n1000\n0022\n500\n4\n"  // ls has the directory itself open
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
            "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
            "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
            "0\n")
      << outcome.err;
}

TEST_F(GuestProcess, AsRootOfTheSandboxStillHasNoCapability) {
  auto request = Shell("id -u; grep -c '^Cap.*0000000000000000$' /proc/self/status");
  request.user = "0:0";
  EXPECT_EQ(Run(request).out, "0\n5\n");
}

TEST_F(GuestProcess, CannotTouchTheGuest) {
  auto request = Shell(
      "kill -9 1 2>&1; kill -STOP 1 2>&1; kill -9 -1 2>/dev/null;"
      "cat /proc/1/environ /proc/1/mem 2>&1 | head -c 200; ls /proc/1/fd 2>&1; echo done");
  request.user = "root";
  const Outcome outcome = Run(request);
  EXPECT_TRUE(guest_->Alive());
  // Without Landlock scopes (Linux 6.12) only the pid namespace's own protection of its first
  // process is left: signals are taken, and do nothing.
  const long landlock =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (landlock >= abi::kLandlockAbiWithScopes) {
    EXPECT_THAT(outcome.out, HasSubstr("Operation not permitted"));
  }
  EXPECT_THAT(outcome.out, HasSubstr("Permission denied"));
}

TEST_F(GuestProcess, CommandsCanSignalEachOther) {
  auto sleeper = channel_->Start(Shell("exec sleep 100"));
  const Outcome started = ReadUntil(*sleeper, HasStarted);
  const Outcome killer = Run(Shell("kill -USR1 " + std::to_string(started.started->pid)));
  EXPECT_EQ(killer.exited->exit_code, 0) << killer.err;
  EXPECT_EQ(Finish(*sleeper).exited->signal, static_cast<uint32_t>(SIGUSR1));
}

TEST_F(GuestProcess, RunsAsTheUserWhoIsNamed) {
  auto request = Shell("id -u; id -g");
  request.user = "daemon";
  EXPECT_EQ(Run(request).out, "1\n1\n");
  request.user = "4242:17";
  EXPECT_EQ(Run(request).out, "4242\n17\n");
  request.user = "nosuchuser";
  const Outcome outcome = Run(request);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(outcome.error->message(), HasSubstr("no user nosuchuser"));
}

TEST_F(GuestProcess, GetsExactlyItsArgumentsEnvironmentAndDirectory) {
  protocol::StartRequest request;
  request.argv = {"/usr/bin/env"};
  request.env = {"A=1", "B=", "C=x=y"};
  EXPECT_EQ(Run(request).out, "A=1\nB=\nC=x=y\n");
  request = Shell("pwd; printf '<%s>' \"$@\"");
  request.argv.insert(request.argv.end(), {"sh", "", "a b", "\xff"});
  request.cwd = "/usr";
  EXPECT_EQ(Run(request).out, "/usr\n<><a b><\xff>");
}

TEST_F(GuestProcess, TakesAMegabyteOfArgumentsAndRefusesMore) {
  protocol::StartRequest request = Shell("printf %s \"$@\" | wc -c");
  request.argv.emplace_back("sh");
  for (int i = 0; i < 9; ++i) request.argv.emplace_back(100'000, 'x');
  EXPECT_EQ(Run(request).out, "900000\n");
  request.argv.emplace_back(120'000, 'x');
  request.argv.emplace_back(120'000, 'x');
  EXPECT_EQ(Run(request).error->code(), ErrorCode::kLimitTooHigh);
}

TEST_F(GuestProcess, SaysWhyACommandDidNotStart) {
  const auto start = [&](const std::string& command) {
    protocol::StartRequest request;
    request.argv = {command};
    request.env = {"PATH=/usr/bin:/bin:/etc"};
    return *Run(request).error;
  };
  EXPECT_EQ(start("no-such-command").code(), ErrorCode::kCommandNotFound);
  EXPECT_EQ(start("no-such-command").message(), "no-such-command: command not found");
  EXPECT_EQ(start("/no/such/file").code(), ErrorCode::kCommandNotFound);
  EXPECT_EQ(start("").code(), ErrorCode::kCommandNotFound);
  EXPECT_EQ(start("/usr").code(), ErrorCode::kNotExecutable);
  EXPECT_EQ(start("/usr").message(), "/usr: is a directory");
  EXPECT_EQ(start("/etc/passwd").code(), ErrorCode::kNotExecutable);
  EXPECT_EQ(start("/etc/passwd").message(), "/etc/passwd: permission denied");
  EXPECT_EQ(start("passwd/x").code(), ErrorCode::kCommandNotFound);
  auto nowhere = Shell("true");
  nowhere.cwd = "/no/such/directory";
  EXPECT_EQ(Run(nowhere).error->code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(channel_->Ping()->kept, 0U);
}

TEST_F(GuestProcess, AFileWithoutInterpreterIsNotExecutable) {
  const Outcome made =
      Run(Shell("d=$(mktemp -d); echo text > $d/a; echo '#!/no/such' > $d/b;"
                "chmod 755 $d $d/a $d/b; printf $d"));
  protocol::StartRequest request;
  request.argv = {made.out + "/a"};
  EXPECT_EQ(Run(request).error->code(), ErrorCode::kNotExecutable);
  request.argv = {made.out + "/b"};
  const Error error = *Run(request).error;
  EXPECT_EQ(error.code(), ErrorCode::kNotExecutable);
  EXPECT_THAT(error.message(), HasSubstr("interpreter"));
  Run(Shell("rm -r " + made.out));
}

TEST_F(GuestProcess, EchoesItsInputToTheLastByte) {
  std::string input;
  for (int i = 0; input.size() < 3'000'000; ++i) input += std::to_string(i) + '\n';
  protocol::StartRequest request = Shell("cat");
  request.stdin_open = true;
  const Outcome outcome = Run(request, input);
  EXPECT_EQ(outcome.exited->exit_code, 0);
  EXPECT_TRUE(outcome.out == input) << outcome.out.size();
}

TEST_F(GuestProcess, WithoutStdinReadsNothing) {
  EXPECT_EQ(Run(Shell("cat; echo end")).out, "end\n");
}

TEST_F(GuestProcess, ThatStopsReadingTellsTheWriter) {
  protocol::StartRequest request = Shell("exec <&-; echo closed; sleep 0.3");
  request.stdin_open = true;
  const Outcome outcome = Run(request, std::string(2'000'000, 'x'));
  EXPECT_EQ(outcome.exited->exit_code, 0);
}

TEST_F(GuestProcess, ThatDoesNotReadCanStillBeSignalled) {
  protocol::StartRequest request = Shell("trap 'exit 9' TERM; while :; do sleep 0.05; done");
  request.stdin_open = true;
  auto stream = channel_->Start(request);
  ReadUntil(*stream, HasStarted);
  EXPECT_EQ(*stream->WriteStdin(std::string(1'000'000, 'x')), protocol::kStdinWindowBytes);
  EXPECT_EQ(stream->stdin_room(), 0U);
  EXPECT_TRUE(stream->Signal(SIGTERM, protocol::SignalTarget::kLeader));
  const Outcome outcome = ReadUntil(*stream, HasExited);
  EXPECT_TRUE(outcome.exited->exit_code == 9 || outcome.exited->signal == SIGTERM);
}

TEST_F(GuestProcess, InputCanComeOverAnotherConnection) {
  protocol::StartRequest request = Shell("cat");
  request.stdin_open = true;
  auto stream = channel_->Start(request);
  const auto started = ReadUntil(*stream, HasStarted).started;
  const std::string text(700'000, 'y');
  std::string seen;
  // Each returns once the pipe has taken it, so somebody has to read: a part at a time.
  for (size_t at = 0; at < text.size(); at += 50'000) {
    ASSERT_TRUE(channel_->WriteStdin(started->process, TextSource(text.substr(at, 50'000)), false));
    const size_t want = at + 50'000 - seen.size();
    seen += ReadUntil(*stream, [&](const Outcome& o) { return o.out.size() >= want; }).out;
  }
  ASSERT_TRUE(channel_->WriteStdin(started->process, TextSource("end"), true));
  const Outcome rest = ReadUntil(*stream, HasExited);
  EXPECT_TRUE(seen + rest.out == text + "end");
  EXPECT_EQ(channel_->WriteStdin(started->process, TextSource("x"), false).error().code(),
            ErrorCode::kIllegalState);
}

TEST_F(GuestProcess, ASignalReachesTheWholeGroupOrOnlyTheLeader) {
  const std::string script =
      "trap 'echo leader' USR1; sh -c 'trap \"echo child; exit\" USR1; "
      "echo ready; while :; do sleep 0.05; done' & "
      "while ! wait $!; do :; done; sleep 0.2";
  auto stream = channel_->Start(Shell(script));
  const auto started =
      ReadUntil(*stream, [](const Outcome& o) { return o.out == "ready\n"; }).started;
  EXPECT_TRUE(channel_->Signal(
      {.process = started->process, .signal = SIGUSR1, .target = protocol::SignalTarget::kLeader}));
  EXPECT_EQ(ReadUntil(*stream, [](const Outcome& o) { return !o.out.empty(); }).out, "leader\n");
  EXPECT_TRUE(channel_->Signal({.process = started->process, .signal = SIGKILL}));
  EXPECT_EQ(Finish(*stream).exited->signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_EQ(channel_->Signal({.process = started->process, .signal = SIGKILL}).error().code(),
            ErrorCode::kIllegalState);
  EXPECT_EQ(channel_->Signal({.process = 999, .signal = SIGKILL}).error().code(),
            ErrorCode::kNotFound);
}

TEST_F(GuestProcess, LimitsHoldAndCannotBeRaised) {
  auto request = Shell("ulimit -n; ulimit -Hn");
  request.rlimits = {{.kind = protocol::RlimitKind::kOpenFiles, .value = 64}};
  EXPECT_EQ(Run(request).out, "64\n64\n");
  request.rlimits = {{.kind = protocol::RlimitKind::kOpenFiles, .value = 1ULL << 40}};
  EXPECT_EQ(Run(request).error->code(), ErrorCode::kLimitTooHigh);
}

TEST_F(GuestProcess, ProcessorTimeEndsInSigxcpuAndASecondLaterInSigkill) {
  auto request = Shell("ulimit -St; ulimit -Ht; ulimit -Ht 100 2>/dev/null; while :; do :; done");
  request.rlimits = {{.kind = protocol::RlimitKind::kCpuSeconds, .value = 1}};
  const Outcome outcome = Run(request);
  EXPECT_EQ(outcome.out, "1\n2\n");
  EXPECT_EQ(outcome.exited->signal, static_cast<uint32_t>(SIGXCPU));
  request.argv.back() = "trap '' XCPU; while :; do :; done";
  EXPECT_EQ(Run(request).exited->signal, static_cast<uint32_t>(SIGKILL));
}

TEST_F(GuestProcess, IsListedWhileItRunsAndAfterwards) {
  auto stream = channel_->Start(Shell("echo hello; exec sleep 100"));
  const auto started =
      ReadUntil(*stream, [](const Outcome& o) { return o.out == "hello\n"; }).started;
  auto list = channel_->ListProcesses();
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().process, started->process);
  EXPECT_EQ(list->front().pid, started->pid);
  EXPECT_EQ(list->front().argv.front(), "sh");
  EXPECT_EQ(list->front().end_seq, 6U);
  EXPECT_FALSE(list->front().exited);
  EXPECT_EQ(channel_->Ping()->running, 1U);
  EXPECT_TRUE(stream->Signal(SIGKILL));
  Finish(*stream);
  list = channel_->ListProcesses();
  EXPECT_EQ(list->front().exited->signal, static_cast<uint32_t>(SIGKILL));
  EXPECT_EQ(channel_->Ping()->running, 0U);
}

TEST_F(GuestProcess, RunsOnWhenTheConnectionGoes) {
  uint64_t process = 0;
  {
    auto stream = channel_->Start(Shell("sleep 0.2; echo still here"));
    process = ReadUntil(*stream, HasStarted).started->process;
  }
  auto again = channel_->Attach(process, 0);
  EXPECT_EQ(Finish(*again).out, "still here\n");
}

// The end, or the error, that a wait gives within `patience`.
Result<protocol::Exited> AwaitEnd(WaitStream& wait, Millis patience = Millis(20'000)) {
  pollfd polled{.fd = wait.fd(), .events = POLLIN, .revents = 0};
  while (true) {
    auto end = TRY(wait.Next());
    if (end) return *std::move(end);
    if (::poll(&polled, 1, static_cast<int>(patience.count())) <= 0) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "no end in time"));
    }
  }
}

TEST_F(GuestProcess, CanBeWaitedForWhileItRunsAndAfterwards) {
  auto request = Shell("read x; echo $x; exit 3");
  request.stdin_open = true;
  auto stream = channel_->Start(request);
  ASSERT_TRUE(stream);
  const uint64_t process = ReadUntil(*stream, HasStarted).started->process;
  auto wait = channel_->Wait(process);
  ASSERT_TRUE(wait) << wait.error().ToString();
  const auto early = wait->Next();
  ASSERT_TRUE(early) << early.error().ToString();
  EXPECT_FALSE(*early);
  const Outcome outcome = Run(Shell("true"));  // the guest has seen the wait by now
  EXPECT_TRUE(outcome.exited);
  EXPECT_FALSE(wait->Next()->has_value());
  const uint64_t end_seq = Finish(*stream, "hello\n").exited->end_seq;
  auto during = AwaitEnd(*wait);
  ASSERT_TRUE(during) << during.error().ToString();
  EXPECT_EQ(during->exit_code, 3);
  EXPECT_EQ(during->end_seq, end_seq);
  auto again = channel_->Wait(process);
  auto afterwards = AwaitEnd(*again);
  ASSERT_TRUE(afterwards) << afterwards.error().ToString();
  EXPECT_EQ(afterwards->exit_code, 3);
}

TEST_F(GuestProcess, AWaitForOneThatIsNotThereSaysSo) {
  auto wait = channel_->Wait(77);
  ASSERT_TRUE(wait) << wait.error().ToString();
  EXPECT_EQ(AwaitEnd(*wait).error().code(), ErrorCode::kNotFound);
}

TEST_F(GuestProcess, OneWhoOnlyWaitsNeverHoldsUpAWriter) {
  std::optional<WaitStream> wait;
  {
    // More than a ring; it could not end if the wait counted as a reader who lags.
    auto request = Shell("read x; head -c 5000000 /dev/zero; exit 5");
    request.stdin_open = true;
    auto stream = channel_->Start(request);
    ASSERT_TRUE(stream);
    const uint64_t process = ReadUntil(*stream, HasStarted).started->process;
    wait = *channel_->Wait(process);
    EXPECT_TRUE(channel_->Signal({.process = process, .signal = 0, .target = {}}));
    EXPECT_TRUE(channel_->WriteStdin(process, TextSource("\n"), true));
  }
  const auto exited = AwaitEnd(*wait);
  ASSERT_TRUE(exited) << exited.error().ToString();
  EXPECT_EQ(exited->exit_code, 5);
  EXPECT_EQ(exited->end_seq, 5'000'000U);
}

TEST_F(GuestProcess, AWaitEndsWithTheGuest) {
  auto stream = channel_->Start(Shell("exec sleep 100"));
  auto wait = channel_->Wait(ReadUntil(*stream, HasStarted).started->process);
  ::kill(guest_->pid(), SIGKILL);
  EXPECT_EQ(AwaitEnd(*wait).error().code(), ErrorCode::kUnavailable);
  guest_.reset();
}

TEST_F(GuestProcess, AThousandShortCommandsAllEndAndOldOnesAreForgotten) {
  protocol::StartRequest request;
  request.argv = {"/bin/echo", "x"};
  for (int i = 0; i < 1000; ++i) {
    const Outcome outcome = Run(request);
    ASSERT_TRUE(outcome.exited) << i << outcome.error->ToString();
    ASSERT_EQ(outcome.out, "x\n");
    ASSERT_EQ(outcome.exited->exit_code, 0);
  }
  EXPECT_LE(channel_->Ping()->kept, 64U);
  auto stream = channel_->Attach(1, 0);
  EXPECT_EQ(Finish(*stream).error->code(), ErrorCode::kNotFound);
  // The guest's descriptors are back to what an idle guest has.
  EXPECT_EQ(Run(Shell("ls /proc/self/fd | wc -l")).out, "4\n");
}

TEST_F(GuestProcess, ManyAtOnceKeepTheirOutputApart) {
  std::vector<ProcessStream> streams;
  for (int i = 0; i < 40; ++i) {
    auto stream =
        channel_->Start(Shell("for i in $(seq 200); do echo " + std::to_string(i) + " $i; done"));
    ASSERT_TRUE(stream);
    streams.push_back(*std::move(stream));
  }
  for (int i = 0; i < 40; ++i) {
    std::string expected;
    for (int j = 1; j <= 200; ++j) {
      expected += std::to_string(i) + " " + std::to_string(j) + "\n";
    }
    EXPECT_EQ(Finish(streams[static_cast<size_t>(i)]).out, expected);
  }
}

TEST_F(GuestProcess, MoreAtOnceThanTheMaximumAreRefused) {
  std::vector<ProcessStream> streams;
  for (size_t i = 0; i < protocol::kMaxRunning; ++i) {
    streams.push_back(*channel_->Start(Shell("exec sleep 100")));
    ASSERT_TRUE(ReadUntil(streams.back(), HasStarted).started);
  }
  EXPECT_EQ(Run(Shell("true")).error->code(), ErrorCode::kResourceExhausted);
}

TEST_F(GuestProcess, LeftoversNeitherHoldUpTheEndNorGoUnnoticed) {
  // A daemon: in a session of its own, its parent gone, holding stdout.
  const Outcome outcome = Run(Shell("(setsid sh -c 'sleep 100; echo late' & ); echo main"));
  ASSERT_TRUE(outcome.exited);
  EXPECT_EQ(outcome.out, "main\n");
  EXPECT_TRUE(outcome.exited->output_cut);
  EXPECT_GE(outcome.exited->leftover_count, 1U);
  EXPECT_EQ(outcome.exited->leftovers.size(), outcome.exited->leftover_count);
  const auto killed = channel_->KillLeftovers(outcome.started->process);
  ASSERT_TRUE(killed);
  EXPECT_GE(killed->killed, 1U);
  EXPECT_EQ(killed->remaining, 0U);
  EXPECT_EQ(Run(Shell("set -- /proc/[0-9]*; echo $#")).out, "2\n");  // the guest and this shell
}

TEST_F(GuestProcess, FiltersOfTheOutputAreWaitedFor) {
  const auto run = [&](const std::string& script) {
    protocol::StartRequest request = Shell("");
    request.argv = {"/bin/bash", "-c", script};
    return Run(request);
  };
  for (const auto& [script, expected] : {
           std::pair("exec > >(sleep .3; cat); echo hello", "hello\n"),
           std::pair("exec > >(sed s/e/a/ | (sleep .3; cat)); echo hello", "hallo\n"),
           std::pair(
               "cd $(mktemp -d); mkfifo f; (sleep .3; cat) <f & exec >f; rm -r $PWD; echo hello",
               "hello\n"),
           std::pair("exec 2> >(sleep .3; cat); echo hello >&2", "hello\n"),
       }) {
    const Outcome outcome = run(script);
    ASSERT_TRUE(outcome.exited) << script;
    EXPECT_EQ(outcome.out, expected) << script << ": " << outcome.err;
    EXPECT_FALSE(outcome.exited->output_cut) << script;
  }
  const Outcome slow = run("exec > >(while read -r line; do echo $line; done); seq 60000");
  ASSERT_TRUE(slow.exited);
  EXPECT_FALSE(slow.exited->output_cut);
  EXPECT_EQ(std::ranges::count(slow.out, '\n'), 60'000);
  EXPECT_TRUE(slow.out.ends_with("\n60000\n"));
}

// It heeds no signal itself, and has work for an hour and a half.
TEST_F(GuestProcess, ASignalCutsWhatAFilterHasLeft) {
  protocol::StartRequest request = Shell("");
  request.argv = {"/bin/bash", "-c",
                  "exec > >(trap '' TERM; echo up; while sleep .1; do read -r -N1 x; done);"
                  "printf %050000d 0"};
  auto stream = channel_->Start(request);
  ASSERT_TRUE(stream);
  ASSERT_TRUE(
      ReadUntil(*stream, [](const Outcome& so_far) { return so_far.out == "up\n"; }).started);
  // The first may find the leader alive: then it ends only that.
  std::optional<protocol::Exited> exited;
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(stream->Signal(SIGTERM));
    const auto event = stream->Next();
    if (event && *event && std::holds_alternative<protocol::Exited>(**event)) {
      exited = std::get<protocol::Exited>(**event);
    }
    return exited.has_value();
  }));
  ASSERT_TRUE(exited);
  EXPECT_TRUE(exited->output_cut);
}

TEST_F(GuestProcess, LeftoversOfOneCommandAreNotAnothers) {
  const Outcome daemon = Run(Shell("(setsid sleep 100 >/dev/null 2>&1 & )"));
  EXPECT_EQ(daemon.exited->leftover_count, 1U);
  EXPECT_FALSE(daemon.exited->output_cut);
  const Outcome other = Run(Shell("true"));
  EXPECT_EQ(other.exited->leftover_count, 0U);
  EXPECT_EQ(channel_->KillLeftovers(other.started->process)->killed, 0U);
  EXPECT_EQ(channel_->KillLeftovers(daemon.started->process)->killed, 1U);
}

TEST_F(GuestProcess, LeftoversThatPrintOnAreNotKilledByIt) {
  const Outcome outcome =
      Run(Shell("(setsid sh -c 'for i in 1 2 3 4 5 6; do sleep 0.1; echo noise || exit; done; "
                "exec sleep 100' & )"));
  EXPECT_TRUE(outcome.exited->output_cut);
  EXPECT_TRUE(Eventually([&] {
    return Run(Shell("grep -l 'sleep.100' /proc/[0-9]*/cmdline 2>/dev/null | wc -l")).out != "0\n";
  }));
  EXPECT_GE(channel_->KillLeftovers(outcome.started->process)->killed, 1U);
}

TEST_F(GuestProcess, AForkBombOfOneCommandCanBeKilled) {
  auto stream = channel_->Start(
      Shell("ulimit -u 150; f() { setsid sh -c 'while :; do :; done' & f; }; f 2>/dev/null"));
  const auto started = ReadUntil(*stream, HasStarted).started;
  EXPECT_TRUE(Eventually([&] {
    const auto list = channel_->ListProcesses();
    return list && !list->empty();
  }));
  const auto killed = channel_->KillLeftovers(started->process);
  ASSERT_TRUE(killed) << killed.error().ToString();
  EXPECT_EQ(killed->remaining, 0U);
  EXPECT_EQ(Finish(*stream).exited->signal, static_cast<uint32_t>(SIGKILL));
}

}  // namespace
}  // namespace cay::testing
