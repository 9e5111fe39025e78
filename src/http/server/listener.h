// Listener: a listening socket.
#pragma once

#include <atomic>

#include "base/os/fd.h"
#include "base/result.h"
#include "http/server/connection.h"
#include "http/server/server.h"

namespace cay::http {

struct Listener : EventSource {
  Listener(Fd socket, ListenAddress where)
      : EventSource(Kind::kListener), fd(std::move(socket)), address(std::move(where)) {}

  Fd fd;                            // non-blocking
  ListenAddress address;            // with the port it got
  std::atomic<bool> paused{false};  // no descriptors were left to accept with
};

// Binds and listens. kAlreadyExists when another program listens there.
Result<std::unique_ptr<Listener>> Listen(const ListenAddress& address, uint16_t unix_mode);

// Accepts one waiting connection: its socket, non-blocking, and its peer. The errno when there is
// none.
struct Accepted {
  Fd fd;
  Peer peer;
};
std::expected<Accepted, int> AcceptOne(const Listener& listener);

// Peer::client of an address that is not this machine's own.
std::string ClientOf(const std::string& address);

// Connecting after this is refused. Removes the name of a Unix socket.
void StopListening(Listener& listener);

}  // namespace cay::http
