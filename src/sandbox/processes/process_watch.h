// ProcessWatch: one process on its way to its end (rules/process_end.h): the connections to its
// guest that its stage needs, and what came of them. The supervisor's thread has one for each
// process that nobody follows, or whose time is over.
//
//   ProcessWatch watch(book, entry, [&](int fd) { return Poll(fd); });
//   if (auto again = watch.OnDeadline()) …          // its time is over, or its grace
//   if (watch.Advance()) …                          // after each event of a descriptor: it is done
//   else … watch.next() …                           // to be advanced then, whatever happens
//
// Nothing here waits. What cannot be had now (the sandbox is paused, the guest has too many
// connections) is tried again, at most every kRetryMax. A guest that says nothing at all when a
// process's time is over ends the process for those who wait for it, and still owes its kill.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "guest_link/guest_channel.h"
#include "sandbox/processes/process_book.h"
#include "sandbox/rules/process_end.h"

namespace cay::sandbox {

inline constexpr Millis kRetryMin{50};
inline constexpr Millis kRetryMax{5000};
inline constexpr Millis kKillPatience{8000};   // the guest's own is 5 s
inline constexpr Millis kJudgePatience{2000};  // for the guest's word on its disk
inline constexpr Millis kReasonPatience{1000};
// For any word of a guest, when a process's time is over.
inline constexpr Millis kHungPatience{2000};

// What the end of a process says of its sandbox's limits: asks the engine, and `info` of the guest.
ProcessEnding JudgeEnding(ProcessBook& book, const ProcessEntry& entry, protocol::Exited exited,
                          const std::optional<protocol::Info>& info);

// Whether what it left behind is to be killed: it was started so, or its time was over.
bool LeavesToBeKilled(const ProcessEntry& entry, const protocol::Exited& exited);

// Why a process of that life is lost: what is known of its sandbox.
GuestEnd WhyLost(ProcessBook& book, GuestLife& life, Millis patience);

// On one thread.
class ProcessWatch {
 public:
  // Adds a descriptor to the poll loop: Advance() is called when it becomes readable. It leaves
  // the loop by being closed.
  using Poller = std::function<Result<void>(int fd)>;

  ProcessWatch(ProcessBook& book, std::shared_ptr<ProcessEntry> entry, Poller poll)
      : book_(book), entry_(std::move(entry)), poll_(std::move(poll)) {}
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  const ProcessEntry& entry() const { return *entry_; }

  // To be advanced after it. Returns when to be called again, if at all.
  std::optional<SteadyTime> OnDeadline();
  // True when there is nothing more to do; not to be called again then.
  bool Advance();
  std::optional<SteadyTime> next() const;

 private:
  // A question that is under way, and how long its answer is awaited.
  template <class Pending>
  struct Asked {
    Pending answer;
    SteadyTime until;
    bool late() const { return until <= SteadyNow(); }
  };
  // Whether the guest says anything at all, past the process's time.
  struct SilenceCheck {
    std::optional<SteadyTime> until;  // since the guest could first be connected to
    std::optional<PendingInfo> ping;  // none: no connection could be had yet
  };

  void Apply(EndEvent event);
  bool IsPaused() const;
  void TakeWait();
  void TakeKill();
  void TakeSilence();
  void TakeJudgement();
  void AskForJudgement();
  void Connect();
  Result<void> ConnectTo(const GuestChannel& guest);
  void OnRefused(const Error& error);
  bool EndIfGone();
  void Finish(const ProcessEnding& ending);
  void NoteCut();
  void Retry();
  // Nobody waits for it, here or inside.
  bool IsOver() const { return stage_ == EndStage::kDone || (!entry_->running() && !owed_); }

  ProcessBook& book_;
  const std::shared_ptr<ProcessEntry> entry_;
  const Poller poll_;

  EndStage stage_ = EndStage::kRunning;
  std::optional<WaitStream> wait_;
  std::optional<PendingFrame> term_;  // nobody waits for the answer
  std::optional<Asked<PendingKill>> kill_;
  std::optional<Asked<PendingInfo>> judgement_;
  std::optional<SilenceCheck> silence_;

  std::optional<protocol::Exited> exited_;
  std::optional<uint64_t> remaining_;  // of what was left behind, once it was killed
  bool was_paused_ = false;            // when its grace was over, and it had not heard of it
  bool owed_ = false;  // it is over for those who wait for it; its guest has still to kill it

  std::optional<SteadyTime> cut_;    // since when connections fail: lost, unless there is a new one
  std::optional<SteadyTime> retry_;  // when to connect again
  Millis pause_ = kRetryMin;
};

}  // namespace cay::sandbox
