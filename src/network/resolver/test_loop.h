// For tests: an EventLoop that runs in a thread, and what is done in it.
//
//   TestLoop loop;
//   loop.Do([&] { resolver = *Resolver::Create(loop.loop(), options); });   // returns when it is done
//   …
//   loop.Do([&] { resolver.reset(); });                                     // before the TestLoop goes
#pragma once

#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/wakeup.h"

namespace cay::network {

class TestLoop {
 public:
  TestLoop() : loop_(*EventLoop::Create()), wakeup_(*Wakeup::Make()), tasks_(*this) {
    (void)loop_.Watch(wakeup_.fd(), EPOLLIN, tasks_);
    thread_ = std::thread([this] { (void)loop_.Run(); });
  }
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;
  ~TestLoop() {
    Do([this] { loop_.Stop(); });
    thread_.join();
  }

  EventLoop& loop() { return loop_; }

  void Do(std::function<void()> task) {
    std::packaged_task<void()> packaged(std::move(task));
    std::future<void> done = packaged.get_future();
    {
      const std::lock_guard lock(mutex_);
      pending_.push_back(std::move(packaged));
    }
    wakeup_.Raise();
    done.get();
  }

  // Of what is of the loop.
  template <class T>
  T Get(const std::function<T()>& look) {
    T value{};
    Do([&] { value = look(); });
    return value;
  }

 private:
  class Tasks final : public EventLoop::Handler {
   public:
    explicit Tasks(TestLoop& owner) : owner_(owner) {}
    void OnReady(uint32_t /*events*/) override {
      owner_.wakeup_.Drain();
      std::vector<std::packaged_task<void()>> tasks;
      {
        const std::lock_guard lock(owner_.mutex_);
        tasks = std::exchange(owner_.pending_, {});
      }
      for (auto& task : tasks) task();
    }

   private:
    TestLoop& owner_;
  };

  EventLoop loop_;
  Wakeup wakeup_;
  Tasks tasks_;
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> pending_;
  std::thread thread_;
};

}  // namespace cay::network
