#include "guest/confinement/command_policy.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <initializer_list>

#include "guest/confinement/command_filter.h"

namespace cay::guest {
namespace {

using seccomp::Action;

constexpr uint64_t kHigh = 1ULL << 32;

Action Of(Undecided undecided, uint32_t number, std::initializer_list<uint64_t> args) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = AUDIT_ARCH_X86_64;
  std::copy(args.begin(), args.end(), call.args);
  return Evaluate(CommandPolicy(undecided), call, AUDIT_ARCH_X86_64);
}

struct Case {
  uint32_t number;
  std::initializer_list<uint64_t> args;
  Action without;  // an arbiter
};

TEST(CommandPolicyTest, WhatItCannotDecideIsAskedOrRefusedAsByAKernelWithoutIt) {
  const Case cases[] = {
      {SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, Action::Errno(EPROTONOSUPPORT)},
      {SYS_socket, {AF_NETLINK | kHigh, SOCK_RAW, 0}, Action::Errno(EPROTONOSUPPORT)},
      {SYS_socket, {AF_INET, SOCK_STREAM, 0}, Action::Allow()},
      {SYS_socket, {AF_INET6 | kHigh, SOCK_DGRAM, 0}, Action::Allow()},
      {SYS_connect, {3, ~0ULL, sizeof(sockaddr_in)}, Action::Allow()},
      {SYS_connect, {3, ~0ULL, sizeof(sockaddr_in6) | kHigh}, Action::Allow()},
      {SYS_connect, {3, ~0ULL, sizeof(sockaddr_un)}, Action::Allow()},
      {SYS_setsockopt, {3, SOL_SOCKET, SO_RCVBUF}, Action::Allow()},
      {SYS_setsockopt, {3, SOL_SOCKET | kHigh, SO_SNDBUF | kHigh}, Action::Allow()},
      {SYS_seccomp, {SECCOMP_SET_MODE_FILTER, 0, 0}, Action::Errno(EINVAL)},
      {SYS_seccomp, {SECCOMP_SET_MODE_FILTER | kHigh, ~0ULL, 0}, Action::Errno(EINVAL)},
      {SYS_prctl, {PR_SET_SECCOMP, SECCOMP_MODE_FILTER}, Action::Errno(EINVAL)},
      {SYS_prctl, {PR_SET_SECCOMP | kHigh, SECCOMP_MODE_FILTER | kHigh}, Action::Errno(EINVAL)},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(Of(Undecided::kAskTheArbiter, one.number, one.args), Action::Ask()) << one.number;
    EXPECT_EQ(Of(Undecided::kRefuse, one.number, one.args), one.without) << one.number;
  }
}

TEST(CommandPolicyTest, NobodyIsAskedAboutAnythingElse) {
  for (const Undecided undecided : {Undecided::kAskTheArbiter, Undecided::kRefuse}) {
    EXPECT_EQ(Of(undecided, SYS_read, {}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_socket, {AF_UNIX, SOCK_STREAM, 0}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_connect, {3, ~0ULL, sizeof(sockaddr_in) - 1}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_setsockopt, {3, SOL_SOCKET, SO_REUSEADDR}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_setsockopt, {3, 6, SO_RCVBUF}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_seccomp, {SECCOMP_GET_ACTION_AVAIL}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_prctl, {PR_SET_SECCOMP, SECCOMP_MODE_STRICT}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_prctl, {PR_SET_NAME, SECCOMP_MODE_FILTER}), Action::Allow());
    EXPECT_EQ(Of(undecided, SYS_pidfd_getfd, {}), Action::Errno(EPERM));
  }
}

// Every command pays for it where the sandbox's own filter does not let the kernel skip both.
TEST(CommandPolicyTest, TheFilterIsShort) {
  EXPECT_LE(CommandFilter(Undecided::kAskTheArbiter).size(), 60U);
}

}  // namespace
}  // namespace cay::guest
