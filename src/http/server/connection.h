// Connection: one client's connection, as the server keeps it between requests. Exactly one thread
// at a time has it: the one that epoll gave it to (EPOLLONESHOT), until that one arms it again.
// Members that the sweep looks at meanwhile are atomic.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/supply/shares.h"
#include "http/message.h"
#include "http/server/pending_request.h"
#include "http/transport/stream.h"
#include "http/wire/input_buffer.h"

namespace cay::http {

// What epoll reports: which of the server's things is ready.
struct EventSource {
  enum class Kind : uint8_t { kWake, kListener, kConnection };
  explicit EventSource(Kind of) : kind(of) {}
  Kind kind;
};

struct Connection : EventSource {
  using Clock = std::chrono::steady_clock;
  enum class Phase : uint8_t { kHandshake, kHead, kBody, kLinger };

  Connection(Fd fd, Peer from)
      : EventSource(Kind::kConnection), stream(std::move(fd)), peer(std::move(from)) {}

  Stream stream;
  Peer peer;
  InputBuffer input;
  size_t scanned = 0;                       // of `input`, for the end of a head
  Clock::time_point head_deadline{};        // of the head that has begun; zero: none has
  std::unique_ptr<PendingRequest> pending;  // whose body still comes
  Shares::Part place;                       // among all connections
  uint64_t lingered = 0;                    // bytes thrown away while closing
  std::atomic<Phase> phase{Phase::kHead};
  std::atomic<bool> idle{false};     // waits, and nothing of a request has come
  std::atomic<bool> expired{false};  // the sweep has ended the wait
  // When the sweep ends the wait; max() while a thread has it.
  std::atomic<Clock::time_point> deadline{Clock::time_point::max()};
};

}  // namespace cay::http
