// The keeper's half for a relay that the server before has left.
#include <utility>

#include "base/os/log.h"
#include "sandbox/network/network_entry.h"

namespace cay::sandbox {

void NetworkKeeper::TakeOver() {
  supply_.TakeOver();
  if (!supply_.Current()) return;
  if (const auto started = StartThread(); !started) LogWarning(started.error().ToString());
}

void NetworkKeeper::EndTakeOver() {
  const Served relay = supply_.Current();
  if (!relay) return;
  for (const std::string& text : relay->Unclaimed()) {
    const auto id = SandboxId::Parse(text);
    if (!id || !relay->Claim(text)) continue;
    const auto closed = relay->link.Close(*id);
    if (closed || closed.error().code() == ErrorCode::kNotFound) continue;
    // What cannot be closed ends with the relay.
    supply_.Drop(*relay);
    return;
  }
}

// With the entry's lock. Whether the relay that was taken over had its network until now. All flows
// that it has are told, with this server's numbers: what the server before was told, its clients
// may not have been. But those are no events again.
bool NetworkKeeper::Inherit(Entry& entry) {
  const Served relay = supply_.Current();
  if (!relay || entry.relay != 0) return false;
  const auto left = relay->Claim(entry.id.text());
  if (!left) return false;
  entry.relay = relay->number;
  entry.steering = left->steering;
  entry.terms.version = left->version;
  entry.known = left->first_flow - 1;
  entry.told_flow = left->told_flow;
  entry.counts = left->told;
  return true;
}

Result<void> NetworkKeeper::Apply(Entry& entry, network::Terms terms) {
  const bool inherited = Inherit(entry);
  auto done = GiveTerms(entry, std::move(terms));
  if (!inherited) return done;
  // What it has are the terms of a server that is gone.
  if (!done) Detach(entry);
  Pull(entry);
  return done;
}

}  // namespace cay::sandbox
