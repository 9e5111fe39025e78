// Relay: the networks of sandboxes, served from outside of them, as one thread of a process that
// has no rights but to open connections (relay_process.h).
//
//   auto relay = TRY(Relay::Create(std::move(control), std::move(door)));
//   relay->Run();
//
// Without a door it ends when its controller hangs up. With one it goes on: what is open stays open
// under the terms that it has, flows are kept as far as they are kept at all, what needs the
// controller fails at once, and the next controller is waited for (control_socket.h). Meanwhile a
// network is closed when its sandbox's guest has ended; when there is none any more, and nothing is
// relayed, or when nobody can find the door any more, the relay ends.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ipc/packet.h"
#include "base/loop/event_loop.h"
#include "network/intercept/interceptor.h"
#include "network/link/control_socket.h"
#include "network/link/messages.h"
#include "network/relay/check.h"
#include "network/relay/flow_log.h"
#include "network/relay/inbound.h"
#include "network/relay/peer_dials.h"
#include "network/relay/sandbox_network.h"

namespace cay::network {

class Relay final {
 public:
  // How often a relay without a controller looks whether it is of use to anybody.
  static constexpr Millis kLook{1000};

  // `control`: see link/messages.h. `door`: listening. `cache`: the directory of a
  // package cache.
  static Result<std::unique_ptr<Relay>> Create(Fd control, std::optional<Door> door = {},
                                               std::optional<Fd> cache = {});
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  Result<void> Run();

 private:
  struct Entry {
    uint64_t version = 0;
    FlowLog flows{};
    bool news_told = false;       // since flows were asked for
    NetworkCounts told_counts{};  // when flows were asked for last
    std::optional<Fd> guest{};    // a pidfd
    std::unique_ptr<SandboxNetwork> network{};
  };
  struct Reply {
    MessageType type = MessageType::kDone;
    std::string body{};
    std::vector<const Fd*> fds{};
  };

  Relay(EventLoop loop, Fd control, std::optional<Door> door, std::optional<Fd> cache);
  void Received(ipc::Packet& packet);
  void LostController();
  void LookAround();
  Result<std::optional<Reply>> Answer(ipc::Packet& packet);
  Result<void> TakeIn(ipc::Packet& packet);
  Result<Reply> Hello(const HelloRequest& request);
  void OpenCache(uint64_t bytes);
  Result<Reply> SetAuthority(AuthorityRequest request, const std::vector<Fd>& files);
  Result<Reply> Open(const OpenRequest& request, std::vector<Fd> fds);
  Result<Reply> SetPolicy(const PolicyRequest& request);
  Result<Reply> Close(const SandboxRequest& request);
  Result<Reply> FlowsAfter(const FlowsRequest& request);
  Result<Reply> List(const ListRequest& request);
  Result<Reply> Cache();
  Result<void> BeginCheck(const CheckRequest& request);
  void EndCheck(const Checked& checked);
  void Respond(const Result<Reply>& reply);
  static Reply DoneWithNames(const Entry& entry);
  Result<Entry*> Find(const std::string& sandbox);
  void Heard(const std::string& sandbox, Flow flow);
  bool TellNews(const std::string& sandbox);

  EventLoop loop_;
  ControlSocket control_;
  Deadlines deadlines_;
  PipePool pipes_;
  MachineAddresses machine_;
  PeerDials peers_;
  Inbound inbound_;
  std::unique_ptr<Resolver> resolver_;        // null before kHello
  HelloRequest greeting_;                     // that it was made by
  std::unique_ptr<Interceptor> interceptor_;  // null before kAuthority
  std::optional<ProxyPlan> proxy_;
  std::optional<Fd> cache_files_;
  std::optional<CacheDirectory> cache_;  // none before kHello
  std::unique_ptr<RelayParts> parts_;
  bool news_ = false;
  std::map<std::string, Entry> entries_;
  std::optional<Check> check_;  // under way: nothing else is answered
  Deadline look_;
};

}  // namespace cay::network
