// Server: accepts host connections on the listening socket and keeps them. Guest: what operations
// share.
//
// At most protocol::kMaxConnections at a time; one more is told kResourceExhausted and closed. Code
// inside the sandbox cannot reach the socket (its name is on a host path), so that only bounds the
// host.
#pragma once

#include <memory>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/privileges.h"
#include "guest/files/temporaries.h"
#include "guest/operations/connection.h"
#include "guest/operations/operation.h"

namespace cay::guest {

class ProcessTable;

struct Guest {
  EventLoop& loop;
  ProcessTable& processes;
  const Fd& proc;            // the directory /proc
  Temporaries& temporaries;  // of all writes
  bool single_user = false;  // only uid 1000 exists here, and the guest runs as it
  Privileges privileges = Privileges::kNone;
};

// The function for a request type, or nullptr when it is no request.
OperationOpener FindOpener(protocol::FrameType type);

class Server final : public EventLoop::Handler, public EventLoop::Timer {
 public:
  // `listener` becomes non-blocking.
  Server(Guest& guest, Fd listener) : guest_(guest), listener_(std::move(listener)) {}
  Result<void> Begin();

 private:
  void OnReady(uint32_t events) override;
  void OnTime() override;
  void Remove(Connection& connection);

  Guest& guest_;
  Fd listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace cay::guest
