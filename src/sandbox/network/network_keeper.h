// NetworkKeeper: the networks of a server's sandboxes. One relay serves all of them
// (network/relay/). It is started with the first sandbox that has a network; where there is none
// there is no process, no thread and nothing to remember.
//
//   TRY(networks.Open(id, owner, spec));        // it runs: before anybody is told so
//   TRY(networks.Open(id, owner, other_spec));  // other terms, for connections from now on
//   networks.Pause(id); TRY(networks.Resume(id));
//   networks.Close(id);                         // it does not run any more; its flows are still told
//   networks.Forget(id);                        // it is gone
//
// When the relay ends the kernel refuses connections, and so it does while nothing serves them; a
// thread starts another relay and opens every network anew, with the newest terms, and with the
// names that programs were given by the one before. What a relay was not asked for before it ended
// is not told.
//
// When the server ends the relay goes on, and the next server takes it over:
//
//   networks.TakeOver();          // first of all; what the relay has is served as it was …
//   … Want, OpenPaused …          // … until it gets the newest terms, connections and flows as they are
//   networks.EndTakeOver();       // what nobody wanted is closed
//
// A paused sandbox keeps what is open; what is not is opened when it is resumed.
//
// What changes a network: with the sandbox's transition held. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/os/wakeup.h"
#include "engine/engine.h"
#include "sandbox/events/event_log.h"
#include "sandbox/metrics.h"
#include "sandbox/network/doors.h"
#include "sandbox/network/neighbours.h"
#include "sandbox/network/network_report.h"
#include "sandbox/network/relay_supply.h"
#include "sandbox/options.h"
#include "sandbox/secrets/secret_keeper.h"

namespace cay::sandbox {

// The network of a sandbox that was created with it (engine::Created::network), and its guest.
struct MadeNetwork {
  engine::NetworkSockets sockets;
  std::optional<Fd> guest;  // what Watch gives
};

class NetworkKeeper {
 public:
  // Of "sandbox.network_denied": so many of a sandbox within a second; the next event says how many
  // there were beside them.
  static constexpr uint32_t kEventsPerSecond = 5;

  NetworkKeeper(engine::Engine& engine, EventLog& events, SecretKeeper& secrets,
                NetworkOptions options, RelaySource relays);
  ~NetworkKeeper() { Stop(); }
  NetworkKeeper(const NetworkKeeper&) = delete;
  NetworkKeeper& operator=(const NetworkKeeper&) = delete;

  void TakeOver();
  void EndTakeOver();

  // What others reach of it, while it is known here: its names in the networks that it has joined,
  // and its published ports. The rules of those, with the ports that were chosen; kAlreadyExists
  // for one that is taken. On error a part may be done: it is settled again as it was, or dropped.
  Result<std::vector<std::string>> Settle(const SandboxId& id, const std::string& owner,
                                          const std::string& name, const NetworkSpec& spec);
  // The same; what cannot be listened on is told, and tried again.
  void Resettle(const SandboxId& id, const std::string& owner, const std::string& name,
                const NetworkSpec& spec);

  // Whose network is open already gets these terms; mode "none" closes it. On error all is as
  // before. `made`: of a sandbox that was created with its network.
  Result<void> Open(const SandboxId& id, const std::string& owner, const NetworkSpec& spec,
                    std::optional<MadeNetwork> made = std::nullopt);
  // The same of a sandbox whose programs do not trust this server's authority: no connection is
  // intercepted, for secrets (of which it has none) or for what is kept of registries.
  Result<void> OpenPlain(const SandboxId& id, const std::string& owner, const NetworkSpec& spec,
                         MadeNetwork made);
  // As Open; on error the network is wanted nevertheless, and is tried again until it is closed.
  Result<void> Want(const SandboxId& id, const std::string& owner, const NetworkSpec& spec);
  // The same of one that is paused.
  Result<void> OpenPaused(const SandboxId& id, const std::string& owner, const NetworkSpec& spec);
  void Pause(const SandboxId& id);
  Result<void> Resume(const SandboxId& id);
  void Close(const SandboxId& id);
  void Forget(const SandboxId& id);

  // The administrator's bounds, for what is open as well. A network that they do not allow any more
  // is closed, and opened again when they do.
  void Reconfigure(const NetworkOptions& options);

  // Whether connections of a sandbox with this network may be intercepted, so that it must trust
  // the server's authority.
  bool Intercepts(const NetworkSpec& spec) const;

  // The values that relays have of it are the kept ones from here on, or none. Empty: of all.
  void SecretsChanged(const std::string& owner, const std::string& name);

