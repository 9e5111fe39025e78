// Creator: how a sandbox comes to be: what is asked for is checked, counted, made by the engine or
// taken from a pool, and promised in the store, in this order. Whatever fails, what came before it
// is undone.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sandbox/lifecycle/core.h"
#include "sandbox/lifecycle/pool.h"
#include "sandbox/records/idempotency_table.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::sandbox {

class Creator {
 public:
  Creator(Core& core, Pools& pools) : core_(core), pools_(pools) {}

  Result<SandboxView> Create(const Caller& caller, const SandboxSpec& spec,
                             const Idempotency& idempotency);
  // No more from here on; waits for those under way, at most so long.
  void Drain(Millis patience);

 private:
  using Key = std::pair<std::string, std::string>;  // owner, idempotency key

  // One create that is under way, with its idempotency key, which no other create has meanwhile.
  class Turn;
  // What is made so far, and is undone unless it is kept.
  class Making;

  Result<std::optional<IdempotentCreate>> FindBefore(const Caller& caller, const std::string& key);
  Result<SandboxView> CreateNew(const Caller& caller, const SandboxSpec& spec,
                                const std::string& idempotency_key, const std::string& digest);
  // Waits for an image that is pulled for it, where the rules of pulls say so.
  Result<templates::Template> FindTemplate(const Caller& caller, const SandboxSpec& spec,
                                           const ManagerOptions& options);
  // kPermissionDenied and the like of one that would be refused, before anything is done for it.
  Result<void> CheckWouldBeMade(const Caller& caller, const SandboxSpec& named,
                                const ManagerOptions& options);
  // The same with the packages of the spec, where it asks for some.
  Result<templates::Template> AddPackages(const Caller& caller, templates::Template base,
                                          SandboxSpec& named, const ManagerOptions& options);
  Result<void> Obtain(Making& making);
  Result<bool> ObtainFromPool(Making& making);
  Result<void> ObtainFromEngine(Making& making);
  Result<engine::Mount> ProjectMount(const Making& making) const;
  Result<void> AdmitCold(const Making& making);
  Result<void> OpenNetwork(Making& making);
  Result<void> Promise(Making& making, const std::string& idempotency_key,
                       const std::string& digest);

  Core& core_;
  Pools& pools_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<Key> keys_;
  size_t under_way_ = 0;
  bool draining_ = false;
};

}  // namespace cay::sandbox
