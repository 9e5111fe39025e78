#include "network/transfer/lane.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace cay::network {

std::optional<Pipe> PipePool::Take() {
  if (!free_.empty()) {
    Pipe pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  if (open_ >= most_) return std::nullopt;
  auto made = MakePipe(O_NONBLOCK);
  if (!made) return std::nullopt;
  // Of a user who has too many already it stays as it is: then a lane moves less at once.
  (void)::fcntl(made->write.get(), F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
  ++open_;
  return *std::move(made);
}

void PipePool::GiveBack(Pipe pipe) {
  if (free_.size() < kKept) {
    free_.push_back(std::move(pipe));
  } else {
    Drop(std::move(pipe));
  }
}

void PipePool::Drop(Pipe pipe) {
  const Pipe closed = std::move(pipe);
  --open_;
}

Lane::~Lane() { LetGo(); }

void Lane::LetGo() {
  if (!pipe_) return;
  Pipe pipe = *std::exchange(pipe_, std::nullopt);
  if (queued_ == 0) {
    pipes_.GiveBack(std::move(pipe));
  } else {
    pipes_.Drop(std::move(pipe));
  }
}

// The pipe is empty: that the call would block is the source's state.
Result<Lane::Step> Lane::Fill(const Fd& source, uint64_t most) {
  if (!pipe_) pipe_ = pipes_.Take();
  starved_ = !pipe_;
  if (starved_) return Step::kWaits;
  const size_t want = static_cast<size_t>(std::min<uint64_t>(most, kPipeBytes));
  const ssize_t got = ::splice(source.get(), nullptr, pipe_->write.get(), nullptr, want,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Step::kWaits;
  if (got < 0) return Failure(Error::FromErrno("reading"));
  if (got == 0) ended_ = true;
  queued_ = static_cast<uint64_t>(got);
  return Step::kMoved;
}

Result<Lane::Step> Lane::Drain(const Fd& target) {
  const ssize_t put = ::splice(pipe_->read.get(), nullptr, target.get(), nullptr,
                               static_cast<size_t>(queued_), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) return Step::kWaits;
  if (put < 0) return Failure(Error::FromErrno("writing"));
  queued_ -= static_cast<uint64_t>(put);
  bytes_ += static_cast<uint64_t>(put);
  return Step::kMoved;
}

Result<void> Lane::Move(const Fd& source, const Fd& target, uint64_t allowance) {
  if (over()) return {};
  uint64_t left = std::min(allowance, kBurst);
  while (true) {
    if (queued_ > 0) {
      if (TRY(Drain(target)) == Step::kWaits) return {};
      continue;
    }
    if (ended_) {
      LetGo();
      // ENOTCONN: the other side is gone already, which its own lane finds out.
      if (::shutdown(target.get(), SHUT_WR) < 0 && errno != ENOTCONN)
        return Failure(Error::FromErrno("ending"));
      return {};
    }
    if (left == 0) break;
    const Step step = TRY(Fill(source, left));
    left -= std::min(left, queued_);
    if (step == Step::kWaits) break;
  }
  if (queued_ == 0) LetGo();
  return {};
}

}  // namespace cay::network
