#include "sandbox/network/network_keeper.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "sandbox/network/engine_sockets.h"
#include "sandbox/network/network_entry.h"

namespace cay::sandbox {
namespace {

// Flows are asked for at most so often, however many there are: the relay keeps as many as come in
// that time.
constexpr Millis kPace{100};
// How often what could not be opened is tried again.
constexpr Millis kTryAgain{2000};
constexpr Millis kFirstBackoff{20};
// A relay that is killed ends a moment later, and its networks with it: that of this server, or of
// the one before.
constexpr Millis kRelayEnds{100};
constexpr Millis kOldRelayEnds{2000};
constexpr Millis kOldRelayLook{10};

Result<void> Permitted(const network::Terms& terms) {
  TRY(network::Policy::Compile(terms.spec, terms.bounds));
  return {};
}

}  // namespace

NetworkKeeper::NetworkKeeper(engine::Engine& engine, EventLog& events, SecretKeeper& secrets,
                             NetworkOptions options, RelaySource relays)
    : engine_(engine),
      events_(events),
      secrets_(secrets),
      extra_ca_(std::move(options.extra_ca)),
      cache_(options.cache > 0),
      cache_shared_(options.cache_shared),
      supply_(std::move(relays),
              [this](const std::weak_ptr<ServedRelay>& relay, const network::DialRequest& request) {
                OnDial(relay, request);
              }),
      doors_(
          [&engine](const SandboxId& id, uint16_t port) { return AskForPort(engine, id, port); },
          {.pass = [this](const Publisher& publisher, const Visitor& visitor, const Fd& outside,
                          const Fd& inside) { return PassOn(publisher, visitor, outside, inside); },
           .refused = [this](const Publisher& publisher, const Visitor& visitor,
                             const Error& why) { TurnAway(publisher, visitor, why); },
           .told =
               [this](const Publisher& publisher, const PublishedStanding& standing) {
                 TellUnpublished(publisher, standing);
               }}),
      bounds_(std::move(options.bounds)),
      secrets_mark_(secrets.Mark()) {
  supply_.SetGreeting({.resolvers = std::move(options.resolvers),
                       .proxy = std::move(options.proxy),
                       .no_proxy = std::move(options.no_proxy),
                       .cache_bytes = options.cache});
  doors_.Permit(std::move(options.publish_addresses));
  secrets_.OnChange(
      [this](const std::string& owner, const std::string& name) { SecretsChanged(owner, name); });
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

Result<void> NetworkKeeper::StartThread() {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down"));
  }
  if (!wake_) wake_ = TRY(Wakeup::Make());
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  return {};
}

Result<NetworkKeeper::Served> NetworkKeeper::GetRelay() {
  Served relay = TRY(supply_.Get());
  TRY(StartThread());
  return relay;
}

Result<network::Sockets> NetworkKeeper::OpenSockets(Entry& entry) {
  if (entry.made) {
    MadeNetwork made = *std::exchange(entry.made, std::nullopt);
    network::Sockets sockets = SocketsOf(std::move(made.sockets));
    sockets.guest = std::move(made.guest);
    return sockets;
  }
  const bool is_first = entry.terms.version == 0;
  const auto until = Clock::now() + (is_first ? kOldRelayEnds : kRelayEnds);
  while (true) {
    auto opened = engine_.OpenNetwork(entry.id);
    if (opened) return SocketsOf(*std::move(opened));
    const bool may_pass = opened.error().code() == ErrorCode::kIllegalState;
    if (!may_pass || Clock::now() >= until) return Failure(std::move(opened).error());
    std::this_thread::sleep_for(kOldRelayLook);
  }
}

// So the names that a relay gave before it was taken over come to be known, too.
Result<void> NetworkKeeper::SetTerms(ServedRelay& relay, Entry& entry,
                                     const network::Terms& terms) {
  entry.names = TRY(relay.link.SetTerms(entry.id, terms));
  return {};
}

Result<void> NetworkKeeper::OpenAt(ServedRelay& relay, Entry& entry, const network::Terms& terms) {
  TRY(GiveAuthority(relay, terms));
  network::Sockets sockets = TRY(OpenSockets(entry));
  // Without it, its network does not outlive this server.
  if (!sockets.guest) {
    if (auto guest = engine_.Watch(entry.id)) sockets.guest = *std::move(guest);
  }
  if (entry.names) sockets.names = TRY(entry.names->Duplicate());
  entry.steering = sockets.steering;
  entry.names = TRY(relay.link.Open(entry.id, terms, std::move(sockets)));
  entry.relay = relay.number;
  entry.known = entry.told_flow = 0;
  return {};
}

// With none that serves it. A relay that has just ended is replaced once.
Result<void> NetworkKeeper::OpenAnew(Entry& entry, const network::Terms& terms) {
  TRY(Permitted(terms));
  for (bool again = true;; again = false) {
    const Served relay = TRY(GetRelay());
    auto opened = OpenAt(*relay, entry, terms);
    if (opened || !RelaySupply::HasEnded(opened.error())) return opened;
    supply_.Drop(*relay);
    if (!again) return opened;
  }
}

Result<void> NetworkKeeper::ApplyFilled(Entry& entry, const network::Terms& terms) {
  Result<void> done = Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "no relay"));
  const Served relay = ServerOf(entry);
  if (relay) {
    done = GiveAuthority(*relay, terms);
    if (done) done = SetTerms(*relay, entry, terms);
    if (!done && RelaySupply::HasEnded(done.error())) supply_.Drop(*relay);
  }
  if (!ServerOf(entry)) {
    Detach(entry);
    done = entry.paused ? Permitted(terms) : OpenAnew(entry, terms);
  }
  return done;
}

