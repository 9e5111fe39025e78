// ProcessSupervisor: one thread that ends what is over its time, and waits for processes that
// nobody follows any more, so that each gets its result.
//
//   supervisor->SetDeadline(entry, when);     // at that time it is killed, with what it left behind
//   supervisor->CancelDeadline(*entry);       // it ended
//   supervisor->Adopt(entry);                 // its follower is gone
//   supervisor->LookAt(sandbox);              // its guest's life may be over
//
// Nothing here waits for a guest: each answer is awaited in the poll loop, and bounded, so a guest
// that stays silent delays nobody else's deadline (process_watch.h).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/os/fd.h"
#include "base/os/wakeup.h"
#include "base/result.h"
#include "sandbox/processes/process_book.h"
#include "sandbox/processes/process_watch.h"

namespace cay::sandbox {

class ProcessSupervisor {
 public:
  // The book outlives it.
  static Result<std::unique_ptr<ProcessSupervisor>> Start(ProcessBook& book);
  ~ProcessSupervisor();
  ProcessSupervisor(const ProcessSupervisor&) = delete;
  ProcessSupervisor& operator=(const ProcessSupervisor&) = delete;

  void SetDeadline(const std::shared_ptr<ProcessEntry>& entry, SteadyTime when);
  void CancelDeadline(const ProcessEntry& entry);
  void Adopt(std::shared_ptr<ProcessEntry> entry);
  void LookAt(const SandboxId& sandbox);

 private:
  // A watch in the loop. On the thread only.
  struct Watched {
    const uint64_t token;  // its descriptors' in the loop; never used again
    std::unique_ptr<ProcessWatch> watch{};
    std::optional<SteadyTime> timer{};  // where it stands in timers_
  };

  static constexpr uint64_t kWakeToken = 0;

  ProcessSupervisor(ProcessBook& book, Fd epoll, Wakeup wake)
      : book_(book), epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  void Run();
  int WaitMillis();
  void TakeOrders();
  void TakeDeadlines();
  void TakeTimers();
  Watched& WatchedOf(const std::shared_ptr<ProcessEntry>& entry);
  void Advance(Watched& watched);
  void SetTimer(Watched& watched);
  Result<void> Poll(int fd, uint64_t token);
  void Drop(Watched& watched);

  ProcessBook& book_;
  Fd epoll_;
  Wakeup wake_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<ProcessEntry>> adopted_;
  std::vector<SandboxId> look_at_;
  std::multimap<SteadyTime, std::shared_ptr<ProcessEntry>> deadlines_;
  std::unordered_map<const ProcessEntry*, decltype(deadlines_)::iterator> deadline_of_;
  SteadyTime sleeps_until_ = SteadyTime::max();
  bool stopping_ = false;

  // The thread's own.
  std::unordered_map<const ProcessEntry*, std::unique_ptr<Watched>> watched_;
  std::unordered_map<uint64_t, Watched*> by_token_;
  uint64_t last_token_ = kWakeToken;
  std::set<std::pair<SteadyTime, Watched*>> timers_;
  std::thread thread_;
};

}  // namespace cay::sandbox
