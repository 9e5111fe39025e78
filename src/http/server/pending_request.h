// PendingRequest: a request from its head until it is answered: what has come of its body, and what
// it holds.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/supply/shares.h"
#include "http/server/intake.h"
#include "http/server/server.h"
#include "http/transport/body_reader.h"
#include "http/transport/stream.h"
#include "http/wire/head.h"

namespace cay::http {

// Counts a request among those under way, and says when it is none any more.
class UnderWay {
 public:
  UnderWay(std::atomic<uint64_t>& count, const std::function<void()>& ended)
      : count_(&count), ended_(&ended) {
    ++*count_;
  }
  UnderWay(UnderWay&& other) noexcept
      : count_(std::exchange(other.count_, nullptr)), ended_(other.ended_) {}
  UnderWay& operator=(UnderWay&&) = delete;
  ~UnderWay() {
    if (count_ == nullptr) return;
    --*count_;
    (*ended_)();
  }

 private:
  std::atomic<uint64_t>* count_;
  const std::function<void()>* ended_;
};

struct PendingRequest {
  using Clock = std::chrono::steady_clock;

  // Of a body that its handler reads as it comes, so much is taken in before a thread is given to
  // it: a shorter body is there as a whole then.
  static constexpr uint64_t kMaxAhead = 64 * kKiB;
  // The first bytes of each body count in no budget: the number of connections bounds them.
  static constexpr uint64_t kFreeBytes = 16 * kKiB;

  PendingRequest(RequestHead its_head, Intake its_intake, const ServerLimits& limits,
                 Shares& bodies, UnderWay counted);

  // Takes in what has come, without waiting. True when the handler is to be called: as much of the
  // body is there as has to be, or no more of it will come (`failure`). False when there is more to
  // wait for. `expired`: the wait is over.
  bool TakeBody(Stream& stream, InputBuffer& input, bool expired);
  // What to send to a client that waits for "100 Continue" before it sends its body; once. Empty:
  // nothing.
  std::string_view TakeContinue();
  bool quick() const { return intake.lane == Intake::Lane::kQuick; }

  RequestHead head;
  Intake intake;
  BodyReader body;
  std::string ahead;             // of the body, what has come
  std::optional<Error> failure;  // why no more of it comes
  Pace pace;                     // at which it comes
  Shares::Part held;             // memory for it

 private:
  // Nothing is taken in before the handler is called.
  bool IsHandlers() const;
  uint64_t limit() const { return intake.whole_body.value_or(kMaxAhead); }
  Result<std::span<char>> Room();
  bool Fail(Error error);

  UnderWay counted_;
  size_t used_ = 0;  // of `ahead`
  Clock::time_point looked_;
  bool continue_due_;
};

}  // namespace cay::http
