#include "base/loop/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/os/file.h"

namespace cay {
namespace {

using std::chrono::milliseconds;

class Reader final : public EventLoop::Handler {
 public:
  explicit Reader(std::function<void()> on_ready) : on_ready_(std::move(on_ready)) {}
  void OnReady(uint32_t /*events*/) override { on_ready_(); }

 private:
  std::function<void()> on_ready_;
};

class Alarm final : public EventLoop::Timer {
 public:
  explicit Alarm(std::function<void()> on_time) : on_time_(std::move(on_time)) {}
  void OnTime() override { on_time_(); }

 private:
  std::function<void()> on_time_;
};

// Does something when it is deleted.
class Last final : public EventLoop::Object {
 public:
  explicit Last(std::function<void()> action) : action_(std::move(action)) {}
  ~Last() override { action_(); }

 private:
  std::function<void()> action_;
};

Pipe ReadablePipe() {
  Pipe pipe = *MakePipe();
  EXPECT_TRUE(WriteAll(pipe.write.get(), "x"));
  return pipe;
}

TEST(EventLoop, EventsOfADescriptorForgottenInTheSameRoundAreNotDelivered) {
  EventLoop loop = *EventLoop::Create();
  const Pipe one = ReadablePipe();
  const Pipe other = ReadablePipe();
  int calls = 0;
  Reader first([&] {
    ++calls;
    loop.Forget(one.read.get());
    loop.Forget(other.read.get());
    loop.Stop();
  });
  ASSERT_TRUE(loop.Watch(one.read.get(), EPOLLIN, first));
  ASSERT_TRUE(loop.Watch(other.read.get(), EPOLLIN, first));
  ASSERT_TRUE(loop.Run());
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, AnEventOfAClosedDescriptorIsNotTakenForOneOfTheNextWithItsNumber) {
  EventLoop loop = *EventLoop::Create();
  std::optional<Pipe> old = ReadablePipe();
  Pipe trigger = ReadablePipe();
  std::optional<Pipe> quiet;
  bool wrong = false;
  Reader of_the_new([&] { wrong = true; });
  Reader of_the_old([] {});
  Reader swap([&] {
    const int number = old->read.get();
    loop.Forget(number);
    loop.Forget(trigger.read.get());
    old.reset();
    quiet = *MakePipe();
    EXPECT_EQ(quiet->read.get(), number);
    EXPECT_TRUE(loop.Watch(quiet->read.get(), EPOLLIN, of_the_new));
    loop.Stop();
  });
  ASSERT_TRUE(loop.Watch(trigger.read.get(), EPOLLIN, swap));
  ASSERT_TRUE(loop.Watch(old->read.get(), EPOLLIN, of_the_old));
  ASSERT_TRUE(loop.Run());
  EXPECT_FALSE(wrong);
  loop.Forget(quiet->read.get());
}

TEST(EventLoop, TimersRunInTheirTimeOnceAndCanBeSetAgainAndCancelled) {
  EventLoop loop = *EventLoop::Create();
  const auto now = EventLoop::Clock::now();
  std::string order;
  Alarm never([&] { order += "never"; });
  Alarm late([&] {
    order += "late";
    loop.Stop();
  });
  int times = 0;
  std::optional<Alarm> early;
  early.emplace([&] {
    order += "early ";
    if (++times < 2) {
      loop.SetTimer(*early, EventLoop::Clock::now() + milliseconds(1));
    } else {
      loop.SetTimer(late, now + milliseconds(30));
    }
  });
  loop.SetTimer(late, now + std::chrono::hours(1));
  loop.SetTimer(*early, now);
  loop.SetTimer(never, now + milliseconds(1));
  loop.CancelTimer(never);
  ASSERT_TRUE(loop.Run());
  EXPECT_EQ(order, "early early late");
  EXPECT_GE(EventLoop::Clock::now() - now, milliseconds(30));
}

TEST(EventLoop, WhatIsDisposedOfOutlivesItsHandlerAndMayDisposeOfMore) {
  EventLoop loop = *EventLoop::Create();
  const Pipe pipe = ReadablePipe();
  std::string order;
  Reader reader([&] {
    loop.Dispose(std::make_unique<Last>([&] {
      order += " first";
      loop.Dispose(std::make_unique<Last>([&] { order += " second"; }));
    }));
    order += "handler";
    loop.Stop();
  });
  ASSERT_TRUE(loop.Watch(pipe.read.get(), EPOLLIN, reader));
  ASSERT_TRUE(loop.Run());
  EXPECT_EQ(order, "handler first second");
}

TEST(EventLoop, ADescriptorThatCannotBeWatchedIsAnError) {
  EventLoop loop = *EventLoop::Create();
  Reader reader([] {});
  EXPECT_FALSE(loop.Watch(-1, EPOLLIN, reader));
}

}  // namespace
}  // namespace cay