// The entry's terms have secrets without their values, which are read when a relay is to have them.
Result<void> NetworkKeeper::GiveTerms(Entry& entry, network::Terms terms) {
  terms.version = entry.terms.version + 1;
  terms.peers = PeersOf(entry.id);
  network::Terms filled = terms;
  filled.secrets = TRY(secrets_.ValuesOf(entry.owner, terms.secrets));
  auto done = ApplyFilled(entry, filled);
  WipeValues(filled.secrets);
  if (done) {
    entry.terms = std::move(terms);
    entry.problem.clear();
  }
  return done;
}

Result<void> NetworkKeeper::OpenAs(Opening opening, const SandboxId& id, const std::string& owner,
                                   const NetworkSpec& spec, std::optional<MadeNetwork> made) {
  if (spec.none()) {
    Close(id);
    return {};
  }
  const auto entry = FindOrMake(id, owner);
  const std::lock_guard lock(entry->mutex);
  entry->paused = opening == Opening::kPaused;
  entry->made = std::move(made);
  network::Terms terms = TermsOf(owner, spec);
  if (opening == Opening::kPlain) terms.cache_owner.clear();
  auto applied = Apply(*entry, std::move(terms));
  entry->made.reset();
  if (applied) entry->wanted = true;
  return applied;
}

Result<void> NetworkKeeper::Open(const SandboxId& id, const std::string& owner,
                                 const NetworkSpec& spec, std::optional<MadeNetwork> made) {
  return OpenAs(Opening::kUsual, id, owner, spec, std::move(made));
}

Result<void> NetworkKeeper::OpenPlain(const SandboxId& id, const std::string& owner,
                                      const NetworkSpec& spec, MadeNetwork made) {
  return OpenAs(Opening::kPlain, id, owner, spec, std::move(made));
}

Result<void> NetworkKeeper::OpenPaused(const SandboxId& id, const std::string& owner,
                                       const NetworkSpec& spec) {
  return OpenAs(Opening::kPaused, id, owner, spec, std::nullopt);
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
    const uint64_t version = entry->terms.version;
    entry->terms = TermsOf(owner, spec);
    entry->terms.version = version;
    entry->problem = opened.error().message();
  }
  TRY(StartThread());
  return opened;
}

void NetworkKeeper::Pause(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return;
  const std::lock_guard lock(entry->mutex);
  entry->paused = true;
}

Result<void> NetworkKeeper::Resume(const SandboxId& id) {
  const auto entry = Find(id);
  if (!entry) return {};
  const std::lock_guard lock(entry->mutex);
  entry->paused = false;
  if (!entry->wanted || ServerOf(*entry)) return {};
  auto opened = Apply(*entry, entry->terms);
  if (!opened) entry->paused = true;
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
  entry->wanted = entry->paused = false;
  entry->problem.clear();
  Detach(*entry);
  entry->names.reset();
}

void NetworkKeeper::Forget(const SandboxId& id) {
  Close(id);
  doors_.Unpublish(id);
  ForgetPublished(id);
  std::set<SandboxId> around;
  {
    const std::lock_guard lock(mutex_);
    entries_.erase(id);
    around = neighbours_.Remove(id);
  }
  TellPeers(around);
}

Result<network::Checked> NetworkKeeper::Check(const SandboxId& id, const NetworkSpec& spec,
                                              const std::string& host, uint16_t port) {
  if (auto peer = CheckPeer(id, host)) return *std::move(peer);
  return supply_.Check({.terms = {.spec = spec.policy, .bounds = bounds(), .limits = spec.limits},
                        .host = host,
                        .port = port});
}

void NetworkKeeper::Reconfigure(const NetworkOptions& options) {
  doors_.Permit(options.publish_addresses);
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
    ApplyOrClose(*entry, terms);
    entry->terms.bounds = options.bounds;
  }
}

void NetworkKeeper::Rest(Millis time) {
  pollfd poller{.fd = wake_->fd(), .events = POLLIN, .revents = 0};
  ::poll(&poller, 1, static_cast<int>(time.count()));
}

// Opens what is wanted and not served.
void NetworkKeeper::OpenWanted() {
  for (const auto& entry : All()) {
    const std::lock_guard lock(entry->mutex);
    if (!entry->wanted || entry->paused || ServerOf(*entry)) continue;
    const auto applied = Apply(*entry, entry->terms);
    if (applied) continue;
    const Error& error = applied.error();
    if (entry->problem != error.message())
      LogWarning("the network of sandbox " + entry->id.text() + ": " + error.ToString());
    entry->problem = error.message();
    // Without a relay the others fare no better; without secrets that can be read they do.
    const bool of_relay = entry->terms.secrets.empty() && error.fault() == Fault::kMachine;
    if (!supply_.Current() && of_relay) return;
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
    LookAtSecrets();
    OpenWanted();
    const Served relay = supply_.Current();
    if (!relay) {
      Rest(kTryAgain);
    } else if (Serve(*relay)) {
      backoff = Millis(0);
    } else {
      // One that ends at once each time costs no more than a process now and then.
      Rest(backoff);
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
  doors_.Stop();
  supply_.End();
}

}  // namespace cay::sandbox
