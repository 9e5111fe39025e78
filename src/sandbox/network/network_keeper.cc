#include "sandbox/network/network_keeper.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "base/os/reap.h"
#include "json/json_writer.h"
#include "sandbox/network/engine_sockets.h"

namespace cay::sandbox {
namespace {

// Flows are asked for at most so often, however many there are: the relay keeps as many as come in
// that time.
constexpr Millis kPace{100};
// How often what could not be opened is tried again.
constexpr Millis kTryAgain{2000};
constexpr Millis kFirstBackoff{20};
// The relay of a server that was killed ends a moment later, and its networks with it.
constexpr Millis kOldRelayPatience{2000};
constexpr Millis kOldRelayLook{10};
// Of one pull. A relay keeps no more flows than these rounds bring.
constexpr size_t kMostRounds = 16;

network::NetworkCounts Sum(network::NetworkCounts a, const network::NetworkCounts& b) {
  a.connections += b.connections;
  a.denied += b.denied;
  a.failed += b.failed;
  a.sent += b.sent;
  a.received += b.received;
  a.open = b.open;
  return a;
}

uint64_t Grown(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

bool IsRefused(const network::Flow& flow) { return flow.verdict != network::Verdict::kAllowed; }

}  // namespace

struct NetworkKeeper::Entry {
  Entry(SandboxId its_id, std::string its_owner)
      : id(std::move(its_id)),
        owner(std::move(its_owner)),
        flows(static_cast<uint64_t>(std::max<int64_t>(UnixMs(), 0))) {}

  const SandboxId id;
  const std::string owner;

  std::mutex mutex;     // over a whole opening, change or closing
  bool wanted = false;  // terms are not for "none"
  network::Terms terms{};
  uint64_t relay = 0;  // the number of the one that serves it; 0: none
  network::Steering steering = network::Steering::kLookup;
  std::string problem{};
  FlowRing flows;
  uint64_t known = 0;               // of the relay's flows
  network::NetworkCounts before{};  // of relays before
  network::NetworkCounts counts{};  // of this one
  // Events within a second.
  Clock::time_point second{};
  uint32_t told = 0;
  uint64_t untold = 0;
};

NetworkKeeper::NetworkKeeper(engine::Engine& engine, EventLog& events, NetworkOptions options,
                             RelaySupply::Start start)
    : engine_(engine),
      events_(events),
      supply_(std::move(start)),
      bounds_(std::move(options.bounds)) {
  supply_.SetGreeting({.resolvers = std::move(options.resolvers),
                       .proxy = std::move(options.proxy),
                       .no_proxy = std::move(options.no_proxy)});
}

std::shared_ptr<NetworkKeeper::Entry> NetworkKeeper::Find(const SandboxId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second;
}

std::shared_ptr<NetworkKeeper::Entry> NetworkKeeper::FindOrMake(const SandboxId& id,
                                                                const std::string& owner) {
  const std::lock_guard lock(mutex_);
  auto& entry = entries_[id];
  if (!entry) entry = std::make_shared<Entry>(id, owner);
  return entry;
}

std::vector<std::shared_ptr<NetworkKeeper::Entry>> NetworkKeeper::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Entry>> all;
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) all.push_back(entry);
  return all;
}

network::Bounds NetworkKeeper::bounds() const {
  const std::lock_guard lock(mutex_);
  return bounds_;
}

NetworkKeeper::Served NetworkKeeper::ServerOf(const Entry& entry) const {
  Served relay = supply_.Current();
  return relay && relay->number == entry.relay ? relay : nullptr;
}

Result<NetworkKeeper::Served> NetworkKeeper::GetRelay() {
  Served relay = TRY(supply_.Get());
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down"));
  }
  if (!wake_) wake_ = TRY(Wakeup::Make());
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  return relay;
}

