// How `cay` was started is not how a sandbox runs: neither worse (a neighbour of nobody) nor better
// (more than its share).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/os/file.h"
#include "base/os/linux_abi.h"
#include "base/os/reap.h"
#include "live_sandbox.h"

namespace cay::attacks {
namespace {

constexpr std::chrono::seconds kDeadline{30};

// Runs `body`, which changes the calling process, in a child; its exit status.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  const auto status = AwaitChild(child, kDeadline);
  if (!status) KillAndReap(child);
  return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

void BecomeAStrangeCaller() {
  ::setpriority(PRIO_PROCESS, 0, 7);
  ::syscall(SYS_ioprio_set, abi::kIoprioWhoProcess, 0, abi::IoprioOf(abi::IoprioClass::kIdle));
  const sched_param parameter{.sched_priority = 0};
  ::sched_setscheduler(0, SCHED_BATCH, &parameter);
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ::sched_setaffinity(0, sizeof first, &first);
  ::prctl(PR_SET_TIMERSLACK, 1'000'000, 0, 0, 0);
  ::personality(ADDR_NO_RANDOMIZE);
  ::umask(0077);
  for (const auto& [resource, value] :
       {std::pair{RLIMIT_STACK, rlim_t{1 << 20}}, {RLIMIT_CPU, rlim_t{1000}}}) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    limit.rlim_cur = value;
    ::setrlimit(resource, &limit);
  }
}

int ProcessorsOfThisProcess() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  ::sched_getaffinity(0, sizeof processors, &processors);
  return CPU_COUNT(&processors);
}

std::string Expected() {
  return "nice 0 policy 0 io 0 processors " + std::to_string(ProcessorsOfThisProcess()) +
         " slack 50000 personality 0 umask 18 stack 8388608 cpu free may-nice 0 terminal no";
}

TEST(Caller, LeavesNothingOfItselfToASandboxOfRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string expected = Expected();
  EXPECT_EQ(InChild([&] {
              BecomeAStrangeCaller();
              const std::string said = VerdictOf(Arena::Own().Attack("caller_state")->Wait());
              EXPECT_EQ(said, expected);
              return said == expected ? 0 : 1;
            }),
            0);
}

// What takes no privilege to shed is shed for an ordinary user, too; niceness is what the kernel
// keeps.
TEST(Caller, LeavesAnOrdinaryUsersSandboxOnlyItsNiceness) {
  const Arena& arena = ::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own();
  std::string expected = Expected();
  expected.replace(0, std::string("nice 0").size(), "nice 7");
  EXPECT_EQ(InChild([&] {
              BecomeAStrangeCaller();
              const std::string said = VerdictOf(arena.Attack("caller_state")->Wait());
              EXPECT_EQ(said, expected);
              return said == expected ? 0 : 1;
            }),
            0);
}

// Hosts that forbid core files give their users a hard limit of 0, with which the kernel starts the
// machine's core dump helper: so it is 1 all the same where that may be, and where it may not, a
// sandbox starts only where there is no helper.
TEST(Caller, WithoutCoreFilesStartsNoHelperOfTheHost) {
  EXPECT_EQ(InChild([&] {
              const rlimit none{};
              if (::setrlimit(RLIMIT_CORE, &none) != 0) return 1;
              const std::string said = VerdictOf(Arena::Own().Attack("core_limit")->Wait());
              if (said == "helpers are not run") return 0;
              const auto pattern = ReadFile("/proc/sys/kernel/core_pattern");
              if (!pattern) return 2;
              const bool helper = pattern->starts_with('|');
              EXPECT_EQ(said, helper ? "" : "through limit 0");
              return said == (helper ? "" : "through limit 0") ? 0 : 3;
            }),
            0);
}

// The guest's session is its own: the terminal of the caller's is nowhere inside.
TEST(Caller, LeavesNoControllingTerminal) {
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (child == 0) {
    const Outcome outcome = Arena::Own().Attack("status NSsid")->Wait();
    ::_exit(VerdictOf(outcome).ends_with("\t0") ? 1 : 0);
  }
  const Fd terminal = Fd::Adopt(master);
  const auto status = AwaitChild(child, kDeadline);
  if (!status) KillAndReap(child);
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
}

// While the guest starts processes and serves files, its own files in /proc stay shut, to its own
// user id too.
TEST(Guest, NeverOpensItsFilesInProcToCommandsOfItsUserId) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto engine = StartEngine(Arena::Own());
  const LiveSandbox sandbox(*engine, HostTemplate(Arena::Own()));
  ProcessStream hammer = sandbox.Start({"/attack/attack-victim", "hold_oom_hammer"}, "0");
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(sandbox.Execute({"/attack/attack-victim", "execute_ok"}, round % 2 == 0 ? "" : "0")
                  .exit_code,
              0);
    EXPECT_TRUE(sandbox.guest().Stat({.user = "", .path = "/etc/passwd"}));
  }
  ASSERT_TRUE(hammer.CloseStdin());
  EXPECT_EQ(Finish(hammer).LastLine(), "never");
}

TEST(Guest, RaisesTheScoreOfEveryCommandAndNotItsOwn) {
  for (const Arena* arena : {&Arena::Own(), &Arena::OrdinaryUser()}) {
    if (arena != &Arena::Own() && ::geteuid() != 0) continue;
    std::vector<std::string> command = {"run", "--quiet"};
    if (arena != &Arena::Own() || ::geteuid() != 0) command.emplace_back("--best-effort");
    for (const char* word :
         {"--", "sh", "-c",
          "until grep -q 500 /proc/$$/oom_score_adj; do :; done; cat /proc/1/oom_score_adj"}) {
      command.emplace_back(word);
    }
    const Outcome outcome = arena->Cay(command)->Wait();
    EXPECT_EQ(outcome.out, "0\n") << outcome.err;
  }
}

}  // namespace
}  // namespace cay::attacks
