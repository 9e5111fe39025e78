// The keeper's half for connections into sandboxes: from their peers, and to published ports.
#include <utility>

#include "base/os/log.h"
#include "base/text.h"
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

// The names of peers come before all rules.
std::optional<network::Checked> NetworkKeeper::CheckPeer(const SandboxId& id,
                                                         std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string name = Lower(host);
  const std::lock_guard lock(mutex_);
  for (const network::Peer& peer : neighbours_.PeersOf(id)) {
    const auto other = SandboxId::Parse(peer.sandbox);
    if (peer.name != name || !other) continue;
    return network::Checked{.allowed = true,
                            .rule = "peer " + peer.sandbox,
                            .reason = "peer, by network " + neighbours_.NetworkOf(id, *other)};
  }
  return std::nullopt;
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
  NotePublished(id, owner, spec);
  auto published = TRY(doors_.Publish(
      {.sandbox = id, .owner = owner, .name = name, .limits = spec.limits}, spec.publish));
  auto around = TRY(Place(id, owner, name, spec));
  around.insert(id);
  TellPeers(around);
  return published;
}

void NetworkKeeper::Resettle(const SandboxId& id, const std::string& owner, const std::string& name,
                             const NetworkSpec& spec) {
  NotePublished(id, owner, spec);
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

void NetworkKeeper::NotePublished(const SandboxId& id, const std::string& owner,
                                  const NetworkSpec& spec) {
  if (spec.publish.empty()) return;
  const auto entry = FindOrMake(id, owner);
  const std::lock_guard lock(entry->mutex);
  entry->published = true;
}

// No relay hears of it afterwards: what it remembered of the sandbox is gone.
void NetworkKeeper::ForgetPublished(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return;
  {
    const std::lock_guard lock(entry->door_mutex);
    entry->gone = true;
  }
  const std::lock_guard lock(entry->mutex);
  const Served relay = entry->published ? supply_.Current() : nullptr;
  if (relay) (void)relay->link.Unpublish(id);
}

Result<void> NetworkKeeper::PassOn(const Publisher& publisher, const Visitor& visitor,
                                   const Fd& outside, const Fd& inside) {
  const Served relay = TRY(GetRelay());
  const auto entry = Find(publisher.sandbox);
  const auto is_gone = [] {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "the sandbox is gone"));
  };
  if (!entry) return is_gone();
  const std::lock_guard lock(entry->door_mutex);
  if (entry->gone) return is_gone();
  auto done = relay->link.Relay(OrderOf(publisher, visitor), outside, inside);
  if (!done) supply_.Drop(*relay);
  return done;
}

// What did not get as far as a relay.
void NetworkKeeper::TurnAway(const Publisher& publisher, const Visitor& visitor, const Error& why) {
  const auto entry = Find(publisher.sandbox);
  if (!entry) return;
  {
    const std::lock_guard lock(entry->door_mutex);
    if (entry->turned_away.size() >= Entry::kMaxTurnedAway) {
      ++entry->turned_away_more;
    } else {
      entry->turned_away.push_back({.time_unix_ms = UnixMs(),
                                    .address = visitor.address,
                                    .port = visitor.port,
                                    .verdict = network::Verdict::kFailed,
                                    .reason = why.message(),
                                    .rule = visitor.rule,
                                    .inbound = true});
    }
  }
  // Who waits and has just looked asks again in a moment.
  entry->told_more.notify_all();
}

void NetworkKeeper::TakeTurnedAway(Entry& entry) {
  std::vector<network::Flow> flows;
  uint64_t more = 0;
  {
    const std::lock_guard lock(entry.door_mutex);
    flows.swap(entry.turned_away);
    more = std::exchange(entry.turned_away_more, 0);
  }
  if (flows.empty()) return;
  network::NetworkCounts counts = entry.inbound_before;
  counts.connections += flows.size() + more;
  counts.inbound += flows.size() + more;
  counts.failed += flows.size() + more;
  Leave(entry.inbound_before, counts);
  Count(entry.inbound_before, counts);
  for (network::Flow& flow : flows) Note(entry, std::move(flow), true);
  entry.flows.Skip(more);
}

void NetworkKeeper::PullInbound(Entry& entry) {
  TakeTurnedAway(entry);
  const Served relay = entry.published ? supply_.Current() : nullptr;
  if (!relay) return;
  if (entry.inbound_relay != relay->number) {
    entry.inbound_relay = relay->number;
    entry.inbound_known = 0;
    entry.inbound_before = Sum(entry.inbound_before, entry.inbound_counts);
    entry.inbound_before.open = 0;
    entry.inbound_counts = {};
  }
  PullFrom(*relay, entry,
           {.known = entry.inbound_known, .counts = entry.inbound_counts, .inbound = true});
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
