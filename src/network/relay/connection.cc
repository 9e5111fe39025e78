#include "network/relay/connection.h"

#include <sys/socket.h>

#include <array>

#include "base/clock.h"
#include "network/transfer/reset.h"
#include "network/wire/client_hello.h"

namespace cay::network {
namespace {

// Pipes come back when others have sent theirs on.
constexpr Millis kRetry{20};

Millis Since(EventLoop::Clock::time_point began) {
  return std::chrono::duration_cast<Millis>(EventLoop::Clock::now() - began);
}

// The socket is ready when it has more than `bytes`, or has ended.
void WakeBeyond(const Fd& socket, size_t bytes) {
  const int low = static_cast<int>(bytes + 1);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
}

}  // namespace

class Connection::End final : public EventLoop::Handler {
 public:
  End(Connection& connection, Side side) : connection_(connection), side_(side) {}
  void OnReady(uint32_t events) override { connection_.OnReady(side_, events); }

 private:
  Connection& connection_;
  const Side side_;
};

Connection::Connection(const RelayParts& parts, Owner& owner, Fd client, Destination destination)
    : parts_(parts),
      owner_(owner),
      client_(std::move(client)),
      destination_(std::move(destination)),
      began_unix_ms_(UnixMs()),
      client_end_(std::make_unique<End>(*this, Side::kClient)),
      upstream_end_(std::make_unique<End>(*this, Side::kUpstream)),
      up_(parts.pipes),
      down_(parts.pipes),
      first_bytes_(parts.deadlines,
                   [this] {
                     Deny("its first bytes did not come whole within " +
                          FormatDuration(kFirstBytesPatience));
                   }),
      idle_(parts.deadlines, [this] { OnIdle(); }),
      look_again_(parts.deadlines,
                  [this] {
                    Await(*client_, *client_end_, client_events_ | AwaitedOfClient(),
                          client_events_);
                  }),
      retry_(parts.deadlines, [this] { Relay(); }) {}

Connection::~Connection() {
  if (!over_) Abandon();
}

// Before anything is known of where a name leads to.
Decision Connection::Decide() const {
  const Policy& policy = owner_.policy();
  if (IsHostName(destination_.name)) return policy.OfHost(destination_.port);
  if (!destination_.name.empty()) return policy.OfConnection(destination_.name, destination_.port);
  return policy.OfAddress({}, destination_.address, destination_.port,
                          parts_.machine.IsOwn(destination_.address));
}

void Connection::Begin() {
  peer_ = owner_.PeerOf(destination_.name);
  if (!peer_.empty()) return BeginToPeer();
  const Decision decision = Decide();
  rule_ = decision.rule;
  if (!decision.allowed) {
    const Address* literal = destination_.name.empty() ? &destination_.address : nullptr;
    Finish(Verdict::kDenied, Explain(decision, destination_.name, literal), decision.rule, true);
    return;
  }
  if (auto secrets = owner_.credentials();
      secrets && secrets->Covers(destination_.name, destination_.port))
    covered_ = std::move(secrets);
  ConsiderCache();
  if (!Await(*client_, *client_end_, AwaitedOfClient(), client_events_)) return;
  idle_.Set(owner_.idle_limit());
  if (!cache_use_) Resolve();
}

// What it sends is between the two, and nothing is held against it.
void Connection::BeginToPeer() {
  rule_ = "peer " + peer_;
  judged_ = true;
  idle_.Set(owner_.idle_limit());
  peer_dial_ = owner_.DialPeer(peer_, destination_.port, [this](Result<Fd> socket) {
    if (over_) return;
    if (!socket) return Finish(Verdict::kFailed, socket.error().message(), rule_, true);
    upstream_ = *std::move(socket);
    Relay();
  });
}

void Connection::Resolve() {
  if (IsHostName(destination_.name)) {
    Dial(MachineAddresses::Loopback());
  } else if (parts_.proxy == nullptr) {
    ResolveItself();
  } else if (const auto literal = Address::Parse(parts_.proxy->proxy.host)) {
    OfProxy(std::vector<Address>{*literal});
  } else {
    resolving_ = parts_.resolver.Resolve(
        parts_.proxy->proxy.host,
        [this](Result<std::vector<Address>> addresses) { OfProxy(std::move(addresses)); });
  }
}

// What is connected to without the proxy is, whether the proxy is there or not.
void Connection::OfProxy(Result<std::vector<Address>> addresses) {
  const ProxyPlan& plan = *parts_.proxy;
  if (addresses) proxy_addresses_ = *addresses;
  if (plan.Leads(destination_.name, destination_.address, proxy_addresses_)) {
    rule_.clear();
    NoServer(Verdict::kDenied, std::string(kIsTheProxy));
    return;
  }
  if (!plan.Through(destination_.name, destination_.address, destination_.port))
    return ResolveItself();
  proxied_ = true;
  if (!addresses) {
    NoServer(Verdict::kFailed, "through " + plan.proxy.Text() + ": " + addresses.error().message());
    return;
  }
  proxy_dialer_ = std::make_unique<ProxyDialer>(
      parts_.loop, parts_.deadlines, plan.proxy, *addresses,
      destination_.name.empty() ? destination_.address.Text() : destination_.name,
      destination_.port, [this](Result<Dialer::Dialled> dialled) { Dialled(std::move(dialled)); });
  proxy_dialer_->Start();
}

void Connection::ResolveItself() {
  if (destination_.name.empty() || destination_.pinned) {
    Dial(std::vector<Address>{destination_.address});
  } else {
    resolving_ = parts_.resolver.Resolve(
        destination_.name,
        [this](Result<std::vector<Address>> addresses) { Dial(std::move(addresses)); });
  }
}

// Each is asked about after it is resolved, and exactly these are dialled.
Result<std::vector<Address>> Connection::Permitted(const std::vector<Address>& addresses) {
  std::vector<Address> permitted;
  std::optional<Error> refused;
  for (const Address& address : addresses) {
    if (parts_.proxy != nullptr && parts_.proxy->Leads({}, address, proxy_addresses_)) {
      refused = Error(ErrorCode::kPermissionDenied, Fault::kCaller, std::string(kIsTheProxy));
      continue;
    }
    const Decision decision = owner_.policy().OfAddress(
        destination_.name, address, destination_.port, parts_.machine.IsOwn(address));
    if (decision.allowed) {
      permitted.push_back(address);
    } else if (!refused) {
      refused = Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                      Explain(decision, destination_.name, &address));
    }
  }
  if (permitted.empty() && refused) return Failure(*std::move(refused));
  return permitted;
}