Result<network::Sockets> NetworkKeeper::OpenSockets(const SandboxId& id) {
  const auto until = Clock::now() + kOldRelayPatience;
  while (true) {
    auto opened = engine_.OpenNetwork(id);
    if (opened) return SocketsOf(*std::move(opened));
    const bool may_pass = opened.error().code() == ErrorCode::kIllegalState;
    if (!may_pass || Clock::now() >= until) return Failure(std::move(opened).error());
    std::this_thread::sleep_for(kOldRelayLook);
  }
}

Result<void> NetworkKeeper::OpenAt(ServedRelay& relay, Entry& entry, const network::Terms& terms) {
  network::Sockets sockets = TRY(OpenSockets(entry.id));
  entry.steering = sockets.steering;
  TRY(relay.link.Open(entry.id, terms, std::move(sockets)));
  entry.relay = relay.number;
  entry.known = 0;
  return {};
}

// With none that serves it. A relay that has just ended is replaced once.
Result<void> NetworkKeeper::OpenAnew(Entry& entry, const network::Terms& terms) {
  TRY(network::Policy::Compile(terms.spec, terms.bounds));
  for (bool again = true;; again = false) {
    const Served relay = TRY(GetRelay());
    auto opened = OpenAt(*relay, entry, terms);
    if (opened || !RelaySupply::HasEnded(opened.error())) return opened;
    supply_.Drop(*relay);
    if (!again) return opened;
  }
}

Result<void> NetworkKeeper::Apply(Entry& entry, network::Terms terms) {
  terms.version = entry.terms.version + 1;
  Result<void> done = Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "no relay"));
  const Served relay = ServerOf(entry);
  if (relay) {
    done = relay->link.SetTerms(entry.id, terms);
    if (!done && RelaySupply::HasEnded(done.error())) supply_.Drop(*relay);
  }
  if (!ServerOf(entry)) {
    Detach(entry);
    done = OpenAnew(entry, terms);
  }
  if (done) {
    entry.terms = std::move(terms);
    entry.problem.clear();
  }
  return done;
}

Result<void> NetworkKeeper::Open(const SandboxId& id, const std::string& owner,
                                 const NetworkSpec& spec) {
  if (spec.none()) {
    Close(id);
    return {};
  }
  const auto entry = FindOrMake(id, owner);
  const std::lock_guard lock(entry->mutex);
  TRY(Apply(*entry, {.spec = spec.policy, .bounds = bounds(), .limits = spec.limits}));
  entry->wanted = true;
  return {};
}

Result<void> NetworkKeeper::Want(const SandboxId& id, const std::string& owner,
                                 const NetworkSpec& spec) {
  auto opened = Open(id, owner, spec);
  if (opened) return opened;
  const auto entry = FindOrMake(id, owner);
  {
    const std::lock_guard lock(entry->mutex);
    Detach(*entry);
    entry->wanted = true;
    entry->terms.spec = spec.policy;
    entry->terms.bounds = bounds();
    entry->terms.limits = spec.limits;
    entry->problem = opened.error().message();
  }
  // The thread goes on trying, if there can be one.
  const std::lock_guard lock(mutex_);
  if (stopping_) return opened;
  if (!wake_) wake_ = TRY(Wakeup::Make());
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  return opened;
}

// Nothing serves it afterwards.
void NetworkKeeper::Detach(Entry& entry) {
  if (entry.relay == 0) return;
  Pull(entry);
  if (const Served relay = ServerOf(entry)) {
    const auto closed = relay->link.Close(entry.id);
    // What cannot be closed ends with the relay.
    if (!closed && closed.error().code() != ErrorCode::kNotFound) supply_.Drop(*relay);
  }
  entry.relay = 0;
  entry.before = Sum(entry.before, entry.counts);
  entry.before.open = 0;
  entry.counts = {};
}

void NetworkKeeper::Close(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return;
  const std::lock_guard lock(entry->mutex);
  entry->wanted = false;
  entry->problem.clear();
  Detach(*entry);
}

