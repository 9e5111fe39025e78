#include "guest/processes/output_ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>

namespace cay::guest {

OutputRing::~OutputRing() {
  if (memory_ != nullptr) ::munmap(memory_, mapped_);
}

Result<std::array<iovec, 2>> OutputRing::Space(size_t max) {
  assert(max <= kMaxCommit);
  if (memory_ == nullptr) {
    // A whole commit more than the capacity: nothing need be given up before it is known how much
    // a read brings.
    constexpr size_t kPage = 4096;
    const size_t wanted = (capacity_ + kMaxCommit + kPage - 1) / kPage * kPage;
    void* mapping = ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return Failure(Error::FromErrno("memory for output"));
    memory_ = static_cast<char*>(mapping);
    mapped_ = wanted;
  }
  const size_t at = end_seq_ % mapped_;
  const size_t first = std::min(max, mapped_ - at);
  return std::array<iovec, 2>{iovec{memory_ + at, first}, iovec{memory_, max - first}};
}

void OutputRing::Commit(OutputStream stream, size_t bytes) {
  assert(bytes <= kMaxCommit);
  if (bytes == 0) return;
  if (runs_.empty() || runs_.back().stream() != stream) {
    runs_.emplace_back(end_seq_, stream);
  }
  end_seq_ += bytes;
  Trim();
}

void OutputRing::Trim() {
  while (true) {
    const uint64_t overhead = CostOfRuns(runs_.size());
    const uint64_t room = capacity_ > overhead ? capacity_ - overhead : 0;
    const uint64_t held = end_seq_ - first_seq_;
    if (held <= room) return;
    const uint64_t until = end_seq_ - room;
    if (runs_.size() > 1 && runs_[1].seq() <= until) {
      first_seq_ = runs_[1].seq();  // dropping a run makes room for more: look again
      runs_.pop_front();
    } else {
      first_seq_ = until;
      return;
    }
  }
}

size_t OutputRing::RoomBehind(uint64_t seq) const {
  if (seq < first_seq_) return 0;
  const auto after = std::ranges::upper_bound(runs_, seq, {}, &Run::seq);
  // The run that holds `seq`, those after it, and the one that the commit may begin.
  const auto runs = static_cast<size_t>(runs_.end() - after) + 2;
  const uint64_t taken = end_seq_ - seq + CostOfRuns(runs);
  return taken >= capacity_ ? 0 : capacity_ - taken;
}

std::optional<std::variant<OutputRing::Piece, OutputRing::Missing>> OutputRing::Read(
    uint64_t seq, size_t max) const {
  assert(seq <= end_seq_);
  if (seq < first_seq_) return Missing{.from = seq, .to = first_seq_};
  if (seq == end_seq_) return std::nullopt;
  const auto after = std::ranges::upper_bound(runs_, seq, {}, &Run::seq);
  const uint64_t run_end = after == runs_.end() ? end_seq_ : after->seq();
  const size_t at = seq % mapped_;
  const size_t length = std::min({max, static_cast<size_t>(run_end - seq), mapped_ - at});
  return Piece{.stream = std::prev(after)->stream(), .seq = seq, .bytes = {memory_ + at, length}};
}

}  // namespace cay::guest
