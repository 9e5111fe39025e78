// OutputRoom: what is kept of the output of commands until their answer has been sent, and the
// memory for it, which all answers share.
//
//   auto room = TRY(OutputRoom::Take(outputs, owner, 1 * kMiB));      // before the command starts
//   auto execution = TRY(keeper.Execute(lease, spec, input, room));
//   execution.Text(OutputStream::kStdout)                             // as long as the room is there
//
// Of what is more than the maximum the beginning and the end are kept, half and half: a log says at
// its beginning what was done, and at its end what came of it.
//
// Little is taken before the command starts, and waited for: without it the command is not started.
// The rest is taken as output comes. When no memory is left for a running command, it is waited for
// once; after that no more output is kept, and the answer says so. For one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/supply/shares.h"
#include "base/units.h"
#include "guest_link/process_stream.h"

namespace cay::sandbox {

// Why there was no memory for an answer: kResourceExhausted, the caller's fault when the owner's
// share is used up.
Error NoMemoryForAnswer(Shares::Taken taken);

// A part of what was written, as far as it is kept.
struct KeptText {
  std::string_view bytes;  // the beginning and the end, one behind the other
  size_t gap_at = 0;       // where in them the end begins
  uint64_t omitted = 0;    // bytes between the two; 0: nothing is missing
};

// As text: the gap begins and ends between two characters, and "\n[123 bytes omitted]\n" stands for
// it.
struct ShownText {
  std::string_view begin;
  std::string mark;  // empty where nothing is missing
  std::string_view end;
  bool is_utf8 = true;
};
ShownText Show(const KeptText& kept);

// Bytes that are put one behind the other: all of them up to a maximum, beyond it the beginning and
// the end. Memory is used for those that are there, and nothing is copied when there are many.
class HeldBytes {
 public:
  explicit HeldBytes(Bytes max) : max_(max) {}
  HeldBytes(HeldBytes&& other) noexcept { *this = std::move(other); }
  HeldBytes& operator=(HeldBytes&& other) noexcept;
  ~HeldBytes();

  // False, and none of `bytes` are taken, when the kernel has no memory.
  bool Append(std::string_view bytes);
  // From now on what is held is the maximum.
  void Freeze() { max_ = size(); }
  size_t size() const { return mapped_ == nullptr ? few_.size() : size_; }
  Bytes max() const { return max_; }
  uint64_t written() const { return written_; }
  uint64_t omitted() const { return written_ - size(); }

  // Puts the end in order, for Text. Append may follow.
  void Settle();
  // What was written from `from` to `to`, after Settle.
  KeptText Text(uint64_t from, uint64_t to) const;

 private:
  bool Map();
  bool Fill(std::string_view bytes);
  void Overwrite(std::string_view bytes);
  char* data() { return mapped_ == nullptr ? few_.data() : mapped_; }
  // Where the beginning ends once something is omitted.
  size_t half() const { return max_ / 2; }

  // More than these are in a mapping.
  static constexpr size_t kFew = 32 * kKiB;

  Bytes max_ = 0;
  std::string few_;
  char* mapped_ = nullptr;  // for more than a few
  size_t map_size_ = 0;
  size_t size_ = 0;
  size_t oldest_ = 0;  // of the end, which goes round: where in it its first byte is
  uint64_t written_ = 0;
};

class OutputRoom {
 public:
  static constexpr Millis kPatience{10'000};
  // What is taken before a command starts, for both streams together.
  static constexpr Bytes kLeast = 64 * kKiB;

  // `max_bytes`: of each stream. kResourceExhausted when there is no memory even for kLeast
  // (NoMemoryForAnswer says whose fault that is). Waits for other answers to be sent, at most
  // `patience`, before a command is started and once while it runs.
  static Result<std::shared_ptr<OutputRoom>> Take(Shares& all, const std::string& who,
                                                  Bytes max_bytes, Millis patience = kPatience);
  // Bounded by `max_bytes` alone.
  static std::shared_ptr<OutputRoom> Unshared(Bytes max_bytes);

  // False when there was no memory for all of it below the maximum: then, and from then on.
  bool Append(OutputStream stream, std::string_view bytes);
  uint64_t written(OutputStream stream) const { return Of(stream).written(); }
  // After the last Append, before Text.
  void Settle();
  // What was written to it from `from` to `to`.
  KeptText Text(OutputStream stream, uint64_t from, uint64_t to) const {
    return Of(stream).Text(from, to);
  }

 private:
  OutputRoom(Shares::Part memory, Bytes spared, Bytes max_bytes, Millis patience)
      : memory_(std::move(memory)),
        spared_(spared),
        patience_(patience),
        out_(max_bytes),
        err_(max_bytes) {}
  const HeldBytes& Of(OutputStream stream) const {
    return stream == OutputStream::kStdout ? out_ : err_;
  }
  bool GrowFor(size_t bytes);
  void Freeze();

  Shares::Part memory_;
  const Bytes spared_;  // of the whole, for those that begin
  const Millis patience_;
  bool is_shared_ = true;
  bool frozen_ = false;  // there was no memory
  HeldBytes out_;
  HeldBytes err_;
};

}  // namespace cay::sandbox
