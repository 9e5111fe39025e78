// Connections to peers, and what a change of the names and rules does to one that is there.
#include "network/relay/connection.h"

namespace cay::network {

// What it sends is between the two, and nothing is held against it.
void Connection::BeginToPeer() {
  rule_ = "peer " + peer_;
  judged_ = true;
  idle_.Set(owner_.idle_limit());
  peer_dial_ = owner_.DialPeer(peer_, destination_.port, [this](Result<Fd> socket) {
    if (over_) return;
    if (!socket) return Finish(Verdict::kFailed, socket.error().message(), rule_, true);
    upstream_ = *std::move(socket);
    Relay();
  });
}

void Connection::Reconsider() {
  if (over_) return;
  if (!peer_.empty()) {
    if (owner_.PeerOf(destination_.name) != peer_)
      Deny("the policy was changed: " + destination_.name + " is not the name of that sandbox now");
    return;
  }
  Decision decision = Decide();
  if (decision.allowed && upstream_ && !proxied_) {
    decision = owner_.policy().OfAddress(destination_.name, dialled_, destination_.port,
                                         parts_.machine.IsOwn(dialled_));
  }
  const auto secrets = owner_.credentials();
  if (decision.allowed && covered_ && !(secrets && *secrets == *covered_))
    return Deny("the secrets of the sandbox were changed");
  if (!decision.allowed)
    Deny("the policy was changed: " + Explain(decision, destination_.name, nullptr));
}

}  // namespace cay::network
