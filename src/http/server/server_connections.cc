// What the server's threads do with a connection that is ready.
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/os/log.h"
#include "http/server/server_core.h"
#include "http/wire/head.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

constexpr int kAcceptBatch = 64;
// Room is made for new connections when only one place in so many is left.
constexpr size_t kSpareShare = 16;
// First what nearly every head fits in, then more at a time.
constexpr size_t kFirstRead = size_t{4} * 1024;
constexpr size_t kNextRead = size_t{16} * 1024;

// Closing at once while the client still sends would destroy the answer on its way (RFC 9112, 9.6).
constexpr Millis kLingerTime{2'000};
constexpr uint64_t kMaxLinger = 1 * kMiB;

// What the client does not wait for: sent as far as it goes without waiting.
void SendUnwaited(Stream& stream, std::string_view bytes) {
  static_cast<void>(stream.TryWrite({&bytes, 1}));
}

}  // namespace

void ServerCore::AcceptSome(Listener& listener) {
  for (int i = 0; i < kAcceptBatch && !draining_; ++i) {
    auto accepted = AcceptOne(listener);
    if (accepted) {
      AdmitOne(std::move(*accepted));
      continue;
    }
    const int error = accepted.error();
    if (error == EAGAIN) break;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      LogWarning(Error::FromErrno("accept", error).message() + ", trying again soon");
      listener.paused = true;  // the sweep arms it again
      return;
    }
    // The others are about the one connection that was not accepted (accept(2)).
  }
  if (draining_) return;
  if (!Watch(listener, listener.fd.get(), EPOLLIN | EPOLLONESHOT, true)) listener.paused = true;
}

void ServerCore::AdmitOne(Accepted accepted) {
  ++counters_.connections_accepted;
  auto owned = std::make_unique<Connection>(std::move(accepted.fd), std::move(accepted.peer));
  Connection& connection = *owned;
  const auto context = connection.peer.unix_socket ? nullptr : tls();
  if (counters_.connections_open >= max_connections_ - max_connections_ / kSpareShare) EvictIdle();
  connection.place = connection_places_.For(connection.peer.client);
  const Shares::Taken taken = connection.place.Take(1);
  if (taken != Shares::Taken::kYes) {
    ++counters_.connections_refused;
    if (!context) {
      const bool one = taken == Shares::Taken::kShareIsUsed;
      SendUnwaited(connection.stream,
                   ProblemResponse(one ? 429 : 503,
                                   one ? "this address has as many connections as one may"
                                       : "the server has as many connections as it may",
                                   NewRequestId()));
    }
    return;
  }
  if (context) {
    auto session = context->Accept(connection.stream.fd());
    if (!session) return LogWarning(session.error().ToString());
    connection.stream.SetTls(std::move(*session));
    connection.peer.tls = true;
    connection.phase = Connection::Phase::kHandshake;
  }
  const auto patience = context ? options_.limits.header_timeout : options_.limits.idle_timeout;
  connection.idle = true;
  connection.deadline = Clock::now() + patience;
  ++counters_.connections_open;
  {
    const std::lock_guard lock(connections_mutex_);
    connections_.emplace(&connection, std::move(owned));
  }
  if (!Watch(connection, connection.stream.fd(), EPOLLIN | EPOLLONESHOT, false)) Close(connection);
}

void ServerCore::Close(Connection& connection) {
  std::unique_ptr<Connection> owned;  // closed outside of the lock
  {
    const std::lock_guard lock(connections_mutex_);
    const auto found = connections_.find(&connection);
    owned = std::move(found->second);
    connections_.erase(found);
  }
  --counters_.connections_open;
}

// The connection may be another thread's when this returns.
void ServerCore::Arm(Connection& connection, Clock::time_point deadline, uint32_t events) {
  connection.input.ReleaseIfEmpty();
  connection.idle = connection.phase == Connection::Phase::kHead && connection.input.empty();
  const int fd = connection.stream.fd();
  connection.deadline = deadline;  // OnReady reads it: the last that this thread does with it
  if (!Watch(connection, fd, events | EPOLLONESHOT, true)) Close(connection);
}

void ServerCore::OnReady(Connection& connection) {
  // Reads what Arm wrote: so all that the thread before did happened before this, also for those
  // who do not see that the kernel orders epoll_ctl and epoll_wait (ThreadSanitizer).
  connection.deadline.exchange(Clock::time_point::max());
  connection.idle = false;
  switch (connection.phase.load()) {
    case Connection::Phase::kHandshake:
      return OnHandshake(connection);
    case Connection::Phase::kHead:
      return OnHead(connection);
    case Connection::Phase::kBody:
      return OnBody(connection);
    case Connection::Phase::kLinger:
      return OnLinger(connection);
  }
}

