#include "network/relay/relay.h"

#include <poll.h>
#include <sys/resource.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/os/log.h"

namespace cay::network {
namespace {

// A pipe has two descriptors, a connection two sockets beside those.
size_t MostPipes() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return 64;
  return static_cast<size_t>(std::clamp<rlim_t>(limit.rlim_cur / 8, 16, 2048));
}

// The order of OpenRequest::sockets.
std::array<std::optional<Fd>*, 7> InOrder(Sockets& sockets) {
  return {&sockets.tcp_v4, &sockets.tcp_v6, &sockets.dns_udp_v4, &sockets.dns_udp_v6,
          &sockets.hold,   &sockets.guest,  &sockets.names};
}

// A pidfd is readable when its process has ended.
bool HasEnded(const std::optional<Fd>& guest) {
  if (!guest) return true;
  pollfd poller{.fd = guest->get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, 0) != 0;
}

// How the relay reaches the world outside. News are each controller's own to want.
bool IsSameWay(HelloRequest a, HelloRequest b) {
  a.news = b.news = false;
  return protocol::Encode(a) == protocol::Encode(b);
}

Result<Sockets> Adopt(const OpenRequest& request, std::vector<Fd> fds) {
  Sockets sockets{.steering = request.steering};
  size_t next = 0;
  uint32_t bit = 1;
  for (std::optional<Fd>* place : InOrder(sockets)) {
    if ((request.sockets & bit) != 0 && next < fds.size()) *place = std::move(fds[next++]);
    bit <<= 1;
  }
  if (next != fds.size() || (!sockets.tcp_v4 && !sockets.tcp_v6))
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not the sockets of a network"));
  return sockets;
}

Result<void> AppendFile(const Fd& file, std::string& text) {
  std::array<char, 65'536> space;
  while (true) {
    const ssize_t got = ::read(file.get(), space.data(), space.size());
    if (got < 0) return Failure(Error::FromErrno("reading certificates"));
    if (got == 0) return {};
    text.append(space.data(), static_cast<size_t>(got));
    if (text.size() > Interceptor::kMaxTrusted)
      return Failure(Error::Invalid("more than 4 MiB of certificates to trust"));
  }
}

Result<std::shared_ptr<const Credentials>> CredentialsOf(const Terms& terms) {
  if (terms.secrets.empty()) return nullptr;
  return std::make_shared<const Credentials>(TRY(Credentials::Compile(terms.secrets)));
}

Error NotServed(const std::string& sandbox) {
  return {ErrorCode::kNotFound, Fault::kMachine,
          "the relay serves no network of the sandbox " + sandbox};
}

}  // namespace

Relay::Relay(EventLoop loop, Fd control, std::optional<Door> door, std::optional<Fd> cache)
    : loop_(std::move(loop)),
      control_(loop_, std::move(control), std::move(door),
               {.received = [this](ipc::Packet& packet) { Received(packet); },
                .lost = [this] { LostController(); }}),
      deadlines_(loop_),
      pipes_(MostPipes()),
      peers_(deadlines_,
             [this](const DialRequest& request) {
               return control_.Send(MessageType::kDial, protocol::Encode(request));
             }),
      inbound_(loop_, deadlines_, pipes_,
               [this](const std::string& sandbox) { return TellNews(sandbox); }),
      cache_files_(std::move(cache)),
      look_(deadlines_, [this] { LookAround(); }) {}

Relay::~Relay() = default;

Result<std::unique_ptr<Relay>> Relay::Create(Fd control, std::optional<Door> door,
                                             std::optional<Fd> cache) {
  std::unique_ptr<Relay> relay(
      new Relay(TRY(EventLoop::Create()), std::move(control), std::move(door), std::move(cache)));
  TRY(relay->control_.Begin());
  return relay;
}

Result<void> Relay::Run() { return loop_.Run(); }

void Relay::Received(ipc::Packet& packet) {
  const auto reply = Answer(packet);
  if (!reply) return Respond(Failure(reply.error()));
  if (*reply) Respond(**reply);
}

