// What the keeper of networks is told by relays, and tells.
#include <algorithm>
#include <utility>

#include "json/json_writer.h"
#include "sandbox/network/network_entry.h"

namespace cay::sandbox {
namespace {

// Of one pull. A relay keeps no more flows than these rounds bring.
constexpr size_t kMostRounds = 16;

uint64_t Grown(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

bool IsRefused(const network::Flow& flow) { return flow.verdict != network::Verdict::kAllowed; }

}  // namespace

// What the relay has and the entry has not.
void NetworkKeeper::Pull(Entry& entry) {
  for (size_t round = 0; round < kMostRounds; ++round) {
    const Served relay = ServerOf(entry);
    if (!relay) return;
    auto got = relay->link.FlowsAfter(entry.id, entry.known);
    if (!got) {
      if (RelaySupply::HasEnded(got.error())) supply_.Drop(*relay);
      return;
    }
    Count(entry, got->counts);
    if (got->flows.empty() || got->first <= entry.known) return;
    entry.flows.Skip(got->first - entry.known - 1);
    entry.known = got->first + got->flows.size() - 1;
    for (network::Flow& flow : got->flows) Note(entry, std::move(flow));
    if (entry.known >= got->last) return;
  }
}

void NetworkKeeper::Count(Entry& entry, const network::NetworkCounts& counts) {
  const network::NetworkCounts& before = entry.counts;
  {
    const std::lock_guard lock(mutex_);
    totals_.connections += Grown(before.connections, counts.connections);
    totals_.denied += Grown(before.denied, counts.denied);
    totals_.failed += Grown(before.failed, counts.failed);
    totals_.sent += Grown(before.sent, counts.sent);
    totals_.received += Grown(before.received, counts.received);
  }
  entry.counts = counts;
}

void NetworkKeeper::Note(Entry& entry, network::Flow flow) {
  if (flow.verdict == network::Verdict::kDenied) Tell(entry, flow);
  entry.flows.Add(std::move(flow));
}

void NetworkKeeper::Tell(Entry& entry, const network::Flow& flow) {
  constexpr std::chrono::seconds kSecond{1};
  const Clock::time_point now = Clock::now();
  if (now - entry.second >= kSecond) {
    entry.second = now;
    entry.told = 0;
  }
  if (entry.told >= kEventsPerSecond) {
    entry.untold += flow.times;
    return;
  }
  ++entry.told;
  JsonWriter data;
  data.BeginObject()
      .Member("name", flow.name)
      .Member("address", flow.address)
      .Member("port", uint64_t{flow.port})
      .Member("reason", flow.reason)
      .Member("rule", flow.rule)
      .Member("times", uint64_t{flow.times})
      .Member("untold_before", std::exchange(entry.untold, 0))
      .EndObject();
  events_.Append({.type = "sandbox.network_denied",
                  .sandbox = entry.id.text(),
                  .owner = entry.owner,
                  .reason = flow.reason,
                  .data = std::move(data).Take()});
}

NetworkStanding NetworkKeeper::Look(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return {};
  const std::lock_guard lock(entry->mutex);
  Pull(*entry);
  NetworkStanding standing{.wanted = entry->wanted,
                           .served = ServerOf(*entry) != nullptr,
                           .problem = entry->problem,
                           .counts = Sum(entry->before, entry->counts)};
  if (standing.served) standing.steering = entry->steering;
  if (standing.wanted && !standing.served && standing.problem.empty())
    standing.problem = entry->paused ? "it is opened when the sandbox is resumed"
                                     : "the network relay has ended; another is being started";
  return standing;
}

FlowPage NetworkKeeper::FlowsAfter(const SandboxId& id, uint64_t number, size_t limit) {
  const auto entry = Find(id);
  if (!entry) return {.next = number};
  const std::lock_guard lock(entry->mutex);
  Pull(*entry);
  return entry->flows.After(number, limit);
}

std::optional<uint64_t> NetworkKeeper::NewestFlow(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return std::nullopt;
  const std::lock_guard lock(entry->mutex);
  Pull(*entry);
  return entry->flows.last();
}

DeniedFlows NetworkKeeper::DeniedAfter(const SandboxId& id, uint64_t number) {
  DeniedFlows denied;
  for (NumberedFlow& one : FlowsAfter(id, number, FlowRing::kKept).flows) {
    if (!IsRefused(one.flow)) continue;
    if (denied.flows.size() < DeniedFlows::kMost) {
      denied.flows.push_back(std::move(one.flow));
    } else {
      denied.more += one.flow.times;
    }
  }
  return denied;
}

NetworkMetrics NetworkKeeper::Metrics() {
  uint64_t served = 0;
  uint64_t open = 0;
  for (const auto& entry : All()) {
    const std::lock_guard lock(entry->mutex);
    Pull(*entry);
    if (!ServerOf(*entry)) continue;
    ++served;
    open += entry->counts.open;
  }
  network::CacheCounts cache;
  if (const Served relay = cache_ ? supply_.Current() : nullptr)
    cache = relay->link.Cache().value_or(network::CacheCounts());
  const std::lock_guard lock(mutex_);
  NetworkMetrics metrics = totals_;
  metrics.networks = served;
  metrics.open = open;
  metrics.relay_restarts = supply_.lost();
  metrics.cache = cache;
  return metrics;
}

}  // namespace cay::sandbox
