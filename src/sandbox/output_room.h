// OutputRoom: what is kept of the output of commands until their answer has been sent, and the memory for it, which all
// answers share.
//
//   auto room = TRY(OutputRoom::Take(outputs, owner, 1 * kMiB));      // before the command starts
//   auto execution = TRY(keeper.Execute(lease, spec, input, room));
//   execution.stdout_text()                                           // as long as the room is there
//
// Little is taken before the command starts, and waited for: without it the command is not started. The rest is taken
// as output comes. When no memory is left for a command that runs, that is waited for once; then no more of its output
// is kept, and whoever reads the answer is told. For one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/shares.h"
#include "base/units.h"
#include "sandbox/process_stream.h"

namespace cay::sandbox {

// Why there was no memory for an answer: kResourceExhausted, the caller's fault when it was his share that is used.
Error NoMemoryForAnswer(Shares::Taken taken);

// Bytes that are put one behind the other. Memory is used for those that are there, and nothing is copied when there
// are many.
class HeldBytes {
 public:
  explicit HeldBytes(Bytes max) : max_(max) {}
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes();

  // False, and none of `bytes` are taken, when they do not all fit, or when the kernel has no memory.
  bool Append(std::string_view bytes);
  std::string_view view() const;
  size_t size() const { return mapped_ == nullptr ? few_.size() : size_; }
  Bytes max() const { return max_; }

 private:
  bool Map();

  // More than these are in a mapping.
  static constexpr size_t kFew = 32 * kKiB;

  const Bytes max_;
  std::string few_;
  char* mapped_ = nullptr;  // of max_ bytes, for more than a few
  size_t size_ = 0;
};

class OutputRoom {
 public:
  static constexpr Millis kPatience{10'000};
  // What is taken before a command starts, for both streams together.
  static constexpr Bytes kLeast = 64 * kKiB;

  // `max_bytes`: of each stream. kResourceExhausted when there is no memory even for kLeast (NoMemoryForAnswer says whose
  // fault that is).
  // Waits for other answers to be sent, at most `patience`, before a command is started and once while it runs.
  static Result<std::shared_ptr<OutputRoom>> Take(Shares& all, const std::string& who,
                                                  Bytes max_bytes, Millis patience = kPatience);
  // Bounded by `max_bytes` alone.
  static std::shared_ptr<OutputRoom> Unshared(Bytes max_bytes);

  enum class Kept : uint8_t { kAll, kUpToMaximum, kUpToMemory };
  // Keeps the first bytes.
  Kept Append(OutputStream stream, std::string_view bytes);
  std::string_view text(OutputStream stream) const;

 private:
  OutputRoom(Shares::Part memory, Bytes spared, Bytes max_bytes, Millis patience)
      : memory_(std::move(memory)),
        spared_(spared),
        patience_(patience),
        out_(max_bytes),
        err_(max_bytes) {}
  bool GrowFor(size_t bytes);

  Shares::Part memory_;
  const Bytes spared_;  // of the whole, for those that begin
  const Millis patience_;
  bool is_shared_ = true;
  // There was no memory: nothing more is kept, so that it is the first bytes that are.
  bool ended_ = false;
  HeldBytes out_;
  HeldBytes err_;
};

}  // namespace cay::sandbox
