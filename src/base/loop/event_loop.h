// EventLoop: one epoll loop of one thread, which no handler may block. The guest's connections run
// in one, and the relay of networks.
//
//   class Reader : public EventLoop::Handler {
//     void OnReady(uint32_t events) override;   // EPOLLIN | EPOLLHUP …
//   };
//   TRY(loop.Watch(fd, EPOLLIN, reader));       // level-triggered; once per descriptor
//   loop.Forget(fd);                            // before the descriptor is closed
//
// A handler may Forget any descriptor, and delete any handler except itself, while it runs: events
// of the same batch that were for them are not delivered. To delete itself it uses Dispose.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;

  // Base of whatever is deleted through Dispose, too.
  class Object {
   public:
    virtual ~Object() = default;
  };
  class Handler : public virtual Object {
   public:
    virtual void OnReady(uint32_t events) = 0;
  };
  // Called once, at or after its time.
  class Timer : public virtual Object {
   public:
    virtual void OnTime() = 0;
  };

  static Result<EventLoop> Create();

  Result<void> Watch(int fd, uint32_t events, Handler& handler);
  // Other events for a descriptor that is watched. 0 still delivers EPOLLHUP and EPOLLERR.
  void Change(int fd, uint32_t events);
  void Forget(int fd);

  // One time for each timer: a later call replaces the earlier one.
  void SetTimer(Timer& timer, Clock::time_point when);
  void CancelTimer(Timer& timer);

  // Deletes it when the handlers that are running have returned.
  void Dispose(std::unique_ptr<Object> object) { disposed_.push_back(std::move(object)); }

  // Until Stop. An error is epoll_wait's own: a defect.
  Result<void> Run();
  void Stop() { stopped_ = true; }

 private:
  struct Watched {
    Handler* handler;
    uint32_t events;
    uint32_t generation;
  };

  explicit EventLoop(Fd epoll) : epoll_(std::move(epoll)) {}
  int MillisToNextTimer() const;
  void RunTimers();

  Fd epoll_;
  std::unordered_map<int, Watched> watched_;
  uint32_t next_generation_ = 0;
  std::vector<std::pair<Timer*, Clock::time_point>> timers_;  // few: a scan is cheap
  std::vector<std::unique_ptr<Object>> disposed_;
  bool stopped_ = false;
};

}  // namespace cay
