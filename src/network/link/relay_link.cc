#include "network/link/relay_link.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/encoding.h"

namespace cay::network {
namespace {

Error Gone() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the network relay has ended");
}

std::optional<Fd> NamesOf(ipc::Packet answer) {
  if (answer.fds.empty()) return std::nullopt;
  return std::move(answer.fds.front());
}

// A name that was asked for may be any bytes, and ends at somebody's terminal.
void MakePrintable(std::string& text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  if (!IsUtf8(text)) text = ToUtf8Lossy(text);
}

}  // namespace

Result<std::optional<ipc::Packet>> RelayLink::Receive(Millis patience) {
  pollfd poller{.fd = control_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poller, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
  auto packet = ipc::ReceivePacket(control_);
  if (packet && *packet) return packet;
  if (!packet && packet.error().sys_errno() == EMFILE) return packet;  // the next one is whole
  // What came after an end, or after a packet that is none, is not to be trusted.
  gone_ = true;
  if (packet || packet.error().sys_errno() == ECONNRESET) return Failure(Gone());
  return packet;
}

bool RelayLink::NoteUnasked(const ipc::Packet& packet) {
  switch (static_cast<MessageType>(packet.type)) {
    case MessageType::kNews: {
      auto news = protocol::Decode<SandboxRequest>(packet.body, protocol::Unknown::kSkipped);
      if (news && news_.size() < kMaxNetworks) news_.insert(std::move(news->sandbox));
      return true;
    }
    case MessageType::kDial: {
      auto dial = protocol::Decode<DialRequest>(packet.body, protocol::Unknown::kSkipped);
      if (dial && on_dial_) on_dial_(*std::move(dial));
      return true;
    }
    default:
      return false;
  }
}

Result<ipc::Packet> RelayLink::ReceiveAnswer() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now());
    auto received = Receive(std::max(left, Millis(0)));
    // Done, but for what came with it: nothing else has descriptors.
    if (!received && received.error().sys_errno() == EMFILE)
      return ipc::Packet{.type = static_cast<uint8_t>(MessageType::kDone)};
    std::optional<ipc::Packet> packet = TRY(std::move(received));
    if (!packet && std::chrono::steady_clock::now() < until) continue;  // a signal came
    if (!packet) {
      gone_ = true;  // its answer would be taken for that of the next request
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "the network relay did not answer within " + FormatDuration(kPatience)));
    }
    if (!NoteUnasked(*packet)) return *std::move(packet);
  }
}

Result<ipc::Packet> RelayLink::Exchange(MessageType type, std::string_view body, MessageType wanted,
                                        const std::vector<const Fd*>& fds) {
  const std::lock_guard lock(mutex_);
  if (gone_) return Failure(Gone());
  if (auto sent = ipc::SendPacket(control_, static_cast<uint8_t>(type), body, fds); !sent) {
    const int why = sent.error().sys_errno();
    // What it said before it ended tells more.
    if (why != EPIPE && why != ECONNRESET) return Failure(std::move(sent).error());
  }
  ipc::Packet packet = TRY(ReceiveAnswer());
  const auto got = static_cast<MessageType>(packet.type);
  if (got == MessageType::kFailed) return Failure(ipc::DecodeError(packet.body));
  if (got == wanted) return packet;
  gone_ = true;
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not the relay's answer"));
}

Result<std::string> RelayLink::Call(MessageType type, std::string_view body, MessageType wanted,
                                    const std::vector<const Fd*>& fds) {
  return std::move(TRY(Exchange(type, body, wanted, fds)).body);
}

Result<std::set<std::string>> RelayLink::AwaitNews(int wake, Millis patience) {
  std::array<pollfd, 2> pollers = {{{.fd = control_.get(), .events = POLLIN, .revents = 0},
                                    {.fd = wake, .events = POLLIN, .revents = 0}}};
  ::poll(pollers.data(), pollers.size(), static_cast<int>(patience.count()));
  const std::lock_guard lock(mutex_);
  if (gone_) return Failure(Gone());
  // What is readable may have been a call's.
  while (std::optional<ipc::Packet> packet = TRY(Receive(Millis(0)))) {
    if (NoteUnasked(*packet)) continue;
    gone_ = true;
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "an answer to no request"));
  }
  return std::exchange(news_, {});
}

Result<void> RelayLink::Tell(MessageType type, std::string_view body,
                             const std::vector<const Fd*>& fds) {
  const std::lock_guard lock(mutex_);
  if (gone_) return Failure(Gone());
  return ipc::SendPacket(control_, static_cast<uint8_t>(type), body, fds);
}

