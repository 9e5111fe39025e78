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

// What programs of the sandbox wanted, and did not get.
bool IsRefused(const network::Flow& flow) {
  return flow.verdict != network::Verdict::kAllowed && !flow.inbound;
}

}  // namespace

// What the relay has and the entry has not, once Pull has returned.
void NetworkKeeper::Pull(Entry& entry) {
  PullInbound(entry);
  if (const Served relay = ServerOf(entry))
    PullFrom(*relay, entry, {.known = entry.known, .counts = entry.counts});
}

void NetworkKeeper::PullFrom(ServedRelay& relay, Entry& entry, const Source& source) {
  for (size_t round = 0; round < kMostRounds; ++round) {
    auto got = relay.link.FlowsAfter(entry.id, source.known, source.inbound);
    if (!got) {
      if (RelaySupply::HasEnded(got.error())) supply_.Drop(relay);
      return;
    }
    if (source.inbound) Leave(source.counts, got->counts);
    Count(source.counts, got->counts);
    if (got->flows.empty() || got->first <= source.known) return;
    entry.flows.Skip(got->first - source.known - 1);
    source.known = got->first - 1;
    for (network::Flow& flow : got->flows) {
      ++source.known;
      Note(entry, std::move(flow), source.inbound || source.known > entry.told_flow);
    }
    if (source.known >= got->last) return;
  }
}

void NetworkKeeper::Count(network::NetworkCounts& before, const network::NetworkCounts& counts) {
  {
    const std::lock_guard lock(mutex_);
    totals_.connections += Grown(before.connections, counts.connections);
    totals_.denied += Grown(before.denied, counts.denied);
    totals_.failed += Grown(before.failed, counts.failed);
    totals_.sent += Grown(before.sent, counts.sent);
    totals_.received += Grown(before.received, counts.received);
  }
  before = counts;
}

void NetworkKeeper::Note(Entry& entry, network::Flow flow, bool is_new) {
  const bool is_told = is_new && !flow.inbound && flow.verdict == network::Verdict::kDenied;
  if (is_told) Tell(entry, flow);
  entry.flows.Add(std::move(flow));
  entry.told_more.notify_all();
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
                           .counts = entry->Totals()};
  if (standing.served) standing.steering = entry->steering;
  if (standing.wanted && !standing.served && standing.problem.empty())
    standing.problem = entry->paused ? "it is opened when the sandbox is resumed"
                                     : "the network relay has ended; another is being started";
  return standing;
}

FlowPage NetworkKeeper::FlowsAfter(const SandboxId& id, uint64_t number, size_t limit) {
  const auto entry = Find(id);
  if (!entry) return {.from = number, .next = number};
  const std::lock_guard lock(entry->mutex);
  Pull(*entry);
  return entry->flows.After(number, limit);
}

// The keeper's thread pulls what the relay has news of.
FlowPage NetworkKeeper::AwaitFlows(const SandboxId& id, uint64_t number, size_t limit,
                                   Millis patience) {
  const auto entry = Find(id);
  if (!entry) return {.from = number, .next = number};
  std::unique_lock lock(entry->mutex);
  Pull(*entry);
  FlowPage page;
  const auto is_there = [&] {
    TakeTurnedAway(*entry);
    page = entry->flows.After(number, limit);
    return !page.flows.empty();
  };
  entry->told_more.wait_for(lock, patience, is_there);
  return page;
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
    open += entry->counts.open + entry->inbound_counts.open;
    if (ServerOf(*entry)) ++served;
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
