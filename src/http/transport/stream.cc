#include "http/transport/stream.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

namespace cay::http {
namespace {

using Clock = std::chrono::steady_clock;

// How often it is looked at whether a reader that poll(2) calls unready takes something all the
// same.
constexpr Millis kLookInterval{1'000};
constexpr size_t kMaxParts = 8;
// A TLS record; smaller parts are put together so that they travel in one.
constexpr size_t kTlsRecord = size_t{16} * 1024;

Error Gone(int sys_errno) {
  if (sys_errno == ECONNRESET || sys_errno == EPIPE || sys_errno == ENOTCONN ||
      sys_errno == ETIMEDOUT) {
    Error error(ErrorCode::kUnavailable, Fault::kCaller, "the other side closed the connection");
    error.set_sys_errno(sys_errno);
    return error;
  }
  return Error::FromErrno("socket", sys_errno);
}

Error TooSlow(std::string_view what) {
  return {ErrorCode::kTimeout, Fault::kCaller, "the other side " + std::string(what)};
}

// Waits; false when the time is over.
Result<bool> Poll(int fd, int16_t events, Millis timeout, int stop_fd = -1) {
  constexpr Millis kLongest = std::chrono::hours(1);  // an int of milliseconds holds 24 days
  std::array<pollfd, 2> waited = {pollfd{.fd = fd, .events = events, .revents = 0},
                                  pollfd{.fd = stop_fd, .events = POLLIN, .revents = 0}};
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - Clock::now());
    const auto slice = std::clamp(left, Millis(0), kLongest);
    const int ready = ::poll(waited.data(), waited.size(), static_cast<int>(slice.count()));
    if (ready > 0 && waited[1].revents != 0) return Failure(StoppedError());
    if (ready > 0) return true;
    if (ready == 0 && left <= slice) return false;
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  }
}

// Bytes in the kernel that the peer has not taken yet.
int64_t Outstanding(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

int16_t PollEvents(TlsSession* tls, int16_t otherwise) {
  if (tls == nullptr || tls->wants() == TlsSession::Wants::kNothing) return otherwise;
  return tls->wants() == TlsSession::Wants::kRead ? POLLIN : POLLOUT;
}

}  // namespace

Error StoppedError() {
  Error error(ErrorCode::kUnavailable, Fault::kCaller, "it was stopped: nobody waits for it");
  error.set_sys_errno(ECANCELED);
  return error;
}

bool Pace::KeepsUp(Millis more_waited) {
  waited += more_waited;
  if (waited < window) return true;
  const auto needed = min_bytes_per_second * static_cast<uint64_t>(waited.count()) / 1000;
  waited = Millis(0);
  const uint64_t in_window = std::exchange(moved, 0);
  return std::exchange(is_first, false) || in_window >= needed;
}

Result<std::optional<size_t>> Stream::TryRead(std::span<char> space) {
  if (tls_) return tls_->TryRead(space);
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR) return Failure(Gone(errno));
  }
}

Result<size_t> Stream::Read(std::span<char> space, Pace& pace) {
  for (;;) {
    const std::optional<size_t> got = TRY(TryRead(space));
    if (got) {
      pace.moved += *got;
      return *got;
    }
    TRY(AwaitReadable(pace));
  }
}

Result<bool> Stream::PollReadable(Millis timeout) {
  if (HasBuffered()) return true;
  return Poll(fd_.get(), PollEvents(tls_.get(), POLLIN), timeout);
}

Result<void> Stream::AwaitReadable(Pace& pace) {
  const auto begin = Clock::now();
  if (!TRY(Poll(fd_.get(), PollEvents(tls_.get(), POLLIN), pace.stall, pace.stop_fd))) {
    return Failure(TooSlow("sent nothing for " + FormatDuration(pace.stall)));
  }
  if (!pace.KeepsUp(std::chrono::duration_cast<Millis>(Clock::now() - begin))) {
    return Failure(TooSlow("sends too slowly"));
  }
  return {};
}

Result<size_t> Stream::TryWrite(std::span<const std::string_view> parts) {
  if (tls_) {
    size_t total = 0;
    for (const std::string_view part : parts) total += part.size();
    if (parts.size() == 1 || total > kTlsRecord) {
      for (const std::string_view part : parts) {
        if (!part.empty()) return tls_->TryWrite(part);
      }
      return size_t{0};
    }
    std::string joined;
    joined.reserve(total);
    for (const std::string_view part : parts) joined += part;
    return joined.empty() ? Result<size_t>(0) : tls_->TryWrite(joined);
  }
  std::array<iovec, kMaxParts> vectors{};
  size_t count = 0;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    if (count == vectors.size()) break;
    vectors[count++] = {.iov_base = const_cast<char*>(part.data()), .iov_len = part.size()};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  for (;;) {
    const ssize_t put = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (put >= 0) return static_cast<size_t>(put);
    if (errno == EAGAIN) return size_t{0};
    if (errno != EINTR) return Failure(Gone(errno));
  }
}

Result<void> Stream::Write(std::span<const std::string_view> parts, Pace& pace) {
  std::array<std::string_view, kMaxParts> left{};
  if (parts.size() > left.size()) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "too many parts for one write"));
  }
  std::ranges::copy(parts, left.begin());
  size_t first = 0;
  for (;;) {
    while (first < parts.size() && left[first].empty()) ++first;
    if (first == parts.size()) return {};
    size_t put = TRY(TryWrite(std::span(left).subspan(first, parts.size() - first)));
    if (put == 0) {
      TRY(WaitWritable(pace));
      continue;
    }
    while (put > 0) {
      const size_t taken = std::min(put, left[first].size());
      left[first].remove_prefix(taken);
      put -= taken;
      if (left[first].empty()) ++first;
    }
  }
}

// poll(2) says writable only when a third of the send buffer is free, which a slow reader of a
// large buffer may take minutes for. What counts is what it takes while it is waited for.
Result<void> Stream::WaitWritable(Pace& pace) {
  auto last_progress = Clock::now();
  int64_t outstanding = Outstanding(fd_.get());
  for (;;) {
    const auto begin = Clock::now();
    const bool ready = TRY(Poll(fd_.get(), PollEvents(tls_.get(), POLLOUT),
                                std::min(kLookInterval, pace.stall), pace.stop_fd));
    const auto now = Clock::now();
    const int64_t still = Outstanding(fd_.get());
    if (still < outstanding) {
      pace.moved += static_cast<uint64_t>(outstanding - still);
      last_progress = now;
    }
    outstanding = still;
    if (!pace.KeepsUp(std::chrono::duration_cast<Millis>(now - begin))) {
      return Failure(TooSlow("reads too slowly"));
    }
    if (ready) return {};
    if (now - last_progress >= pace.stall) {
      return Failure(TooSlow("took nothing for " + FormatDuration(pace.stall)));
    }
  }
}

void Stream::CloseWrite() {
  if (tls_) tls_->CloseNotify();
  ::shutdown(fd_.get(), SHUT_WR);
}

}  // namespace cay::http
