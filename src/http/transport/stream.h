// Stream: the bytes of one connected socket, plain or under TLS. The descriptor is non-blocking;
// where a caller wants to wait, it waits in poll(2), bounded by a Pace. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "http/transport/tls.h"

namespace cay::http {

// How slow the other side may be, and how slow it has been, in one direction. Only time spent
// waiting for it counts: a handler that takes its time is not the client's fault.
struct Pace {
  Millis stall{30'000};               // nothing moved for so long: kTimeout
  uint64_t min_bytes_per_second = 0;  // over windows of waiting, after the first; 0: any
  Millis window{10'000};              // how long those are
  // When this descriptor is readable (Wakeup::fd()) nobody waits any more: StoppedError. -1: none.
  int stop_fd = -1;

  // Of the window that has begun.
  Millis waited{0};
  uint64_t moved = 0;
  bool is_first = true;

  // Counts so much more waiting: is it fast enough? Begins the next window where one is over.
  bool KeepsUp(Millis more_waited);
};

// A wait that ended because of a stop_fd: kUnavailable, and its sys_errno is ECANCELED.
Error StoppedError();

class Stream {
 public:
  // `fd` is a connected socket, which the caller has made non-blocking.
  explicit Stream(Fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  TlsSession* tls() { return tls_.get(); }
  void SetTls(std::unique_ptr<TlsSession> tls) { tls_ = std::move(tls); }

  // Whether bytes can be read without poll(2) telling so.
  bool HasBuffered() const { return tls_ != nullptr && tls_->HasBuffered(); }

  // What has come, without waiting: nothing when nothing has, 0 at the end of file.
  Result<std::optional<size_t>> TryRead(std::span<char> space);
  // Waits for at least one byte; 0 at the end of file. kTimeout, kUnavailable.
  Result<size_t> Read(std::span<char> space, Pace& pace);

  // Waits until TryRead may have something to say.
  Result<void> AwaitReadable(Pace& pace);
  // Whether something can be read within that time.
  Result<bool> PollReadable(Millis timeout);

  // As much as the kernel takes at once; 0 when it takes nothing.
  Result<size_t> TryWrite(std::span<const std::string_view> parts);
  // All of it, in as few segments as possible.
  Result<void> Write(std::span<const std::string_view> parts, Pace& pace);
  Result<void> Write(std::string_view bytes, Pace& pace) { return Write({&bytes, 1}, pace); }

  // Says that no more will be sent.
  void CloseWrite();

 private:
  Result<void> WaitWritable(Pace& pace);

  Fd fd_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace cay::http
