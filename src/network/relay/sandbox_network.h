// SandboxNetwork: the network of one sandbox as the relay serves it: its sockets (engine's
// NetworkSockets), its policy, its names, its connections, its counts.
//
// A new policy is in force at once: connections that it does not allow are ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "network/link/counts.h"
#include "network/link/flow.h"
#include "network/link/limits.h"
#include "network/link/messages.h"
#include "network/link/sockets.h"
#include "network/names/dns_service.h"
#include "network/names/name_book.h"
#include "network/names/name_table.h"
#include "network/names/peer_names.h"
#include "network/names/pinned_names.h"
#include "network/policy/policy.h"
#include "network/relay/connection.h"
#include "network/transfer/token_bucket.h"

namespace cay::network {

// What it may do, ready for use.
struct CompiledTerms {
  static Result<CompiledTerms> Of(const Terms& terms);

  Policy policy;
  DnsMode dns = DnsMode::kNames;
  PeerNames peers;
  NetworkLimits limits;
  std::string cache_owner;
};

class SandboxNetwork final : private Connection::Owner {
 public:
  using Told = std::function<void(Flow flow)>;

  // Serves from now on, with the names that a relay before gave. `told` hears of each flow when it
  // is over.
  static Result<std::unique_ptr<SandboxNetwork>> Open(const RelayParts& parts, std::string sandbox,
                                                      Sockets sockets, CompiledTerms terms,
                                                      Told told);
  ~SandboxNetwork();
  SandboxNetwork(const SandboxNetwork&) = delete;
  SandboxNetwork& operator=(const SandboxNetwork&) = delete;

  // Null: none.
  void SetCredentials(std::shared_ptr<const Credentials> credentials) {
    credentials_ = std::move(credentials);
  }
  void SetTerms(CompiledTerms terms);
  const NetworkCounts& counts() const { return counts_; }
  Steering steering() const { return sockets_.steering; }
  // Where its names stand as well; null: there is none.
  const Fd* names() const { return book_ ? &book_->file() : nullptr; }

 private:
  class Listener;

  SandboxNetwork(const RelayParts& parts, std::string sandbox, Sockets sockets, CompiledTerms terms,
                 Told told);
  void KeepNames(std::optional<Fd> before);
  Result<void> UseBook(std::shared_ptr<NameBook> book);
  Result<void> Watch();
  void Accept(const Fd& listener);
  void Accepted(Fd client);
  Result<Destination> DestinationOf(const Fd& client);
  void NamePinned(Destination& destination);
  bool IsReal(const std::string& name) const;
  void AskForReal(uint64_t number, const OpenQuestion& question);
  void AnswerAddresses(uint64_t number, const OpenQuestion& question,
                       const Result<std::vector<Address>>& addresses);
  void AnswerRecords(uint64_t number, RecordType type, const Result<DnsAnswer>& answer);
  void DenyConnection(const Destination& destination, std::string reason);
  void Tell(Flow flow);

  const Policy& policy() const override { return policy_; }
  std::shared_ptr<const Credentials> credentials() const override { return credentials_; }
  std::string PeerOf(const std::string& name) const override;
  PeerDials::Ticket DialPeer(const std::string& peer, uint16_t port, PeerDials::Done done) override;
  std::string CacheOwner(const std::string& name) const override {
    return past_cache_.contains(name) ? std::string() : cache_owner_;
  }
  void PassCacheBy(const std::string& name) override;
  Millis idle_limit() const override { return std::chrono::seconds(limits_.idle_seconds); }
  uint64_t Allowance() override;
  void Spent(uint64_t sent, uint64_t received) override;
  void Over(Connection& connection, Flow flow) override;
  void ResumePaused();
  bool Exhausted() const;
  void EndAll(const std::string& reason);

  const RelayParts& parts_;
  const std::string sandbox_;
  Sockets sockets_;
  Policy policy_;
  DnsMode dns_mode_;
  PeerNames peers_;
  NetworkLimits limits_;
  std::shared_ptr<const Credentials> credentials_;
  std::string cache_owner_;
  std::set<std::string> past_cache_;  // names for which a program did not take a certificate
  Told told_;
  NetworkCounts counts_;
  std::shared_ptr<NameBook> book_;
  NameTable names_;
  PinnedNames pinned_;
  std::unordered_map<uint64_t, Resolver::Ticket> questions_;  // by their numbers
  TokenBucket accepts_;
  TokenBucket bandwidth_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::optional<DnsService> dns_;
  Deadline resume_;
  Deadline listen_again_;
};

}  // namespace cay::network
