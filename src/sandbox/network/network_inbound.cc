// The keeper's half for connections into sandboxes: from their peers, and to published ports.
#include "base/os/log.h"
#include "json/json_writer.h"
#include "sandbox/network/network_entry.h"
#include "sandbox/network/network_keeper.h"

namespace cay::sandbox {

Result<std::set<SandboxId>> NetworkKeeper::Place(const SandboxId& id, const std::string& owner,
                                                 const std::string& name, const NetworkSpec& spec) {
  const std::lock_guard lock(mutex_);
  return neighbours_.Place(
      {.id = id, .owner = owner, .name = name, .aliases = spec.aliases, .join = spec.join});
}

std::vector<network::Peer> NetworkKeeper::PeersOf(const SandboxId& id) const {
  const std::lock_guard lock(mutex_);
  return neighbours_.PeersOf(id);
}

// What cannot be told is closed, so that nobody is reached by a name that is another's now.
void NetworkKeeper::TellPeers(const std::set<SandboxId>& ids) {
  for (const SandboxId& id : ids) {
    const auto entry = Find(id);
    if (!entry) continue;
    const std::lock_guard lock(entry->mutex);
    if (!entry->wanted || !ServerOf(*entry) || entry->terms.peers == PeersOf(id)) continue;
    ApplyOrClose(*entry, entry->terms);
  }
}

Result<std::vector<std::string>> NetworkKeeper::Settle(const SandboxId& id,
                                                       const std::string& owner,
                                                       const std::string& name,
                                                       const NetworkSpec& spec) {
  auto published = TRY(doors_.Publish(
      {.sandbox = id, .owner = owner, .name = name, .limits = spec.limits}, spec.publish));
  auto around = TRY(Place(id, owner, name, spec));
  around.insert(id);
  TellPeers(around);
  return published;
}

void NetworkKeeper::Resettle(const SandboxId& id, const std::string& owner, const std::string& name,
                             const NetworkSpec& spec) {
  doors_.Want({.sandbox = id, .owner = owner, .name = name, .limits = spec.limits}, spec.publish);
  auto around = Place(id, owner, name, spec);
  if (!around) {
    LogWarning("the neighbours of sandbox " + id.text() + ": " + around.error().ToString());
    return;
  }
  around->insert(id);
  TellPeers(*around);
}

void NetworkKeeper::OnDial(const std::weak_ptr<ServedRelay>& relay,
                           const network::DialRequest& request) {
  const auto answer = [relay, number = request.number](const Result<Fd>& socket) {
    if (const auto served = relay.lock()) (void)served->link.Dialled(number, socket);
  };
  const auto from = SandboxId::Parse(request.from);
  const auto to = SandboxId::Parse(request.to);
  const auto entry = from ? Find(*from) : nullptr;
  bool permitted = false;
  if (from && to) {
    const std::lock_guard lock(mutex_);
    permitted = neighbours_.ArePeers(*from, *to);
  }
  if (entry && permitted) {
    doors_.Dial({.sandbox = *to, .owner = entry->owner, .port = request.port}, answer);
    return;
  }
  doors_.Later([answer] {
    answer(Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         "the two sandboxes are in no network together any more")));
  });
}

Result<void> NetworkKeeper::PassOn(const Publisher& publisher, const Fd& outside,
                                   const Fd& inside) {
  const Served relay = TRY(GetRelay());
  auto done = relay->link.Relay({.sandbox = publisher.sandbox.text(),
                                 .connections = publisher.limits.connections,
                                 .idle_seconds = publisher.limits.idle_seconds},
                                outside, inside);
  if (!done) supply_.Drop(*relay);
  return done;
}

void NetworkKeeper::TellUnpublished(const Publisher& publisher, const PublishedStanding& standing) {
  LogWarning("sandbox " + publisher.sandbox.text() + ": its port " + standing.rule +
             " is not published: " + standing.problem);
  JsonWriter data;
  data.BeginObject()
      .Member("address", standing.address)
      .Member("host_port", uint64_t{standing.host_port})
      .Member("port", uint64_t{standing.port})
      .EndObject();
  events_.Append({.type = "sandbox.publish_failed",
                  .sandbox = publisher.sandbox.text(),
                  .owner = publisher.owner,
                  .reason = standing.problem,
                  .data = std::move(data).Take()});
}

}  // namespace cay::sandbox
