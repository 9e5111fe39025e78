#include "sandbox/network/published_ports.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "network/transfer/dialer.h"
#include "network/transfer/reset.h"

namespace cay::sandbox {
namespace {

using network::PublishRule;

constexpr int kBacklog = 128;
constexpr int kAcceptsAtOnce = 64;
constexpr Millis kListenAgain{100};  // after there was no descriptor to be had

bool IsLoopback(const network::Address& address) {
  return network::KindOf(address) == network::AddressKind::kLoopback;
}

Result<Fd> ListenOn(const PublishRule& rule) {
  const network::SocketAddress at(rule.address, rule.host_port);
  const int raw = ::socket(at.space.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("a socket to listen on"));
  Fd socket = Fd::Adopt(raw);
  const int on = 1;
  // Connections of a server before may still be ending. Two that listen are refused nevertheless.
  ::setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.space.ss_family == AF_INET6) ::setsockopt(raw, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(raw, reinterpret_cast<const sockaddr*>(&at.space), at.size) < 0 ||
      ::listen(raw, kBacklog) < 0)
    return Failure(Error::FromErrno("listening on " + rule.Text()));
  return socket;
}

uint16_t PortOfSocket(const Fd& socket) {
  sockaddr_storage space{};
  socklen_t size = sizeof space;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&space), &size) < 0) return 0;
  return network::PortOf(space);
}

}  // namespace

network::RelayOrder OrderOf(const Publisher& publisher, const Visitor& visitor) {
  return {.sandbox = publisher.sandbox.text(),
          .connections = publisher.limits.connections,
          .idle_seconds = publisher.limits.idle_seconds,
          .peer = visitor.address,
          .port = visitor.port,
          .rule = visitor.rule};
}

// One rule of one sandbox, and its listener while it has one.
class PublishedPorts::Port final : public EventLoop::Handler {
 public:
  Port(PublishedPorts& all, Publisher publisher, const PublishRule& rule)
      : all_(all),
        publisher_(std::move(publisher)),
        rule_(rule),
        again_(all.deadlines_, [this] { Await(true); }) {}
  ~Port() override { Close({}); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const PublishRule& rule() const { return rule_; }
  const Publisher& publisher() const { return publisher_; }
  bool listens() const { return socket_.has_value(); }
  // Listens for something else from now on, at the same place.
  void LeadTo(const Publisher& publisher, uint16_t port) {
    publisher_ = publisher;
    rule_.port = port;
  }

  Result<void> Open() {
    if (socket_) return {};
    Fd socket = TRY(ListenOn(rule_));
    TRY(all_.loop_.Watch(socket.get(), EPOLLIN, *this));
    rule_.host_port = PortOfSocket(socket);
    socket_.emplace(std::move(socket));
    problem_.clear();
    return {};
  }

  // Whether the reason is a new one.
  bool Close(const std::string& why) {
    again_.Clear();
    if (socket_) all_.loop_.Forget(socket_->get());
    socket_.reset();
    return std::exchange(problem_, why) != why;
  }

  PublishedStanding standing() const {
    return {.rule = rule_.Text(),
            .address = rule_.address.Text(),
            .host_port = rule_.host_port,
            .port = rule_.port,
            .listening = listens(),
            .problem = problem_};
  }

  void OnReady(uint32_t /*events*/) override {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const int raw = ::accept4(socket_->get(), reinterpret_cast<sockaddr*>(&from), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (raw >= 0) {
        Accepted(Fd::Adopt(raw), network::AddressOf(from));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        Await(false);
        again_.Set(kListenAgain);
        return;
      } else if (errno != EINTR && errno != ECONNABORTED) {
        return;
      }
    }
  }

 private:
  void Await(bool connections) {
    if (socket_) all_.loop_.Change(socket_->get(), connections ? uint32_t{EPOLLIN} : 0U);
  }

  // Until a port inside has answered, an end of this connection is a reset.
  void Accepted(Fd accepted, const network::Address& from) {
    network::ResetOnClose(accepted);
    const auto client = std::make_shared<Fd>(std::move(accepted));
    const Visitor visitor{.address = from.Text(), .port = rule_.port, .rule = rule_.Text()};
    const auto passed_on = [&calls = all_.calls_, publisher = publisher_, visitor,
                            client](const Result<Fd>& inside) {
      if (!inside) return calls.refused(publisher, visitor, inside.error());
      const linger later{};
      ::setsockopt(client->get(), SOL_SOCKET, SO_LINGER, &later, sizeof later);
      const int on = 1;
      ::setsockopt(client->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const auto passed = calls.pass(publisher, visitor, *client, *inside);
      if (passed) return;
      network::ResetOnClose(*client);
      calls.refused(publisher, visitor, passed.error());
    };
    all_.dialer_.Dial(
        {.sandbox = publisher_.sandbox, .owner = publisher_.owner, .port = rule_.port}, passed_on);
  }

  PublishedPorts& all_;
  Publisher publisher_;
  PublishRule rule_;
  std::optional<Fd> socket_;
  std::string problem_;
  network::Deadline again_;
};

PublishedPorts::PublishedPorts(EventLoop& loop, network::Deadlines& deadlines, PortDialer& dialer,
                               Calls calls)
    : loop_(loop),
      deadlines_(deadlines),
      dialer_(dialer),
      calls_(std::move(calls)),
      retry_(deadlines, [this] { Retry(); }) {}

PublishedPorts::~PublishedPorts() = default;

size_t PublishedPorts::count() const {
  size_t count = 0;
  for (const auto& [id, entry] : entries_) count += entry.ports.size();
  return count;
}

Result<void> PublishedPorts::CheckPermitted(const PublishRule& rule) const {
  if (IsLoopback(rule.address)) return {};
  if (std::ranges::find(permitted_, rule.address.Text()) != permitted_.end()) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the port " + rule.Text() +
                           " is not on a loopback address, and network.publish_addresses does not "
                           "name " +
                           rule.address.Text())
                     .WithRemedy("publish it on 127.0.0.1, or ask the administrator to put \"" +
                                 rule.address.Text() + "\" into network.publish_addresses"));
}