void NetworkKeeper::Forget(const SandboxId& id) {
  Close(id);
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

Result<network::Checked> NetworkKeeper::Check(const NetworkSpec& spec, const std::string& host,
                                              uint16_t port) {
  return supply_.Check({.terms = {.spec = spec.policy, .bounds = bounds(), .limits = spec.limits},
                        .host = host,
                        .port = port});
}

void NetworkKeeper::Reconfigure(const NetworkOptions& options) {
  {
    const std::lock_guard lock(mutex_);
    if (bounds_ == options.bounds) return;
    bounds_ = options.bounds;
  }
  for (const auto& entry : All()) {
    const std::lock_guard lock(entry->mutex);
    if (!entry->wanted) continue;
    network::Terms terms = entry->terms;
    terms.bounds = options.bounds;
    const auto applied = Apply(*entry, terms);
    if (applied) continue;
    Detach(*entry);
    entry->terms.bounds = options.bounds;
    entry->problem = applied.error().message();
    LogWarning("the network of sandbox " + entry->id.text() +
               " is closed: " + applied.error().ToString());
  }
}

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
    standing.problem = "the network relay has ended; another is being started";
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
  const std::lock_guard lock(mutex_);
  NetworkMetrics metrics = totals_;
  metrics.networks = served;
  metrics.open = open;
  metrics.relay_restarts = supply_.lost();
  return metrics;
}

void NetworkKeeper::Pause(Millis time) {
  pollfd poller{.fd = wake_->fd(), .events = POLLIN, .revents = 0};
  ::poll(&poller, 1, static_cast<int>(time.count()));
}

// Opens what is wanted and not served.
void NetworkKeeper::OpenWanted() {
  for (const auto& entry : All()) {
    const std::lock_guard lock(entry->mutex);
    if (!entry->wanted || ServerOf(*entry)) continue;
    const auto applied = Apply(*entry, entry->terms);
    if (applied) continue;
    const Error& error = applied.error();
    if (entry->problem != error.message())
      LogWarning("the network of sandbox " + entry->id.text() + ": " + error.ToString());
    entry->problem = error.message();
    // Without a relay the others fare no better.
    if (!supply_.Current() && error.fault() == Fault::kMachine) return;
  }
}

void NetworkKeeper::PullNews() {
  const Clock::time_point now = Clock::now();
  if (news_.empty() || now < next_pull_) return;
  next_pull_ = now + kPace;
  for (const std::string& text : std::exchange(news_, {})) {
    const auto id = SandboxId::Parse(text);
    const auto entry = id ? Find(*id) : nullptr;
    if (!entry) continue;
    const std::lock_guard lock(entry->mutex);
    Pull(*entry);
  }
}

// Until the relay has ended (false), or it is time to look at all networks.
bool NetworkKeeper::Serve(ServedRelay& relay) {
  const Clock::time_point until = Clock::now() + kTryAgain;
  while (Clock::now() < until) {
    const Clock::time_point next = news_.empty() ? until : std::min(until, next_pull_);
    const auto patience = std::chrono::ceil<Millis>(next - Clock::now());
    auto news = relay.link.AwaitNews(wake_->fd(), std::max(patience, Millis(0)));
    if (!news) {
      supply_.Drop(relay);
      return false;
    }
    news_.merge(*news);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return true;
    }
    PullNews();
  }
  return true;
}

void NetworkKeeper::Run() {
  Millis backoff{0};
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    ReapStrays();
    OpenWanted();
    const Served relay = supply_.Current();
    if (!relay) {
      Pause(kTryAgain);
    } else if (Serve(*relay)) {
      backoff = Millis(0);
    } else {
      // One that ends at once each time costs no more than a process now and then.
      Pause(backoff);
      backoff = std::clamp(backoff * 2, kFirstBackoff, kTryAgain);
    }
  }
}

void NetworkKeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (wake_) wake_->Raise();
  }
  if (thread_.joinable()) thread_.join();
  supply_.End();
}

}  // namespace cay::sandbox
