#include "sandbox/network/neighbours.h"

#include <algorithm>

#include "base/text.h"

namespace cay::sandbox {

void Neighbours::Insert(const Neighbour& neighbour) {
  if (neighbour.join.empty()) return;
  all_.insert_or_assign(neighbour.id, neighbour);
  for (const std::string& network : neighbour.join)
    networks_[{neighbour.owner, network}].insert(neighbour.id);
}

std::set<SandboxId> Neighbours::Around(const SandboxId& id) const {
  std::set<SandboxId> around;
  const auto found = all_.find(id);
  if (found == all_.end()) return around;
  for (const std::string& network : found->second.join) {
    const auto members = networks_.find({found->second.owner, network});
    if (members != networks_.end()) around.insert(members->second.begin(), members->second.end());
  }
  around.erase(id);
  return around;
}

std::set<SandboxId> Neighbours::Remove(const SandboxId& id) {
  std::set<SandboxId> around = Around(id);
  const auto found = all_.find(id);
  if (found == all_.end()) return around;
  for (const std::string& network : found->second.join) {
    const auto members = networks_.find({found->second.owner, network});
    if (members == networks_.end()) continue;
    members->second.erase(id);
    if (members->second.empty()) networks_.erase(members);
  }
  all_.erase(found);
  return around;
}

Result<std::set<SandboxId>> Neighbours::Place(const Neighbour& neighbour) {
  const auto found = all_.find(neighbour.id);
  const Neighbour before = found == all_.end() ? Neighbour{.id = neighbour.id} : found->second;
  std::set<SandboxId> around = Remove(neighbour.id);
  Insert(neighbour);
  around.merge(Around(neighbour.id));
  const auto has_too_many = [&](const SandboxId& id) {
    return PeersOf(id).size() > network::Terms::kMaxPeers;
  };
  if (!has_too_many(neighbour.id) && std::ranges::none_of(around, has_too_many)) return around;
  Remove(neighbour.id);
  Insert(before);
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "a sandbox of these networks would reach more than " +
                           std::to_string(network::Terms::kMaxPeers) + " names of others")
                     .WithRemedy("join networks with fewer sandboxes, or give fewer aliases"));
}

std::vector<network::Peer> Neighbours::PeersOf(const SandboxId& id) const {
  std::map<std::string, std::string> peers;
  const std::set<SandboxId> around = Around(id);
  for (const SandboxId& other : around) {
    const std::string& name = all_.at(other).name;
    if (!name.empty()) peers.emplace(Lower(name), other.text());
  }
  for (const SandboxId& other : around) {
    for (const std::string& alias : all_.at(other).aliases)
      peers.emplace(Lower(alias), other.text());
  }
  std::vector<network::Peer> all;
  all.reserve(peers.size());
  for (const auto& [name, sandbox] : peers) all.push_back({.name = name, .sandbox = sandbox});
  return all;
}

std::string Neighbours::NetworkOf(const SandboxId& from, const SandboxId& to) const {
  const auto found = all_.find(from);
  if (found == all_.end() || from == to) return {};
  for (const std::string& network : found->second.join) {
    const auto members = networks_.find({found->second.owner, network});
    if (members != networks_.end() && members->second.contains(to)) return network;
  }
  return {};
}

bool Neighbours::ArePeers(const SandboxId& from, const SandboxId& to) const {
  return Around(from).contains(to);
}

}  // namespace cay::sandbox