Error PublishedPorts::WhoHas(const Publisher& asks, const PublishRule& rule) const {
  std::string who = "another program of this machine";
  for (const auto& [id, entry] : entries_) {
    const auto meets = [&](const auto& port) {
      return port->listens() && network::Meet(port->rule(), rule);
    };
    if (std::ranges::none_of(entry.ports, meets)) continue;
    const Publisher& has = entry.publisher;
    if (has.owner != asks.owner) {
      who = "a sandbox of another owner";
    } else {
      who = "the sandbox " + (has.name.empty() ? id.text() : has.name + " (" + id.text() + ")");
    }
  }
  return Error(ErrorCode::kAlreadyExists, Fault::kCaller,
               "the port " + std::to_string(rule.host_port) + " of " + rule.address.Text() +
                   " is taken: " + who + " has it")
      .WithRemedy("publish another port, or 0 for one that is free");
}

// Where the sandbox listens already; null: nowhere that is the rule's.
std::unique_ptr<PublishedPorts::Port>* PublishedPorts::FindListener(const SandboxId& sandbox,
                                                                    const PublishRule& rule) {
  const auto entry = entries_.find(sandbox);
  if (entry == entries_.end() || rule.host_port == 0) return nullptr;
  for (std::unique_ptr<Port>& port : entry->second.ports) {
    const bool is_there = port && port->listens() && port->rule().host_port == rule.host_port &&
                          port->rule().address == rule.address;
    if (is_there) return &port;
  }
  return nullptr;
}

// What the sandbox listens on already is left as it is, and not in what is made.
Result<std::vector<std::unique_ptr<PublishedPorts::Port>>> PublishedPorts::Make(
    const Publisher& publisher, const std::vector<std::string>& rules, bool insist) {
  std::vector<std::unique_ptr<Port>> made;
  for (const std::string& text : rules) {
    const PublishRule rule = TRY(PublishRule::Parse(text));
    auto port = std::make_unique<Port>(*this, publisher, rule);
    const bool kept = FindListener(publisher.sandbox, rule) != nullptr;
    auto opened = kept ? Result<void>() : CheckPermitted(rule);
    if (opened && !kept) opened = port->Open();
    if (!opened && opened.error().sys_errno() == EADDRINUSE)
      opened = Failure(WhoHas(publisher, rule));
    if (!opened && insist) return Failure(std::move(opened).error());
    if (!opened && port->Close(opened.error().message())) calls_.told(publisher, port->standing());
    made.push_back(std::move(port));
  }
  return made;
}

Result<std::vector<std::string>> PublishedPorts::Publish(const Publisher& publisher,
                                                         const std::vector<std::string>& rules) {
  if (count() + rules.size() > kInAll) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "more than " + std::to_string(kInAll) + " ports would be published"));
  }
  auto made = TRY(Make(publisher, rules, true));
  std::vector<std::string> told;
  Entry& entry =
      entries_.try_emplace(publisher.sandbox, Entry{.publisher = publisher}).first->second;
  entry.publisher = publisher;
  for (std::unique_ptr<Port>& port : made) {
    std::unique_ptr<Port>* const kept = FindListener(publisher.sandbox, port->rule());
    if (!port->listens() && kept != nullptr) {
      (*kept)->LeadTo(publisher, port->rule().port);
      port = std::move(*kept);
    }
    told.push_back(port->rule().Text());
  }
  entry.ports = std::move(made);
  if (entry.ports.empty()) entries_.erase(publisher.sandbox);
  return told;
}

void PublishedPorts::Want(const Publisher& publisher, const std::vector<std::string>& rules) {
  entries_.erase(publisher.sandbox);
  auto made = Make(publisher, rules, false);
  if (!made || made->empty()) return;
  entries_.emplace(publisher.sandbox, Entry{.publisher = publisher, .ports = *std::move(made)});
  retry_.Set(kTryAgain);
}

void PublishedPorts::Unpublish(const SandboxId& sandbox) { entries_.erase(sandbox); }

void PublishedPorts::Permit(const std::vector<std::string>& addresses) {
  permitted_ = addresses;
  for (auto& [id, entry] : entries_) {
    for (const auto& port : entry.ports) {
      const auto permitted = CheckPermitted(port->rule());
      if (!permitted && port->Close(permitted.error().message()))
        calls_.told(entry.publisher, port->standing());
    }
  }
  Retry();
}

void PublishedPorts::Retry() {
  bool again = false;
  for (auto& [id, entry] : entries_) {
    for (const auto& port : entry.ports) {
      if (port->listens()) continue;
      auto opened = CheckPermitted(port->rule());
      if (opened) opened = port->Open();
      if (opened) continue;
      again = true;
      if (opened.error().sys_errno() == EADDRINUSE)
        opened = Failure(WhoHas(entry.publisher, port->rule()));
      if (port->Close(opened.error().message())) calls_.told(entry.publisher, port->standing());
    }
  }
  if (again) retry_.Set(kTryAgain);
}

std::vector<PublishedStanding> PublishedPorts::Look(const SandboxId& sandbox) const {
  std::vector<PublishedStanding> all;
  const auto found = entries_.find(sandbox);
  if (found == entries_.end()) return all;
  for (const auto& port : found->second.ports) all.push_back(port->standing());
  return all;
}

}  // namespace cay::sandbox
