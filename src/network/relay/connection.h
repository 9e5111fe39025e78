// Connection: one that a sandbox's program has made, from its acceptance to its end:
//
//   decided by the policy → its name is resolved → dialled → relayed
//   decided by the policy → its name is given to the proxy, which dials → relayed
//                                                      or, to a secret's host, intercepted
//
// one to a host whose answers a package cache keeps is intercepted first, and its name resolved and
// dialled when there is something to ask it:
//
// one to a peer, whose name comes before the policy:
//
//   the controller is asked for a socket that leads there → relayed
//
// and beside that, from its first byte on, its first bytes are judged (first_bytes.h): nothing that
// the program sends is passed on before. What is refused ends in a reset, and in a line of the flow
// log; a request in the clear on port 80 is answered in words.
//
// It belongs to its SandboxNetwork, which it tells when it is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "network/intercept/interception.h"
#include "network/link/flow.h"
#include "network/policy/policy.h"
#include "network/relay/first_bytes.h"
#include "network/relay/peer_dials.h"
#include "network/resolver/resolver.h"
#include "network/transfer/deadlines.h"
#include "network/transfer/dialer.h"
#include "network/transfer/lane.h"
#include "network/transfer/machine_addresses.h"
#include "network/transfer/proxy_dialer.h"

namespace cay::network {

// What all connections of a relay share.
struct RelayParts {
  EventLoop& loop;
  Deadlines& deadlines;
  Resolver& resolver;
  PipePool& pipes;
  MachineAddresses& machine;
  PeerDials& peers;
  Interceptor* interceptor = nullptr;  // null: none has come yet
  const ProxyPlan* proxy = nullptr;    // null: there is none
  CacheDirectory* cache = nullptr;     // null: there is none
};

class Connection final : public EventLoop::Object {
 public:
  // Of the whole first bytes, once there is one.
  static constexpr Millis kFirstBytesPatience{10'000};
  // Each look reads them all again: after so many there is a pause between one and the next.
  static constexpr int kQuickLooks = 4;
  static constexpr Millis kLookPause{10};

  // What it asks of its sandbox's network.
  class Owner {
   public:
    virtual const Policy& policy() const = 0;
    virtual std::shared_ptr<const Credentials> credentials() const = 0;
    // The sandbox that has this name here; empty: none has.
    virtual std::string PeerOf(const std::string& name) const = 0;
    virtual PeerDials::Ticket DialPeer(const std::string& peer, uint16_t port,
                                       PeerDials::Done done) = 0;
    virtual Millis idle_limit() const = 0;
    // Whose requests to this place see each other's answers; empty: they pass the cache by.
    virtual std::string CacheOwner(const std::string& name) const = 0;
    // A program of this sandbox did not take a certificate for this name.
    virtual void PassCacheBy(const std::string& name) = 0;
    // How many bytes may be relayed now; 0: wait until Connection::Resume is called.
    virtual uint64_t Allowance() = 0;
    virtual void Spent(uint64_t sent, uint64_t received) = 0;
    // It is over, and is to be disposed of. The last thing that a connection does.
    virtual void Over(Connection& connection, Flow flow) = 0;

   protected:
    ~Owner() = default;
  };

  Connection(const RelayParts& parts, Owner& owner, Fd client, Destination destination);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Begin();
  // The policy has changed: it goes on if that allows it still.
  void Reconsider();
  // There is an allowance again.
  void Resume();
  // Ends it without a word to its owner, who goes.
  void Abandon();
  // Ends it, for a reason of its owner's.
  void Deny(std::string reason);

 private:
  enum class Side : uint8_t { kClient, kUpstream };
  class End;  // a handler of one side's events

  void BeginToPeer();
  void Resolve();
  void ResolveItself();
  void OfProxy(Result<std::vector<Address>> addresses);
  void Dial(Result<std::vector<Address>> addresses);
  Result<std::vector<Address>> Permitted(const std::vector<Address>& addresses);
  void Dialled(Result<Dialer::Dialled> dialled);
  Decision Decide() const;
  bool Await(const Fd& socket, End& end, uint32_t events, uint32_t& now);
  void OnReady(Side side, uint32_t events);
  uint32_t AwaitedOfClient() const;
  void Judge(bool ended);
  std::optional<FirstBytesVerdict> RefuseForSecrets(const FirstBytesVerdict& verdict,
                                                    std::string_view bytes) const;
  void NoServer(Verdict verdict, std::string reason);
  void Relay();
  void ConsiderCache();
  void UseCacheOrNot(const FirstBytesVerdict& verdict);
  Result<void> BeginInterception();
  void Intercept();
  void EndInterception();
  void Arm();
  uint64_t Sent() const;
  uint64_t Received() const;
  void OnIdle();
  void Refuse(const FirstBytesVerdict& verdict);
  void AnswerInWords(const std::string& reason);
  void Finish(Verdict verdict, std::string reason, std::string rule, bool reset);

  const RelayParts& parts_;
  Owner& owner_;
  std::optional<Fd> client_;
  std::optional<Fd> upstream_;
  Destination destination_;
  Address dialled_;
  std::string rule_;
  const EventLoop::Clock::time_point began_ = EventLoop::Clock::now();
  const int64_t began_unix_ms_;

  std::unique_ptr<End> client_end_;
  std::unique_ptr<End> upstream_end_;
  uint32_t client_events_ = 0;  // that are awaited
  uint32_t upstream_events_ = 0;
  std::string peer_;  // the sandbox to which it leads; empty: none
  PeerDials::Ticket peer_dial_;
  Resolver::Ticket resolving_;
  std::optional<Dialer> dialer_;
  std::unique_ptr<ProxyDialer> proxy_dialer_;
  bool proxied_ = false;
  std::vector<Address> proxy_addresses_;  // what leads to them is refused
  bool judged_ = false;
  int looks_ = 0;
  std::string seen_name_;
  Lane up_;
  Lane down_;
  std::shared_ptr<const Credentials> covered_;  // by these; null: it is not intercepted
  std::optional<CacheUse> cache_use_;           // none: it passes the cache by
  bool asked_for_server_ = false;               // the interception did
  bool server_is_there_ = false;                // and knows of it
  std::unique_ptr<Interception> interception_;
  bool paused_ = false;  // for want of an allowance
  bool over_ = false;
  uint64_t moved_ = 0;  // at the last look for idleness
  Deadline first_bytes_;
  Deadline idle_;
  Deadline look_again_;
  Deadline retry_;
};

}  // namespace cay::network