void Connection::Dial(Result<std::vector<Address>> addresses) {
  if (!addresses) {
    NoServer(Verdict::kFailed, addresses.error().message());
    return;
  }
  const auto permitted = Permitted(*addresses);
  if (!permitted) {
    NoServer(Verdict::kDenied, permitted.error().message());
    return;
  }
  dialer_.emplace(parts_.loop, parts_.deadlines, *permitted, destination_.port,
                  [this](Result<Dialer::Dialled> dialled) { Dialled(std::move(dialled)); });
  dialer_->Start();
}

void Connection::Dialled(Result<Dialer::Dialled> dialled) {
  dialer_.reset();
  proxy_dialer_.reset();
  if (!dialled) {
    NoServer(Verdict::kFailed, dialled.error().message());
    return;
  }
  dialled_ = dialled->address;
  upstream_ = std::move(dialled->socket);
  Relay();
}

// Of a descriptor that is watched a hang-up is told whether it was asked for or not, again and
// again: so one of which nothing is awaited is not watched.
bool Connection::Await(const Fd& socket, End& end, uint32_t events, uint32_t& now) {
  if (events == now) return true;
  const uint32_t before = std::exchange(now, events);
  if (events == 0) {
    parts_.loop.Forget(socket.get());
  } else if (before != 0) {
    parts_.loop.Change(socket.get(), events);
  } else if (const auto watched = parts_.loop.Watch(socket.get(), events, end); !watched) {
    Finish(Verdict::kFailed, watched.error().message(), {}, true);
    return false;
  }
  return true;
}

