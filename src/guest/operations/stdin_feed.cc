#include "guest/operations/stdin_feed.h"

#include <utility>

namespace cay::guest {
namespace {

using protocol::FrameType;

// Often enough that the host's window never runs dry, seldom enough to cost nothing.
constexpr uint64_t kAcknowledgeBytes = protocol::kStdinWindowBytes / 4;

Failure Violation(const char* what) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, what));
}

}  // namespace

Result<void> StdinFeed::OnFrame(const protocol::Frame& frame) {
  if (ending_) return Violation("stdin after its end");
  if (frame.type != FrameType::kStdinData) {
    ending_ = true;
    closing_ = frame.type == FrameType::kStdinEnd;
    if (closed_) return {};
    if (closing_) process_->OnStdinPending(*this);
    if (!closing_ && pending().empty()) End(true);
    return {};
  }
  if (closed_) return {};  // sent before the host could know
  const uint64_t on_the_way = taken_ - acknowledged_ + pending().size();
  if (on_the_way + frame.payload.size() > protocol::kStdinWindowBytes) {
    return Violation("more stdin than the window allows");
  }
  pending_.append(frame.payload);
  process_->OnStdinPending(*this);
  return {};
}

std::string_view StdinFeed::pending() const {
  return std::string_view(pending_).substr(pending_at_);
}

void StdinFeed::OnTaken(size_t bytes) {
  pending_at_ += bytes;
  taken_ += bytes;
  if (pending_at_ == pending_.size()) {
    pending_.clear();
    pending_at_ = 0;
    if (pending_.capacity() > protocol::kMaxDataBytes) pending_.shrink_to_fit();
  }
  if (taken_ - acknowledged_ >= kAcknowledgeBytes) Acknowledge();
  if (ending_ && !closing_ && pending().empty()) End(true);
}

void StdinFeed::OnStdinClosed() {
  if (closed_) return;
  const bool complete = ending_ && pending().empty();
  closed_ = true;
  pending_ = {};
  pending_at_ = 0;
  Acknowledge();
  End(complete);
}

void StdinFeed::End(bool complete) {
  if (std::exchange(ended_, true)) return;
  on_end_(complete);
}

void StdinFeed::Acknowledge() {
  acknowledged_ = taken_;
  connection_.SendMessage(FrameType::kStdinAck,
                          protocol::StdinAck{.taken = taken_, .closed = closed_});
}

}  // namespace cay::guest
