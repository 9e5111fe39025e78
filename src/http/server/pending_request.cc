#include "http/server/pending_request.h"

#include <algorithm>

namespace cay::http {
namespace {

Error NoRoom(Shares::Taken taken) {
  if (taken == Shares::Taken::kShareIsUsed) {
    return Error::Busy(
               "the request bodies that the server holds for this client are at their maximum "
               "together")
        .WithRemedy("send fewer large bodies at a time");
  }
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine,
               "the request bodies that the server holds are at their maximum together")
      .WithRemedy("try again after the time in Retry-After, or raise http.max_bodies_held");
}

}  // namespace

PendingRequest::PendingRequest(RequestHead its_head, Intake its_intake, const ServerLimits& limits,
                               Shares& bodies, UnderWay counted)
    : head(std::move(its_head)),
      intake(std::move(its_intake)),
      body(head.framing, head.request.content_length.value_or(0)),
      held(bodies.For(intake.client)),
      counted_(std::move(counted)),
      looked_(Clock::now()),
      continue_due_(head.expects_continue) {
  pace.stall = limits.stall_timeout;
  pace.min_bytes_per_second = limits.min_bytes_per_second;
}

bool PendingRequest::IsHandlers() const {
  if (quick() || failure) return true;
  if (intake.whole_body) return body.remaining() > *intake.whole_body;
  return continue_due_;  // it may refuse the body before the client sends it
}

std::string_view PendingRequest::TakeContinue() {
  if (!std::exchange(continue_due_, false)) return {};
  head.expects_continue = false;
  return "HTTP/1.1 100 Continue\r\n\r\n";
}

bool PendingRequest::Fail(Error error) {
  failure = std::move(error);
  ahead.resize(used_);
  return true;
}

// Memory follows what has come, not what was announced.
Result<std::span<char>> PendingRequest::Room() {
  if (ahead.size() == used_) {
    size_t larger = std::max(size_t{kFreeBytes}, used_ + std::min(used_, size_t{kMiB}));
    if (body.remaining() > 0) larger = std::min<uint64_t>(larger, used_ + body.remaining());
    const size_t wanted = larger > kFreeBytes ? larger - kFreeBytes : 0;
    if (wanted > held.size()) {
      const Shares::Taken taken = held.Take(wanted - held.size());
      if (taken != Shares::Taken::kYes) return Failure(NoRoom(taken));
    }
    ahead.resize(larger);
  }
  return std::span(ahead).subspan(used_);
}

bool PendingRequest::TakeBody(Stream& stream, InputBuffer& input, bool expired) {
  if (body.done() || IsHandlers()) return true;
  const auto now = Clock::now();
  const auto waited = std::chrono::duration_cast<Millis>(now - std::exchange(looked_, now));
  if (expired || !pace.KeepsUp(waited)) {
    return Fail({ErrorCode::kTimeout, Fault::kCaller,
                 expired ? "the other side sent nothing for " + FormatDuration(pace.stall)
                         : "the other side sends too slowly"});
  }
  const bool waits_for_all =
      intake.whole_body ||
      (head.framing == Framing::kLength && head.request.content_length.value_or(0) <= kMaxAhead);
  for (;;) {
    auto room = Room();
    if (!room) return Fail(std::move(room).error());
    const auto got = body.TryRead(stream, input, *room, pace);
    if (!got) return Fail(got.error());
    if (!*got) {
      const bool enough = !waits_for_all && used_ > 0;
      if (enough) ahead.resize(used_);
      return enough;
    }
    used_ += **got;
    if (intake.whole_body && used_ > limit()) {
      return Fail({ErrorCode::kLimitTooHigh, Fault::kCaller,
                   "the request body is over the maximum of " + HumanBytes(limit())});
    }
    if (body.done() || (!waits_for_all && used_ >= limit())) {
      ahead.resize(used_);
      return true;
    }
  }
}

}  // namespace cay::http