void Connection::OnReady(Side side, uint32_t events) {
  if (over_) return;
  // It may be ready for bytes of the server alone.
  const bool tells = (events & ~uint32_t{EPOLLOUT}) != 0;
  if (side == Side::kClient && !judged_ && tells) {
    Judge((events & (EPOLLRDHUP | EPOLLHUP)) != 0);
    if (over_) return;
  }
  if (upstream_ || interception_ || (cache_use_ && judged_)) {
    Relay();
  } else {
    Await(*client_, *client_end_, AwaitedOfClient(), client_events_);
  }
}

// Its first bytes, unless there is a pause between two looks at them.
uint32_t Connection::AwaitedOfClient() const {
  return !judged_ && !look_again_.set() ? uint32_t{EPOLLIN | EPOLLRDHUP} : 0U;
}

// `ended`: there is no more than what is there.
void Connection::Judge(bool ended) {
  std::array<char, kMaxPeek + 1> space;
  const ssize_t got = ::recv(client_->get(), space.data(), space.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) {
    Finish(Verdict::kAllowed, "the sandbox's end was reset", rule_, true);
    return;
  }
  const size_t count = static_cast<size_t>(got);
  FirstBytesVerdict verdict =
      JudgeFirstBytes(owner_.policy(), destination_, {space.data(), count}, ended || count == 0);
  if (auto refused = RefuseForSecrets(verdict, {space.data(), count}))
    verdict = *std::move(refused);
  switch (verdict.kind) {
    case FirstBytesVerdict::Kind::kMore:
      WakeBeyond(*client_, count);
      if (!first_bytes_.set()) first_bytes_.Set(kFirstBytesPatience);
      if (++looks_ > kQuickLooks) look_again_.Set(kLookPause);
      return;
    case FirstBytesVerdict::Kind::kRefuse:
      Refuse(verdict);
      return;
    case FirstBytesVerdict::Kind::kPass:
      break;
  }
  first_bytes_.Clear();
  look_again_.Clear();
  if (looks_ > 0) WakeBeyond(*client_, 0);
  judged_ = true;
  seen_name_ = verdict.seen_name;
  if (cache_use_) UseCacheOrNot(verdict);
}

uint64_t Connection::Sent() const { return interception_ ? interception_->sent() : up_.bytes(); }
uint64_t Connection::Received() const {
  return interception_ ? interception_->received() : down_.bytes();
}

void Connection::Relay() {
  if (covered_ || cache_use_) {
    if (judged_) Intercept();
    return;
  }
  const uint64_t sent = up_.bytes();
  const uint64_t received = down_.bytes();
  const uint64_t allowance = owner_.Allowance();
  paused_ = allowance == 0;
  if (!paused_) {
    Result<void> moved = judged_ ? up_.Move(*client_, *upstream_, allowance) : Result<void>();
    if (moved) moved = down_.Move(*upstream_, *client_, allowance);
    owner_.Spent(up_.bytes() - sent, down_.bytes() - received);
    if (over_) return;
    if (!moved) {
      Finish(Verdict::kAllowed, "it was reset: " + moved.error().message(), rule_, true);
      return;
    }
  }
  if (up_.over() && down_.over()) {
    Finish(Verdict::kAllowed, {}, rule_, false);
    return;
  }
  Arm();
}

void Connection::Arm() {
  uint32_t client = AwaitedOfClient();
  uint32_t upstream = 0;
  if (!paused_) {
    if (judged_ && up_.wants_source()) client |= EPOLLIN;
    if (up_.wants_target()) upstream |= EPOLLOUT;
    if (down_.wants_source()) upstream |= EPOLLIN;
    if (down_.wants_target()) client |= EPOLLOUT;
  }
  if (up_.starved() || down_.starved()) retry_.Set(kRetry);
  if (!Await(*client_, *client_end_, client, client_events_)) return;
  Await(*upstream_, *upstream_end_, upstream, upstream_events_);
}