  NetworkStanding Look(const SandboxId& id);
  // What would become of a connection of a sandbox with this network, whether it runs or not.
  // kResourceExhausted, of the machine: too many are asked about at this moment.
  Result<network::Checked> Check(const SandboxId& id, const NetworkSpec& spec,
                                 const std::string& host, uint16_t port);
  std::vector<network::Peer> PeersOf(const SandboxId& id) const;
  std::vector<PublishedStanding> Published(const SandboxId& id) { return doors_.Look(id); }
  FlowPage FlowsAfter(const SandboxId& id, uint64_t number, size_t limit);
  // The same, and where there are none waits for one. At once of one that never had a network.
  FlowPage AwaitFlows(const SandboxId& id, uint64_t number, size_t limit, Millis patience);
  // The number of the newest flow; nothing: it never had a network.
  std::optional<uint64_t> NewestFlow(const SandboxId& id);
  DeniedFlows DeniedAfter(const SandboxId& id, uint64_t number);
  NetworkMetrics Metrics();

  // Ends the thread. The relay goes on, if it outlives its server.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  // How often it is asked whether the authority has become another: it lives for years.
  static constexpr std::chrono::hours kRenewalPace{1};
  struct Entry;
  using Served = std::shared_ptr<ServedRelay>;

  std::shared_ptr<Entry> Find(const SandboxId& id) const;
  std::shared_ptr<Entry> FindOrMake(const SandboxId& id, const std::string& owner);
  std::vector<std::shared_ptr<Entry>> All() const;
  network::Bounds bounds() const;

  Result<std::set<SandboxId>> Place(const SandboxId& id, const std::string& owner,
                                    const std::string& name, const NetworkSpec& spec);
  std::optional<network::Checked> CheckPeer(const SandboxId& id, std::string_view host) const;
  void TellPeers(const std::set<SandboxId>& ids);
  // Of a relay: with its link's lock.
  void OnDial(const std::weak_ptr<ServedRelay>& relay, const network::DialRequest& request);
  Result<void> PassOn(const Publisher& publisher, const Visitor& visitor, const Fd& outside,
                      const Fd& inside);
  void TurnAway(const Publisher& publisher, const Visitor& visitor, const Error& why);
  void ForgetPublished(const SandboxId& id);
  void NotePublished(const SandboxId& id, const std::string& owner, const NetworkSpec& spec);
  void TellUnpublished(const Publisher& publisher, const PublishedStanding& standing);

  enum class Opening : uint8_t { kUsual, kPaused, kPlain };
  Result<void> OpenAs(Opening opening, const SandboxId& id, const std::string& owner,
                      const NetworkSpec& spec, std::optional<MadeNetwork> made);
  Result<void> StartThread();

  // With the entry's lock.
  Result<void> Apply(Entry& entry, network::Terms terms);
  network::Terms TermsOf(const std::string& owner, const NetworkSpec& spec) const;
  bool Inherit(Entry& entry);
  Result<void> GiveTerms(Entry& entry, network::Terms terms);
  Result<void> ApplyFilled(Entry& entry, const network::Terms& terms);
  void ApplyOrClose(Entry& entry, const network::Terms& terms);
  Result<void> GiveAuthority(ServedRelay& relay, const network::Terms& terms);
  Result<void> OpenAnew(Entry& entry, const network::Terms& terms);
  static Result<void> SetTerms(ServedRelay& relay, Entry& entry, const network::Terms& terms);
  Result<void> OpenAt(ServedRelay& relay, Entry& entry, const network::Terms& terms);
  Result<network::Sockets> OpenSockets(Entry& entry);
  void Detach(Entry& entry);
  Served ServerOf(const Entry& entry) const;  // null: none
  void Pull(Entry& entry);
  void PullInbound(Entry& entry);
  void TakeTurnedAway(Entry& entry);
  struct Source;
  void PullFrom(ServedRelay& relay, Entry& entry, const Source& source);
  void Note(Entry& entry, network::Flow flow, bool is_new);
  void Count(network::NetworkCounts& before, const network::NetworkCounts& counts);
  void Tell(Entry& entry, const network::Flow& flow);

  Result<Served> GetRelay();
  void Run();
  void LookAtSecrets();
  void OpenWanted();
  bool Serve(ServedRelay& relay);
  void PullNews();
  void Rest(Millis time);

  engine::Engine& engine_;
  EventLog& events_;
  SecretKeeper& secrets_;
  const std::vector<std::string> extra_ca_;
  const bool cache_;
  const bool cache_shared_;
  RelaySupply supply_;
  Doors doors_;

  mutable std::mutex mutex_;
  std::map<SandboxId, std::shared_ptr<Entry>> entries_;
  network::Bounds bounds_;
  Neighbours neighbours_;
  NetworkMetrics totals_{};
  std::optional<Wakeup> wake_;
  bool stopping_ = false;
  std::thread thread_;

  // The thread's.
  std::set<std::string> news_;
  Clock::time_point next_pull_{};
  uint64_t secrets_mark_;
  Clock::time_point next_renewal_ = Clock::now() + kRenewalPace;
};

}  // namespace cay::sandbox
