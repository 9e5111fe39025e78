// Neighbours: which sandboxes reach which, by which names: those of one owner that have joined one
// network. Pure; not thread-safe.
//
//   TRY(neighbours.Place({.id = db, .owner = "me", .name = "db", .join = {"app"}}));
//   neighbours.PeersOf(web);          // {"db" → its id}, where web has joined "app" too
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "network/link/messages.h"

namespace cay::sandbox {

struct Neighbour {
  SandboxId id;
  std::string owner{};
  std::string name{};  // may be empty
  std::vector<std::string> aliases{};
  std::vector<std::string> join{};
};

class Neighbours {
 public:
  // Places it, or places it anew. Those whose peers may be others now, without itself. On error
  // (kLimitTooHigh: somebody would have more peers than Terms::kMaxPeers) nothing is changed.
  Result<std::set<SandboxId>> Place(const Neighbour& neighbour);
  std::set<SandboxId> Remove(const SandboxId& id);

  // By name, each name once. A sandbox's name comes before an alias, and among equal ones the one
  // whose id comes first.
  std::vector<network::Peer> PeersOf(const SandboxId& id) const;
  bool ArePeers(const SandboxId& from, const SandboxId& to) const;
  // The first of the networks that both have joined; empty: there is none.
  std::string NetworkOf(const SandboxId& from, const SandboxId& to) const;

 private:
  using Network = std::pair<std::string, std::string>;  // owner, name

  void Insert(const Neighbour& neighbour);
  std::set<SandboxId> Around(const SandboxId& id) const;

  std::map<SandboxId, Neighbour> all_;  // that have joined something
  std::map<Network, std::set<SandboxId>> networks_;
};

}  // namespace cay::sandbox
