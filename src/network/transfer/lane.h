// Lane: one direction of a relayed connection: bytes from one socket to another, moved by splice(2)
// through a pipe that the lane has only while bytes are in it.
//
//   Lane up(pipes);
//   switch (up.Move(client, upstream)) …          // whenever one of them is ready
//   loop.Change(client, up.wants_source() ? EPOLLIN : 0);
//
// The end of what is read is passed on (shutdown for writing) when all before it has been.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

// Pipes that are empty, for lanes of all connections. Not more than `most` are open at a time: a
// lane that gets none asks again.
// Half as much moves a sixth less on one processor, twice as much no more.
inline constexpr size_t kPipeBytes = 128 * 1024;

class PipePool {
 public:
  explicit PipePool(size_t most) : most_(most) {}
  // Nothing: there is none to be had now.
  std::optional<Pipe> Take();
  void GiveBack(Pipe pipe);
  // One that is not empty is closed.
  void Drop(Pipe pipe);
  size_t open() const { return open_; }

 private:
  static constexpr size_t kKept = 64;
  const size_t most_;
  size_t open_ = 0;  // with those that lanes have
  std::vector<Pipe> free_;
};

class Lane {
 public:
  explicit Lane(PipePool& pipes) : pipes_(pipes) {}
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Moves what can be moved without waiting, at most kBurst bytes and `allowance`. Errors are of a
  // socket: the connection is broken.
  Result<void> Move(const Fd& source, const Fd& target, uint64_t allowance = UINT64_MAX);

  // What it waits for.
  bool wants_source() const { return !ended_ && queued_ == 0 && !starved_; }
  bool wants_target() const { return queued_ > 0; }
  // There was no pipe: Move again soon.
  bool starved() const { return starved_; }
  bool over() const { return ended_ && queued_ == 0; }
  uint64_t bytes() const { return bytes_; }  // that have reached the target

 private:
  // Of one call, so that no connection keeps the others waiting.
  static constexpr uint64_t kBurst = 1 << 20;

  enum class Step : uint8_t { kMoved, kWaits };
  Result<Step> Fill(const Fd& source, uint64_t most);
  Result<Step> Drain(const Fd& target);
  void LetGo();

  PipePool& pipes_;
  std::optional<Pipe> pipe_;
  uint64_t queued_ = 0;  // in the pipe
  uint64_t bytes_ = 0;
  bool ended_ = false;  // the source has no more
  bool starved_ = false;
};

}  // namespace cay::network
