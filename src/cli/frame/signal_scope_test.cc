#include "cli/frame/signal_scope.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace cay::cli {
namespace {

using Kind = CallersSignal::Kind;

// What the caller's signal asks for, of a session with a terminal or without.
std::optional<Kind> KindOf(CallersSignals& signals, int signal) {
  ::raise(signal);
  const std::optional<CallersSignal> asked = signals.Next(nullptr);
  if (!asked) return std::nullopt;
  EXPECT_EQ(asked->signal, signal);
  return asked->kind;
}

TEST(CallersSignals, TheSecondThatAsksToEndEndsTheSession) {
  const SignalScope scope(false);
  CallersSignals signals = scope.Open().value();
  EXPECT_EQ(KindOf(signals, SIGINT), Kind::kEnd);
  EXPECT_EQ(KindOf(signals, SIGUSR1), Kind::kPass);
  EXPECT_EQ(KindOf(signals, SIGTERM), Kind::kEndNow);
}

TEST(CallersSignals, AHangupAsksToEndOnlyWithATerminal) {
  const SignalScope without(false);
  CallersSignals of_a_pipe = without.Open().value();
  EXPECT_EQ(KindOf(of_a_pipe, SIGHUP), Kind::kPass);
  const SignalScope with(true);
  CallersSignals of_a_terminal = with.Open().value();
  EXPECT_EQ(KindOf(of_a_terminal, SIGHUP), Kind::kEnd);
}

TEST(CallersSignals, GoingOnAfterAStopIsSeenToWithoutTheSession) {
  const SignalScope scope(true);
  CallersSignals signals = scope.Open().value();
  EXPECT_EQ(KindOf(signals, SIGCONT), std::nullopt);
}

TEST(CallersSignals, TheDescriptorIsReadableUntilTheSignalIsTaken) {
  const SignalScope scope(false);
  CallersSignals signals = scope.Open().value();
  pollfd polled{.fd = signals.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&polled, 1, 0), 0);
  ::raise(SIGUSR2);
  EXPECT_EQ(::poll(&polled, 1, 0), 1);
  EXPECT_TRUE(signals.Next(nullptr));
  EXPECT_EQ(::poll(&polled, 1, 0), 0);
}

TEST(SignalScope, AfterItSignalsDoWhatTheyDidBefore) {
  sigset_t before{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const SignalScope scope(true);
  }
  sigset_t after{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
  EXPECT_EQ(sigismember(&before, SIGWINCH), sigismember(&after, SIGWINCH));
}

}  // namespace
}  // namespace cay::cli