// What it was asked goes with it.
void Relay::LostController() {
  check_.reset();
  news_ = false;
  peers_.FailAll(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the server ended before it had connected to the other sandbox"));
  LookAround();
}

// A controller sees for itself what has ended, and asks for its last flows.
void Relay::LookAround() {
  if (control_.present()) return;
  const bool findable = control_.IsFindable();
  std::erase_if(entries_,
                [&](const auto& entry) { return !findable || HasEnded(entry.second.guest); });
  if (!findable || (entries_.empty() && inbound_.empty())) return loop_.Stop();
  look_.Set(kLook);
}

void Relay::Respond(const Result<Reply>& reply) {
  const auto sent = reply ? control_.Send(reply->type, reply->body, reply->fds)
                          : control_.Send(MessageType::kFailed, ipc::EncodeError(reply.error()));
  if (sent) return;
  // It asks without reading the answers: nothing that it could go on with.
  LogError("the controller of the network relay does not read: " + sent.error().message());
  control_.HangUp();
}

// Nothing: the answer comes later.
Result<std::optional<Relay::Reply>> Relay::Answer(ipc::Packet& packet) {
  using protocol::Decode;
  const std::string_view body = packet.body;
  switch (static_cast<MessageType>(packet.type)) {
    case MessageType::kHello:
      return Hello(TRY(Decode<HelloRequest>(body, protocol::Unknown::kSkipped)));
    case MessageType::kAuthority:
      return SetAuthority(TRY(Decode<AuthorityRequest>(body)), packet.fds);
    case MessageType::kOpen:
      return Open(TRY(Decode<OpenRequest>(body)), std::move(packet.fds));
    case MessageType::kPolicy:
      return SetPolicy(TRY(Decode<PolicyRequest>(body)));
    case MessageType::kClose:
      return Close(TRY(Decode<SandboxRequest>(body)));
    case MessageType::kUnpublish:
      inbound_.Forget(TRY(Decode<SandboxRequest>(body)).sandbox);
      return Reply{};
    case MessageType::kFlows:
      return FlowsAfter(TRY(Decode<FlowsRequest>(body)));
    case MessageType::kList:
      return List(TRY(Decode<ListRequest>(body, protocol::Unknown::kSkipped)));
    case MessageType::kCache:
      return Cache();
    case MessageType::kCheck:
      TRY(BeginCheck(TRY(Decode<CheckRequest>(body))));
      return std::nullopt;
    case MessageType::kDialled:
    case MessageType::kRelay:
      if (const auto done = TakeIn(packet); !done)
        LogWarning("the network relay's controller: " + done.error().ToString());
      return std::nullopt;
    default:
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not a request to a relay"));
  }
}

// What has no reply, good or bad.
Result<void> Relay::TakeIn(ipc::Packet& packet) {
  using protocol::Decode;
  if (static_cast<MessageType>(packet.type) == MessageType::kRelay) {
    const auto order = TRY(Decode<RelayOrder>(packet.body));
    if (packet.fds.size() != 2)
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not two sockets to relay"));
    inbound_.Relay(order, std::move(packet.fds[0]), std::move(packet.fds[1]));
    return {};
  }
  const auto note = TRY(Decode<DialledNote>(packet.body));
  if (packet.fds.size() == 1) {
    peers_.Answered(note.number, std::move(packet.fds.front()));
  } else {
    peers_.Answered(note.number,
                    Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, note.error)));
  }
  return {};
}

Result<Relay::Reply> Relay::Hello(const HelloRequest& request) {
  if (request.version != kLinkVersion) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "the network relay speaks version " + std::to_string(kLinkVersion) +
                             " of its protocol, and the server version " +
                             std::to_string(request.version)));
  }
  if (resolver_ && !IsSameWay(request, greeting_)) {
    return Failure(
        Error(ErrorCode::kIllegalState, Fault::kCaller,
              "the network relay was started with other name servers, another proxy or cache"));
  }
  news_ = request.news;
  for (auto& [sandbox, entry] : entries_) entry.news_told = false;
  if (resolver_) return Reply{};
  if (!request.proxy.empty()) proxy_ = TRY(ProxyPlan::Make(request.proxy, request.no_proxy));
  resolver_ = TRY(Resolver::Create(loop_, {.servers = request.resolvers}));
  OpenCache(request.cache_bytes);
  parts_ = std::make_unique<RelayParts>(RelayParts{.loop = loop_,
                                                   .deadlines = deadlines_,
                                                   .resolver = *resolver_,
                                                   .pipes = pipes_,
                                                   .machine = machine_,
                                                   .peers = peers_,
                                                   .proxy = proxy_ ? &*proxy_ : nullptr,
                                                   .cache = cache_ ? &*cache_ : nullptr});
  greeting_ = request;
  return Reply{};
}

// Without it everything is as it is with none.
void Relay::OpenCache(uint64_t bytes) {
  if (!cache_files_ || bytes < CacheBounds::kMinBytes) return;
  cache_.emplace(*std::move(cache_files_), CacheBounds{.bytes = bytes});
  cache_files_.reset();
  if (const auto settled = cache_->Settle(); !settled)
    LogWarning("the package cache: " + settled.error().message());
}

Result<Relay::Reply> Relay::Cache() {
  return Reply{MessageType::kCacheIs, protocol::Encode(cache_ ? cache_->counts() : CacheCounts())};
}

Result<Relay::Reply> Relay::SetAuthority(AuthorityRequest request, const std::vector<Fd>& files) {
  if (!parts_) return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no greeting yet"));
  std::string trusted;
  for (const Fd& file : files) {
    TRY(AppendFile(file, trusted));
    trusted += '\n';
  }
  interceptor_ = TRY(Interceptor::Make(
      {.certificate = std::move(request.certificate), .key = std::move(request.key)}, trusted));
  parts_->interceptor = interceptor_.get();
  return Reply{};
}