void ServerCore::OnHandshake(Connection& connection) {
  if (connection.head_deadline == Clock::time_point()) {
    connection.head_deadline = Clock::now() + options_.limits.header_timeout;
  }
  const auto wants = connection.stream.tls()->Handshake();
  if (!wants || connection.expired) return Close(connection);
  if (*wants != TlsSession::Wants::kNothing) {
    return Arm(connection, connection.head_deadline,
               *wants == TlsSession::Wants::kRead ? EPOLLIN : EPOLLOUT);
  }
  connection.head_deadline = {};
  connection.phase = Connection::Phase::kHead;
  OnHead(connection);
}

// Reads what has come, and serves as many requests as that is.
void ServerCore::OnHead(Connection& connection) {
  do {
    if (!ReadMore(connection)) return;
    if (!ServeBuffered(connection)) return;
  } while (connection.stream.HasBuffered() || !connection.input.empty());
  Arm(connection, Clock::now() + options_.limits.idle_timeout, EPOLLIN);
}

// False when there is nothing more, and the connection has been armed or closed.
bool ServerCore::ReadMore(Connection& connection) {
  const size_t room = connection.input.empty() ? kFirstRead : kNextRead;
  const auto got = connection.stream.TryRead(connection.input.Prepare(room));
  if (got && *got && **got > 0) {
    connection.input.Commit(**got);
    if (connection.head_deadline == Clock::time_point()) {
      connection.head_deadline = Clock::now() + options_.limits.header_timeout;
    }
    return true;
  }
  if (got && !*got) {
    const bool begun = !connection.input.empty();
    const uint32_t events = connection.stream.tls() != nullptr &&
                                    connection.stream.tls()->wants() == TlsSession::Wants::kWrite
                                ? EPOLLOUT
                                : EPOLLIN;
    Arm(connection, begun ? connection.head_deadline : Clock::now() + options_.limits.idle_timeout,
        events);
    return false;
  }
  if (connection.expired && !connection.input.empty()) {
    Refuse(connection, 408, "the request did not come in time");
  } else {
    Close(connection);
  }
  return false;
}

// Serves what is whole. False when the connection is no longer this thread's.
bool ServerCore::ServeBuffered(Connection& connection) {
  InputBuffer& input = connection.input;
  const ServerLimits& limits = options_.limits;
  while (!input.empty()) {
    // RFC 9112, 2.2: an empty line before a request is read over.
    if (connection.scanned == 0 && input.view().starts_with("\r\n")) {
      input.Consume(2);
      continue;
    }
    const auto head_bytes = FindHeadEnd(input.view(), connection.scanned);
    if (!head_bytes && input.size() <= limits.max_header_bytes) return true;
    if (!head_bytes || *head_bytes > limits.max_header_bytes) {
      const bool is_line = input.view().find("\r\n") > limits.max_target_bytes;
      Refuse(connection, is_line ? 414 : 431,
             is_line ? "the request target is too long" : "the header fields are too long");
      return false;
    }
    connection.scanned = 0;
    connection.head_deadline = {};
    if (!ServeOne(connection, *head_bytes)) return false;
    if (stopping_) {
      Close(connection);
      return false;
    }
    if (!input.empty()) connection.head_deadline = Clock::now() + limits.header_timeout;
  }
  return true;
}

void ServerCore::Refuse(Connection& connection, int status, std::string_view detail) {
  ++counters_.bad_requests;
  SendUnwaited(connection.stream, ProblemResponse(status, detail, NewRequestId()));
  BeginLinger(connection);
}

void ServerCore::BeginLinger(Connection& connection) {
  connection.pending.reset();
  connection.stream.CloseWrite();
  connection.phase = Connection::Phase::kLinger;
  connection.head_deadline = Clock::now() + kLingerTime;
  OnLinger(connection);
}

// Throws away what still comes, until the client has seen the end.
void ServerCore::OnLinger(Connection& connection) {
  connection.input = InputBuffer();
  std::array<char, 16384> nowhere;
  while (!connection.expired && connection.lingered <= kMaxLinger) {
    const auto got = connection.stream.TryRead(nowhere);
    if (got && !*got) return Arm(connection, connection.head_deadline, EPOLLIN);
    if (!got || **got == 0) break;
    connection.lingered += **got;
  }
  Close(connection);
}

}  // namespace cay::http
