#include "network/relay/sandbox_network.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "network/transfer/dialer.h"
#include "network/transfer/reset.h"

namespace cay::network {
namespace {

constexpr uint16_t kDnsPort = 53;
constexpr int kAcceptsAtOnce = 64;
constexpr Millis kListenAgain{100};  // after there was no descriptor to be had
constexpr Millis kResume{20};
// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, of headers that do not go with netinet/in.h.
constexpr int kOriginalDestination = 80;

std::string OverBytes(const NetworkLimits& limits) {
  return "over the limit of " + FormatBytes(limits.bytes) + " in all";
}

uint64_t BurstOf(uint64_t per_second) { return per_second + per_second / 4 + 1; }

}  // namespace

class SandboxNetwork::Listener final : public EventLoop::Handler {
 public:
  Listener(SandboxNetwork& network, const Fd& socket) : network_(network), socket_(socket) {}
  ~Listener() override { network_.parts_.loop.Forget(socket_.get()); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  Result<void> Begin() { return network_.parts_.loop.Watch(socket_.get(), EPOLLIN, *this); }
  void Listen(bool on) { network_.parts_.loop.Change(socket_.get(), on ? uint32_t{EPOLLIN} : 0U); }
  void OnReady(uint32_t /*events*/) override { network_.Accept(socket_); }

 private:
  SandboxNetwork& network_;
  const Fd& socket_;
};

Result<CompiledTerms> CompiledTerms::Of(const Terms& terms) {
  CompiledTerms compiled{.policy = TRY(Policy::Compile(terms.spec, terms.bounds)),
                         .dns = terms.spec.dns,
                         .peers = {},
                         .limits = terms.limits,
                         .cache_owner = terms.cache_owner};
  for (const Peer& peer : terms.peers) compiled.peers.emplace(peer.name, peer.sandbox);
  return compiled;
}

SandboxNetwork::SandboxNetwork(const RelayParts& parts, std::string sandbox, Sockets sockets,
                               CompiledTerms terms, Told told)
    : parts_(parts),
      sandbox_(std::move(sandbox)),
      sockets_(std::move(sockets)),
      policy_(std::move(terms.policy)),
      dns_mode_(terms.dns),
      peers_(std::move(terms.peers)),
      limits_(terms.limits),
      cache_owner_(std::move(terms.cache_owner)),
      told_(std::move(told)),
      accepts_(limits_.connections_per_second, 2 * uint64_t{limits_.connections_per_second},
               TokenBucket::Clock::now()),
      bandwidth_(limits_.bytes_per_second, BurstOf(limits_.bytes_per_second),
                 TokenBucket::Clock::now()),
      resume_(parts.deadlines, [this] { ResumePaused(); }),
      listen_again_(parts.deadlines, [this] {
        for (const auto& listener : listeners_) listener->Listen(true);
      }) {}

SandboxNetwork::~SandboxNetwork() {
  for (auto& [key, connection] : connections_) {
    connection->Abandon();
    parts_.loop.Dispose(std::move(connection));
  }
}

Result<std::unique_ptr<SandboxNetwork>> SandboxNetwork::Open(const RelayParts& parts,
                                                             std::string sandbox, Sockets sockets,
                                                             CompiledTerms terms, Told told) {
  std::unique_ptr<SandboxNetwork> network(new SandboxNetwork(
      parts, std::move(sandbox), std::move(sockets), std::move(terms), std::move(told)));
  network->KeepNames(std::exchange(network->sockets_.names, std::nullopt));
  TRY(network->Watch());
  return network;
}

Result<void> SandboxNetwork::UseBook(std::shared_ptr<NameBook> book) {
  const auto now = NameTable::Clock::now();
  NameTable names = TRY(NameTable::In(book, now));
  pinned_ = TRY(PinnedNames::In(book, now));
  names_ = std::move(names);
  book_ = std::move(book);
  return {};
}

// Without a book they end with this relay, and all else is as it is with one.
void SandboxNetwork::KeepNames(std::optional<Fd> before) {
  const auto use = [this](Result<std::shared_ptr<NameBook>> book, const char* what) {
    const Result<void> used =
        book ? UseBook(*std::move(book)) : Result<void>(Failure(book.error()));
    if (!used) LogWarning("the sandbox " + sandbox_ + what + used.error().ToString());
    return used.has_value();
  };
  if (before && use(NameBook::Adopt(*std::move(before)), " loses the names that it was given: "))
    return;
  use(NameBook::Make(), " keeps no names for the next relay: ");
}

Result<void> SandboxNetwork::Watch() {
  const auto denied = [this](const std::string& name, const Decision& why) {
    Tell({.time_unix_ms = UnixMs(),
          .name = name,
          .verdict = Verdict::kDenied,
          .reason = Explain(why, name, nullptr),
          .rule = why.rule});
  };
  dns_.emplace(
      parts_.loop, parts_.deadlines,
      DnsResponder(
          {.policy = policy_, .peers = peers_, .names = names_, .pinned = pinned_},
          [this](const std::string& name) { return IsReal(name); }, denied),
      [this](uint64_t number, const OpenQuestion& question) { AskForReal(number, question); });
  for (const auto* socket : {&sockets_.dns_udp_v4, &sockets_.dns_udp_v6}) {
    if (*socket) TRY(dns_->ServeDatagrams(**socket));
  }
  for (const auto* socket : {&sockets_.tcp_v4, &sockets_.tcp_v6}) {
    if (!*socket) continue;
    listeners_.push_back(std::make_unique<Listener>(*this, **socket));
    TRY(listeners_.back()->Begin());
  }
  return {};
}

void SandboxNetwork::Accept(const Fd& listener) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    const int raw = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (raw >= 0) {
      Accepted(Fd::Adopt(raw));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      for (const auto& each : listeners_) each->Listen(false);
      listen_again_.Set(kListenAgain);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

// As the program meant it. With lookup it is the accepted socket's own address.
Result<Destination> SandboxNetwork::DestinationOf(const Fd& client) {
  sockaddr_storage space{};
  socklen_t size = sizeof space;
  if (::getsockname(client.get(), reinterpret_cast<sockaddr*>(&space), &size) < 0)
    return Failure(Error::FromErrno("getsockname"));
  if (sockets_.steering == Steering::kRedirect) {
    const bool v4 = space.ss_family == AF_INET;
    size = sizeof space;
    if (::getsockopt(client.get(), v4 ? SOL_IP : SOL_IPV6, kOriginalDestination, &space, &size) < 0)
      return Failure(Error::FromErrno("the listener of the network itself was asked"));
  }
  const Address address = AddressOf(space);
  Destination destination{.name = names_.NameOf(address, NameTable::Clock::now()),
                          .address = address,
                          .port = PortOf(space)};
  if (destination.name.empty()) NamePinned(destination);
  return destination;
}

void SandboxNetwork::Accepted(Fd client) {
  ++counts_.connections;
  auto destination = DestinationOf(client);
  if (!destination) {
    ResetOnClose(client);
    DenyConnection({}, destination.error().message());
    return;
  }
  if (destination->port == kDnsPort) {
    dns_->ServeStream(std::move(client));
    return;
  }
  const int on = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto refuse = [&](std::string reason) {
    ResetOnClose(client);
    DenyConnection(*destination, std::move(reason));
  };
  if (destination->name.empty() && NameTable::IsSynthetic(destination->address))
    return refuse("no name has this address any more: it must be asked for again");
  if (Exhausted()) return refuse(OverBytes(limits_));
  if (connections_.size() >= limits_.connections)
    return refuse("over the limit of " + std::to_string(limits_.connections) +
                  " connections at a time");
  if (accepts_.Left(TokenBucket::Clock::now()) == 0)
    return refuse("over the limit of " + std::to_string(limits_.connections_per_second) +
                  " new connections a second");
  accepts_.Spend(1);
  Connection::Owner& owner = *this;
  auto connection =
      std::make_unique<Connection>(parts_, owner, std::move(client), *std::move(destination));
  Connection& begun = *connection;
  connections_.emplace(&begun, std::move(connection));
  ++counts_.open;
  begun.Begin();
}

void SandboxNetwork::DenyConnection(const Destination& destination, std::string reason) {
  const bool literal = destination.name.empty() && destination.port != 0;
  Tell({.time_unix_ms = UnixMs(),
        .name = destination.name,
        .address = literal ? destination.address.Text() : std::string(),
        .port = destination.port,
        .verdict = Verdict::kDenied,
        .reason = std::move(reason)});
}

void SandboxNetwork::Tell(Flow flow) {
  if (flow.verdict == Verdict::kDenied) ++counts_.denied;
  if (flow.verdict == Verdict::kFailed) ++counts_.failed;
  told_(std::move(flow));
}

bool SandboxNetwork::Exhausted() const {
  return limits_.bytes > 0 && counts_.sent + counts_.received >= limits_.bytes;
}

uint64_t SandboxNetwork::Allowance() {
  const uint64_t left = bandwidth_.Left(TokenBucket::Clock::now());
  if (left == 0 && !resume_.set()) resume_.Set(kResume);
  if (limits_.bytes == 0) return left;
  return std::min(left, limits_.bytes - std::min(limits_.bytes, counts_.sent + counts_.received));
}

void SandboxNetwork::Spent(uint64_t sent, uint64_t received) {
  counts_.sent += sent;
  counts_.received += received;
  bandwidth_.Spend(sent + received);
  if (Exhausted()) EndAll(OverBytes(limits_));
}

void SandboxNetwork::ResumePaused() {
  std::vector<Connection*> all;
  for (const auto& [key, connection] : connections_) all.push_back(key);
  for (Connection* connection : all) {
    if (connections_.contains(connection)) connection->Resume();
  }
}

void SandboxNetwork::EndAll(const std::string& reason) {
  std::vector<Connection*> all;
  for (const auto& [key, connection] : connections_) all.push_back(key);
  for (Connection* connection : all) connection->Deny(reason);
}

void SandboxNetwork::Over(Connection& connection, Flow flow) {
  const auto found = connections_.find(&connection);
  parts_.loop.Dispose(std::move(found->second));
  connections_.erase(found);
  --counts_.open;
  Tell(std::move(flow));
}

std::string SandboxNetwork::PeerOf(const std::string& name) const {
  const auto found = peers_.find(name);
  return found == peers_.end() ? std::string() : found->second;
}

PeerDials::Ticket SandboxNetwork::DialPeer(const std::string& peer, uint16_t port,
                                           PeerDials::Done done) {
  return parts_.peers.Dial(sandbox_, peer, port, std::move(done));
}

// Programs try again, and then what they trust is asked. The names are those of presets; of names
// below a wildcard there could be any number.
void SandboxNetwork::PassCacheBy(const std::string& name) {
  constexpr size_t kMostNames = 64;
  if (past_cache_.size() < kMostNames) past_cache_.insert(name);
}

void SandboxNetwork::SetTerms(CompiledTerms terms) {
  policy_ = std::move(terms.policy);
  dns_mode_ = terms.dns;
  peers_ = std::move(terms.peers);
  cache_owner_ = std::move(terms.cache_owner);
  const NetworkLimits& limits = terms.limits;
  const auto now = TokenBucket::Clock::now();
  if (limits.connections_per_second != limits_.connections_per_second) {
    accepts_ = TokenBucket(limits.connections_per_second,
                           2 * uint64_t{limits.connections_per_second}, now);
  }
  if (limits.bytes_per_second != limits_.bytes_per_second) {
    bandwidth_ = TokenBucket(limits.bytes_per_second, BurstOf(limits.bytes_per_second), now);
  }
  limits_ = limits;
  std::vector<Connection*> all;
  for (const auto& [key, connection] : connections_) all.push_back(key);
  for (Connection* connection : all) connection->Reconsider();
  if (Exhausted()) EndAll(OverBytes(limits_));
  ResumePaused();
}

}  // namespace cay::network