void Connection::Reconsider() {
  if (over_) return;
  if (!peer_.empty()) {
    if (owner_.PeerOf(destination_.name) != peer_)
      Deny("the policy was changed: " + destination_.name + " is not the name of that sandbox now");
    return;
  }
  Decision decision = Decide();
  if (decision.allowed && upstream_ && !proxied_) {
    decision = owner_.policy().OfAddress(destination_.name, dialled_, destination_.port,
                                         parts_.machine.IsOwn(dialled_));
  }
  const auto secrets = owner_.credentials();
  if (decision.allowed && covered_ && !(secrets && *secrets == *covered_))
    return Deny("the secrets of the sandbox were changed");
  if (!decision.allowed)
    Deny("the policy was changed: " + Explain(decision, destination_.name, nullptr));
}

void Connection::OnIdle() {
  const uint64_t moved = Sent() + Received();
  if (moved == moved_ && !paused_) {
    Deny("nothing was sent for " + FormatDuration(owner_.idle_limit()));
    return;
  }
  moved_ = moved;
  idle_.Set(owner_.idle_limit());
}

void Connection::Resume() {
  if (paused_ && (upstream_ || interception_) && !over_) Relay();
}

void Connection::Deny(std::string reason) {
  if (!over_) Finish(Verdict::kDenied, std::move(reason), rule_, true);
}

void Connection::Refuse(const FirstBytesVerdict& verdict) {
  seen_name_ = verdict.seen_name;
  if (verdict.http) AnswerInWords(verdict.reason);
  Finish(Verdict::kDenied, verdict.reason, verdict.rule, !verdict.http);
}

// As far as the socket takes it at once: a client that does not read hears nothing.
void Connection::AnswerInWords(const std::string& reason) {
  DrainSocket(*client_);
  const std::string response = DeniedResponse(reason);
  (void)!::send(client_->get(), response.data(), response.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Connection::Abandon() {
  over_ = true;
  first_bytes_.Clear();
  look_again_.Clear();
  idle_.Clear();
  retry_.Clear();
  resolving_.Cancel();
  peer_dial_.Cancel();
  dialer_.reset();
  proxy_dialer_.reset();
  for (std::optional<Fd>* socket : {&client_, &upstream_}) {
    if (!*socket) continue;
    parts_.loop.Forget((*socket)->get());
    ResetOnClose(**socket);
    socket->reset();
  }
}

void Connection::Finish(Verdict verdict, std::string reason, std::string rule, bool reset) {
  over_ = true;
  first_bytes_.Clear();
  look_again_.Clear();
  idle_.Clear();
  retry_.Clear();
  resolving_.Cancel();
  dialer_.reset();
  proxy_dialer_.reset();
  peer_dial_.Cancel();
  Flow flow{.time_unix_ms = began_unix_ms_,
            .duration_ms = static_cast<uint32_t>(Since(began_).count()),
            .name = destination_.name.empty() ? seen_name_ : destination_.name,
            .address = {},
            .port = destination_.port,
            .verdict = verdict,
            .reason = std::move(reason),
            .rule = std::move(rule),
            .sent = Sent(),
            .received = Received(),
            .proxied = proxied_,
            .cached = interception_ && interception_->from_cache() > 0};
  interception_.reset();
  if (upstream_ && !proxied_ && peer_.empty()) {
    flow.address = dialled_.Text();
  } else if (destination_.name.empty()) {
    flow.address = destination_.address.Text();
  }
  if (client_) {
    parts_.loop.Forget(client_->get());
    if (reset) ResetOnClose(*client_);
    client_.reset();
  }
  if (upstream_) {
    parts_.loop.Forget(upstream_->get());
    if (reset) ResetOnClose(*upstream_);
    upstream_.reset();
  }
  owner_.Over(*this, std::move(flow));
}

}  // namespace cay::network
