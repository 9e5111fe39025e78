// ProcessSupervisor: one thread that ends what is over its time, and waits for processes that
// nobody follows any more, so that each gets its result.
//
//   supervisor->SetDeadline(entry, when);     // at that time it is killed, with what it left behind
//   supervisor->CancelDeadline(*entry);       // it ended
//   supervisor->Adopt(entry);                 // its follower is gone
//   supervisor->LookAt(sandbox);              // its guest's life may be over
//
// Nothing here waits for a guest: each answer is awaited in the poll loop, and bounded, so a guest
// that stays silent delays nobody else's deadline. What cannot be had now (the sandbox is paused,
// the guest has too many connections) is tried again, at most every kRetryMax. Where a guest says
// nothing at all when a process's time is over, the process ends for those who wait for it, and is
// killed when the guest answers again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest_link/guest_channel.h"
#include "sandbox/processes/process_book.h"

namespace cay::sandbox {

// What the end of a process says of its sandbox's limits: asks the engine, and `info` of the guest.
ProcessEnding JudgeEnding(ProcessBook& book, const ProcessEntry& entry, protocol::Exited exited,
                          const std::optional<protocol::Info>& info);

// Why a process of that life is lost: what is known of its sandbox.
GuestEnd WhyLost(ProcessBook& book, GuestLife& life, Millis patience);

class ProcessSupervisor {
 public:
  static constexpr Millis kRetryMin{50};
  static constexpr Millis kRetryMax{5000};
  static constexpr Millis kKillPatience{8000};   // the guest's own is 5 s
  static constexpr Millis kJudgePatience{2000};  // for the guest's word on its disk
  static constexpr Millis kReasonPatience{1000};
  // For any word of a guest, when a process's time is over.
  static constexpr Millis kHungPatience{2000};

  // The book outlives it.
  static Result<std::unique_ptr<ProcessSupervisor>> Start(ProcessBook& book);
  ~ProcessSupervisor();
  ProcessSupervisor(const ProcessSupervisor&) = delete;
  ProcessSupervisor& operator=(const ProcessSupervisor&) = delete;

  void SetDeadline(const std::shared_ptr<ProcessEntry>& entry, SteadyClock::time_point when);
  void CancelDeadline(const ProcessEntry& entry);
  void Adopt(std::shared_ptr<ProcessEntry> entry);
  void LookAt(const SandboxId& sandbox);

 private:
  using Time = SteadyClock::time_point;

  // One process that the thread looks after. On the thread only.
  struct Watch {
    std::shared_ptr<ProcessEntry> entry;
    std::optional<WaitStream> wait;
    std::optional<PendingKill> kill;
    std::optional<PendingInfo> ping;
    std::optional<protocol::Exited> exited;
    std::optional<uint64_t> remaining;  // of what was left behind, once it was killed
    bool asked_to_end = false;          // its time is over, and its grace runs
    bool was_paused = false;            // when its grace was over, and it had not heard of it
    bool term_wanted = false;
    std::optional<PendingFrame> term;  // nobody waits for the answer
    bool kill_wanted = false;
    bool look_wanted = false;         // its time was over; not yet begun
    std::optional<PendingInfo> look;  // whether its guest answers at all, past the process's time
    std::optional<Time> look_until;   // set while that is looked for, with or without a connection
    bool owed = false;    // it is over for those who wait for it; its guest has still to kill it
    bool judged = false;  // `ping` was tried
    std::optional<Time> cut;  // since when connections fail: lost, unless there is a new one
    Millis pause = kRetryMin;
    std::optional<Time> retry;    // when to connect again
    std::optional<Time> give_up;  // on the answer that is awaited: kill or ping
    std::optional<Time> timer;    // where it stands in timers_
  };

  ProcessSupervisor(ProcessBook& book, Fd epoll, Fd wake)
      : book_(book), epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  void Wake() const;
  void Run();
  int WaitMillis();
  void TakeOrders();
  void TakeDeadlines();
  bool IsPaused(const ProcessEntry& entry) const;
  void TakeTimers();
  Watch& WatchOf(const std::shared_ptr<ProcessEntry>& entry);
  void Advance(Watch& watch);
  bool Step(Watch& watch);
  void TakeWait(Watch& watch);
  void TakeKill(Watch& watch);
  void TakeLook(Watch& watch);
  bool Judge(Watch& watch);
  void Connect(Watch& watch);
  Result<void> ConnectTo(Watch& watch, const GuestChannel& guest);
  void OnRefused(Watch& watch, const Error& error);
  bool EndIfGone(Watch& watch);
  static void NoteCut(Watch& watch);
  static void Retry(Watch& watch);
  void SetTimer(Watch& watch);
  Result<void> Poll(int fd, Watch& watch);
  void Drop(Watch& watch);

  ProcessBook& book_;
  Fd epoll_;
  Fd wake_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<ProcessEntry>> adopted_;
  std::vector<SandboxId> look_at_;
  std::multimap<Time, std::shared_ptr<ProcessEntry>> deadlines_;
  std::unordered_map<const ProcessEntry*, decltype(deadlines_)::iterator> deadline_of_;
  Time sleeps_until_ = Time::max();
  bool stopping_ = false;

  // The thread's own.
  std::unordered_map<const ProcessEntry*, std::unique_ptr<Watch>> watches_;
  std::vector<std::unique_ptr<Watch>> dropped_;  // until the round is over
  std::set<std::pair<Time, Watch*>> timers_;
  std::thread thread_;
};

}  // namespace cay::sandbox
