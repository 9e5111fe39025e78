#include "base/bpf/bpf_compiler.h"

#include <gtest/gtest.h>
#include <linux/audit.h>

#include <cerrno>
#include <random>

#include "engine/native/seccomp/bpf_evaluator.h"
#include "engine/native/seccomp/sandbox_policy.h"

namespace cay::engine::native {
namespace {

constexpr uint64_t kHigh = 1ULL << 32;

seccomp_data Call(uint32_t number, std::initializer_list<uint64_t> args = {},
                  uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = arch;
  std::copy(args.begin(), args.end(), call.args);
  return call;
}

Action ActionOf(const Policy& policy, const seccomp_data& call) {
  const auto program = CompileFilter(policy);
  const auto verdict = RunFilter(program, call);
  EXPECT_TRUE(verdict) << verdict.error().ToString();
  for (const Action action : {Action::Allow(), Action::KillProcess()}) {
    if (verdict->action == action.value()) return action;
  }
  return Action::Errno(static_cast<int>(verdict->action & SECCOMP_RET_DATA));
}

TEST(BpfCompiler, AnEmptyPolicyGivesEveryCallTheUnknownAction) {
  const Policy policy(Action::Errno(ENOSYS));
  EXPECT_EQ(ActionOf(policy, Call(0)), Action::Errno(ENOSYS));
  EXPECT_EQ(ActionOf(policy, Call(1000)), Action::Errno(ENOSYS));
}

TEST(BpfCompiler, ForeignArchitecturesAreKilled) {
  Policy policy(Action::Allow());
  policy.Add({"a", "", Action::Allow(), {0, 1, 2}});
  EXPECT_EQ(ActionOf(policy, Call(1, {}, AUDIT_ARCH_I386)), Action::KillProcess());
  EXPECT_EQ(ActionOf(policy, Call(1, {}, AUDIT_ARCH_AARCH64)), Action::KillProcess());
}

TEST(BpfCompiler, X32NumbersAreKilledAndASkippedCallIsNot) {
  const Policy policy(Action::Errno(ENOSYS));
  EXPECT_EQ(ActionOf(policy, Call(kX32SyscallBit)), Action::KillProcess());
  EXPECT_EQ(ActionOf(policy, Call(kX32SyscallBit + 1)), Action::KillProcess());
  EXPECT_EQ(ActionOf(policy, Call(0xffff'fffe)), Action::KillProcess());
  EXPECT_EQ(ActionOf(policy, Call(kSkippedCall)), Action::Errno(ENOSYS));
  EXPECT_EQ(ActionOf(policy, Call(kX32SyscallBit - 1)), Action::Errno(ENOSYS));
}

TEST(BpfCompiler, AMaskOverBothHalvesLooksAtBothHalves) {
  Policy policy(Action::Errno(ENOSYS));
  policy.Add(
      {"a", "", Action::Errno(EPERM), {7}, {{{Masked(5, ~0ULL, kHigh | 3)}, Action::Allow()}}});
  EXPECT_EQ(ActionOf(policy, Call(7, {0, 0, 0, 0, 0, kHigh | 3})), Action::Allow());
  EXPECT_EQ(ActionOf(policy, Call(7, {0, 0, 0, 0, 0, 3})), Action::Errno(EPERM));
  EXPECT_EQ(ActionOf(policy, Call(7, {0, 0, 0, 0, 0, kHigh})), Action::Errno(EPERM));
}

TEST(BpfCompiler, ALow32ConditionIgnoresTheUpperHalf) {
  Policy policy(Action::Errno(ENOSYS));
  policy.Add({"a", "", Action::Allow(), {7}, {{{Low32(1, 9)}, Action::Errno(EPERM)}}});
  EXPECT_EQ(ActionOf(policy, Call(7, {0, kHigh | 9})), Action::Errno(EPERM));
  EXPECT_EQ(ActionOf(policy, Call(7, {0, kHigh | 8})), Action::Allow());
}

TEST(BpfCompiler, TheFirstMatchingRuleDecides) {
  Policy policy(Action::Errno(ENOSYS));
  policy.Add({"a",
              "",
              Action::Errno(EINVAL),
              {7},
              {{{Low32(0, 1), Low32(1, 1)}, Action::Allow()},
               {{Low32(0, 1)}, Action::Errno(EPERM)},
               {{Not(Low32(0, 2))}, Action::Errno(EACCES)}}});
  EXPECT_EQ(ActionOf(policy, Call(7, {1, 1})), Action::Allow());
  EXPECT_EQ(ActionOf(policy, Call(7, {1, 2})), Action::Errno(EPERM));
  EXPECT_EQ(ActionOf(policy, Call(7, {3, 1})), Action::Errno(EACCES));
  EXPECT_EQ(ActionOf(policy, Call(7, {2, 1})), Action::Errno(EINVAL));
}

// Their shared conditions are tested once; the order of rules still decides.
TEST(BpfCompiler, RulesThatDifferInAValueOnlyMeanWhatTheySay) {
  const Action one = Action::Errno(EPERM);
  const Action two = Action::Errno(ENODEV);
  Policy policy(Action::Errno(ENOSYS));
  policy.Add({"a",
              "",
              Action::Allow(),
              {7},
              {{{Low32(0, 1), Masked(1, 0xf0, 0x10)}, one},
               {{Low32(0, 1), Masked(1, 0xf0, 0x20)}, one},
               {{Low32(0, 1), Masked(1, 0xf0, 0x30)}, two},
               {{Low32(0, 2), Low32(1, 5)}, one},
               {{Low32(0, 2), Low32(1, 6)}, one},
               {{Low32(0, 2), Not(Low32(1, 7))}, two},
               {{Low32(1, 8)}, one},
               {{Low32(1, 9)}, one},
               {{Masked(1, ~0ULL, 10)}, two},
               {{Masked(1, ~0ULL, 11)}, two}}});
  for (uint64_t first = 0; first < 4; ++first) {
    for (uint64_t second = 0; second < 0x50; ++second) {
      for (const uint64_t high : {uint64_t{0}, kHigh}) {
        const seccomp_data call = Call(7, {first | high, second | high});
        EXPECT_EQ(ActionOf(policy, call), Evaluate(policy, call, AUDIT_ARCH_X86_64))
            << first << " " << second << " " << high;
      }
    }
  }
}

TEST(BpfCompiler, JumpsLongerThanAConditionalJumpCanBeAreBridged) {
  Policy policy(Action::Errno(ENOSYS));
  for (uint32_t number = 0; number < 400; number += 2) {
    policy.Add({"a",
                "",
                Action::Errno(static_cast<int>(number % 100 + 1)),
                {number},
                {{{Masked(0, ~0ULL, number)}, Action::Allow()}}});
  }
  const auto program = CompileFilter(policy);
  for (uint32_t number = 0; number < 400; ++number) {
    for (const uint64_t argument : {uint64_t{number}, number | kHigh}) {
      const seccomp_data call = Call(number, {argument});
      const auto verdict = RunFilter(program, call);
      ASSERT_TRUE(verdict);
      EXPECT_EQ(verdict->action, Evaluate(policy, call, AUDIT_ARCH_X86_64).value()) << number;
    }
  }
}

TEST(BpfCompiler, ACallInTwoGroupsIsADefect) {
  Policy policy(Action::Allow());
  policy.Add({"a", "", Action::Allow(), {1}});
  EXPECT_THROW(policy.Add({"b", "", Action::Allow(), {1}}), std::logic_error);
}

TEST(BpfCompiler, TheSandboxFilterMeansWhatThePolicySaysForRandomCalls) {
  const Policy policy = SandboxPolicy();
  const auto program = CompileFilter(policy);
  std::vector<uint64_t> interesting = {0, 1, 2, 3, 10, 16, kHigh, ~0ULL, 0xffff'ffff};
  for (const Group& group : policy.groups()) {
    for (const Rule& rule : group.rules) {
      for (const Condition& condition : rule.all) {
        interesting.push_back(condition.value);
        interesting.push_back(condition.value | kHigh);
        interesting.push_back(condition.value ^ (condition.mask & -condition.mask));
      }
    }
  }
  std::mt19937_64 random(20);
  for (int round = 0; round < 100'000; ++round) {
    seccomp_data call = Call(static_cast<uint32_t>(random() % 512));
    for (auto& argument : call.args) argument = interesting[random() % interesting.size()];
    const auto verdict = RunFilter(program, call);
    ASSERT_TRUE(verdict);
    ASSERT_EQ(verdict->action, Evaluate(policy, call, AUDIT_ARCH_X86_64).value())
        << "call " << call.nr << " round " << round;
  }
}

TEST(BpfEvaluator, AProgramThatRunsOffItsEndIsRefused) {
  const sock_filter jump_away[] = {{BPF_JMP | BPF_JA, 0, 0, 5}};
  EXPECT_FALSE(RunFilter(jump_away, Call(0)));
  const sock_filter load_outside[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64},
                                      {BPF_RET | BPF_K, 0, 0, 0}};
  EXPECT_FALSE(RunFilter(load_outside, Call(0)));
}

}  // namespace
}  // namespace cay::engine::native