Result<void> RelayLink::Dialled(uint64_t number, const Result<Fd>& socket) {
  DialledNote note{.number = number};
  std::vector<const Fd*> fds;
  if (socket) {
    fds.push_back(&*socket);
  } else {
    note.error = socket.error().message().substr(0, Flow::kMaxReason);
  }
  return Tell(MessageType::kDialled, protocol::Encode(note), fds);
}

Result<void> RelayLink::Relay(const RelayOrder& order, const Fd& outside, const Fd& inside) {
  return Tell(MessageType::kRelay, protocol::Encode(order), {&outside, &inside});
}

Result<void> RelayLink::Hello(const HelloRequest& request) {
  TRY(Call(MessageType::kHello, protocol::Encode(request), MessageType::kDone));
  return {};
}

Result<void> RelayLink::SetAuthority(const AuthorityRequest& request,
                                     const std::vector<Fd>& trusted) {
  std::vector<const Fd*> fds;
  fds.reserve(trusted.size());
  for (const Fd& file : trusted) fds.push_back(&file);
  TRY(Call(MessageType::kAuthority, protocol::Encode(request), MessageType::kDone, fds));
  return {};
}

Result<std::optional<Fd>> RelayLink::Open(const SandboxId& sandbox, const Terms& terms,
                                          Sockets sockets) {
  OpenRequest request{
      .sandbox = sandbox.text(), .terms = terms, .steering = sockets.steering, .sockets = 0};
  std::vector<const Fd*> fds;
  uint32_t bit = 1;
  for (const std::optional<Fd>* socket :
       {&sockets.tcp_v4, &sockets.tcp_v6, &sockets.dns_udp_v4, &sockets.dns_udp_v6, &sockets.hold,
        &sockets.guest, &sockets.names}) {
    if (*socket) {
      request.sockets |= bit;
      fds.push_back(&**socket);
    }
    bit <<= 1;
  }
  return NamesOf(
      TRY(Exchange(MessageType::kOpen, protocol::Encode(request), MessageType::kDone, fds)));
}

Result<std::optional<Fd>> RelayLink::SetTerms(const SandboxId& sandbox, const Terms& terms) {
  const PolicyRequest request{.sandbox = sandbox.text(), .terms = terms};
  return NamesOf(
      TRY(Exchange(MessageType::kPolicy, protocol::Encode(request), MessageType::kDone, {})));
}

Result<void> RelayLink::Close(const SandboxId& sandbox) {
  TRY(Call(MessageType::kClose, protocol::Encode(SandboxRequest{.sandbox = sandbox.text()}),
           MessageType::kDone));
  return {};
}

Result<std::vector<Networks::Entry>> RelayLink::List() {
  std::vector<Networks::Entry> all;
  while (true) {
    const ListRequest request{.after = all.empty() ? std::string() : all.back().sandbox};
    const std::string body =
        TRY(Call(MessageType::kList, protocol::Encode(request), MessageType::kNetworksAre));
    auto page = TRY(protocol::Decode<Networks>(body, protocol::Unknown::kSkipped));
    for (Networks::Entry& entry : page.networks) all.push_back(std::move(entry));
    if (!page.more) return all;
    if (page.networks.empty() || all.size() > kMaxNetworks)
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not a list of networks"));
  }
}

Result<void> RelayLink::Unpublish(const SandboxId& sandbox) {
  TRY(Call(MessageType::kUnpublish, protocol::Encode(SandboxRequest{.sandbox = sandbox.text()}),
           MessageType::kDone));
  return {};
}

Result<Flows> RelayLink::FlowsAfter(const SandboxId& sandbox, uint64_t number, bool inbound) {
  const FlowsRequest request{.sandbox = sandbox.text(), .after = number, .inbound = inbound};
  const std::string body =
      TRY(Call(MessageType::kFlows, protocol::Encode(request), MessageType::kFlowsAre));
  Flows flows = TRY(protocol::Decode<Flows>(body, protocol::Unknown::kSkipped));
  for (Flow& flow : flows.flows) {
    for (std::string* text : {&flow.name, &flow.address, &flow.reason, &flow.rule})
      MakePrintable(*text);
  }
  return flows;
}

Result<CacheCounts> RelayLink::Cache() {
  const std::string body = TRY(Call(MessageType::kCache, {}, MessageType::kCacheIs));
  return protocol::Decode<CacheCounts>(body, protocol::Unknown::kSkipped);
}

Result<Checked> RelayLink::Check(const CheckRequest& request) {
  const std::string body =
      TRY(Call(MessageType::kCheck, protocol::Encode(request), MessageType::kCheckedIs));
  return protocol::Decode<Checked>(body, protocol::Unknown::kSkipped);
}

}  // namespace cay::network