Result<Relay::Reply> Relay::Open(const OpenRequest& request, std::vector<Fd> fds) {
  if (!parts_) return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no greeting yet"));
  if (entries_.size() >= kMaxNetworks)
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine, "too many networks"));
  CompiledTerms terms = TRY(CompiledTerms::Of(request.terms));
  auto credentials = TRY(CredentialsOf(request.terms));
  Sockets sockets = TRY(Adopt(request, std::move(fds)));
  Entry entry{.version = request.terms.version,
              .guest = std::exchange(sockets.guest, std::nullopt)};
  entry.network = TRY(SandboxNetwork::Open(
      *parts_, request.sandbox, std::move(sockets), std::move(terms),
      [this, sandbox = request.sandbox](Flow flow) { Heard(sandbox, std::move(flow)); }));
  entry.network->SetCredentials(std::move(credentials));
  const auto place = entries_.insert_or_assign(request.sandbox, std::move(entry)).first;
  return DoneWithNames(place->second);
}

// The next relay gets them from this one's controller, whoever that is then.
Relay::Reply Relay::DoneWithNames(const Entry& entry) {
  Reply reply;
  if (const Fd* names = entry.network->names()) reply.fds.push_back(names);
  return reply;
}

Result<Relay::Entry*> Relay::Find(const std::string& sandbox) {
  const auto found = entries_.find(sandbox);
  if (found != entries_.end()) return &found->second;
  return Failure(NotServed(sandbox));
}

Result<Relay::Reply> Relay::SetPolicy(const PolicyRequest& request) {
  Entry* const entry = TRY(Find(request.sandbox));
  CompiledTerms terms = TRY(CompiledTerms::Of(request.terms));
  auto credentials = TRY(CredentialsOf(request.terms));
  entry->version = request.terms.version;
  entry->network->SetCredentials(std::move(credentials));
  entry->network->SetTerms(std::move(terms));
  return DoneWithNames(*entry);
}

Result<Relay::Reply> Relay::Close(const SandboxRequest& request) {
  if (entries_.erase(request.sandbox) == 0) return Failure(NotServed(request.sandbox));
  return Reply{};
}

Result<Relay::Reply> Relay::FlowsAfter(const FlowsRequest& request) {
  if (request.inbound) {
    return Reply{MessageType::kFlowsAre,
                 protocol::Encode(inbound_.FlowsAfter(request.sandbox, request.after))};
  }
  Entry* const entry = TRY(Find(request.sandbox));
  Flows flows = entry->flows.After(request.after);
  flows.counts = entry->told_counts = entry->network->counts();
  entry->news_told = false;
  return Reply{MessageType::kFlowsAre, protocol::Encode(flows)};
}

Result<Relay::Reply> Relay::List(const ListRequest& request) {
  // The next controller must not be told of what ended in the moment before it came.
  std::erase_if(entries_, [](const auto& entry) {
    return entry.second.guest && HasEnded(entry.second.guest);
  });
  Networks networks;
  auto next = entries_.upper_bound(request.after);
  for (; next != entries_.end() && networks.networks.size() < kMaxNetworksAtOnce; ++next) {
    const Entry& entry = next->second;
    networks.networks.push_back({.sandbox = next->first,
                                 .version = entry.version,
                                 .steering = entry.network->steering(),
                                 .first_flow = entry.flows.first(),
                                 .told_flow = entry.flows.told(),
                                 .told = entry.told_counts});
  }
  networks.more = next != entries_.end();
  return Reply{MessageType::kNetworksAre, protocol::Encode(networks)};
}

Result<void> Relay::BeginCheck(const CheckRequest& request) {
  if (!parts_) return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no greeting yet"));
  Policy policy = TRY(Policy::Compile(request.terms.spec, request.terms.bounds));
  control_.Wait(true);
  check_.emplace(*parts_, std::move(policy), [this](const Checked& checked) { EndCheck(checked); });
  check_->Start(request.host, request.port);
  return {};
}

void Relay::EndCheck(const Checked& checked) {
  control_.Wait(false);
  Respond(Reply{MessageType::kCheckedIs, protocol::Encode(checked)});
}

// Where the socket is full its controller has much to read already, and asks after that.
bool Relay::TellNews(const std::string& sandbox) {
  return news_ &&
         control_.Send(MessageType::kNews, protocol::Encode(SandboxRequest{.sandbox = sandbox}))
             .has_value();
}

void Relay::Heard(const std::string& sandbox, Flow flow) {
  const auto found = entries_.find(sandbox);
  if (found == entries_.end()) return;
  found->second.flows.Add(std::move(flow));
  if (!found->second.news_told) found->second.news_told = TellNews(sandbox);
}

}  // namespace cay::network
