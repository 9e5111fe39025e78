// RelayLink: the controller's end of a relay (messages.h).
//
//   RelayLink link(TRY(ForkRelay()));
//   TRY(link.Hello({.resolvers = …}));
//   TRY(link.Open(id, terms, std::move(sockets)));
//   const Flows flows = TRY(link.FlowsAfter(id, 0));
//
// Each call waits for its answer, for at most kPatience (kTimeout). kUnavailable: the relay is gone,
// and no call of this link succeeds any more. Thread-safe: one request at a time.
#pragma once

#include <mutex>
#include <string>

#include "base/ipc/packet.h"
#include "network/link/messages.h"

namespace cay::network {

class RelayLink {
 public:
  static constexpr Millis kPatience{10'000};

  explicit RelayLink(Fd control) : control_(std::move(control)) {}

  Result<void> Hello(const HelloRequest& request);
  Result<void> Open(const SandboxId& sandbox, const Terms& terms, Sockets sockets);
  Result<void> SetTerms(const SandboxId& sandbox, const Terms& terms);
  Result<void> Close(const SandboxId& sandbox);
  Result<Flows> FlowsAfter(const SandboxId& sandbox, uint64_t number);
  Result<Checked> Check(const CheckRequest& request);

 private:
  Result<std::string> Call(MessageType type, std::string_view body, MessageType wanted,
                           const std::vector<const Fd*>& fds = {});
  Result<ipc::Packet> Receive();

  std::mutex mutex_;
  Fd control_;
};

}  // namespace cay::network
