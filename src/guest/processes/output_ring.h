// OutputRing: the last output of one process, both streams in the order in which they were read.
//
//   OutputRing ring(1 << 20);
//   auto space = ring.Space(65536);                     // readv into it
//   ring.Commit(OutputStream::kStdout, got);
//   auto piece = ring.Read(seq, 65536);                 // what follows seq, of one stream
//
// Sequence numbers count bytes (protocol/process_messages.h). Beside the bytes the ring keeps where
// the streams alternate. For that there is an eighth of the capacity in addition, which is enough
// for pieces of 64 bytes on an average: then the capacity is all there for output. What it takes
// beyond that counts against the capacity, so that a process that alternates at every byte makes
// the ring shorter, not larger.
//
// The memory is one anonymous mapping made at the first Space(); the kernel gives pages as output
// comes, so a process that says little costs little.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace cay::guest {

enum class OutputStream : uint8_t { kStdout, kStderr };

class OutputRing {
 public:
  explicit OutputRing(size_t capacity) : capacity_(capacity) {}
  ~OutputRing();
  OutputRing(const OutputRing&) = delete;
  OutputRing& operator=(const OutputRing&) = delete;

  // The most that one Commit can take, whatever the capacity.
  static constexpr size_t kMaxCommit = 128 * 1024;

  // Where to read into: at most `max` (<= kMaxCommit) bytes in one or two parts. What the ring
  // holds stays until Commit. kResourceExhausted when there is no memory.
  Result<std::array<iovec, 2>> Space(size_t max);

  // `bytes` of Space() were filled. The oldest output beyond the capacity is gone.
  void Commit(OutputStream stream, size_t bytes);

  uint64_t first_seq() const { return first_seq_; }
  uint64_t end_seq() const { return end_seq_; }
  size_t capacity() const { return capacity_; }
  size_t held_bytes() const { return end_seq_ - first_seq_; }
  size_t mapped_bytes() const { return mapped_; }

  struct Piece {
    OutputStream stream;
    uint64_t seq;
    std::string_view bytes;  // valid until the next Commit
  };
  struct Missing {  // [from, to) is gone
    uint64_t from;
    uint64_t to;
  };
  // What follows `seq` (<= end_seq()): at most `max` bytes of one stream, nothing at the end.
  std::optional<std::variant<Piece, Missing>> Read(uint64_t seq, size_t max) const;

  // How many bytes can be committed, in one run, before what follows `seq` is touched; 0 when `seq`
  // is gone already.
  size_t RoomBehind(uint64_t seq) const;

 private:
  // A run of one stream. It ends where the next begins.
  class Run {
   public:
    Run(uint64_t seq, OutputStream stream)
        : packed_(seq << 1U | (stream == OutputStream::kStderr ? 1U : 0U)) {}
    uint64_t seq() const { return packed_ >> 1U; }
    OutputStream stream() const {
      return (packed_ & 1U) != 0 ? OutputStream::kStderr : OutputStream::kStdout;
    }

   private:
    uint64_t packed_;  // there may be many of them
  };

  // What `count` runs take of the capacity; the first is free.
  uint64_t CostOfRuns(size_t count) const {
    const uint64_t bytes = (count - 1) * sizeof(Run);
    return bytes > capacity_ / 8 ? bytes - capacity_ / 8 : 0;
  }

  void Trim();

  size_t capacity_;
  size_t mapped_ = 0;
  char* memory_ = nullptr;
  uint64_t first_seq_ = 0;
  uint64_t end_seq_ = 0;
  std::deque<Run> runs_;  // ascending; the first contains first_seq_
};

}  // namespace cay::guest
