// PublishedPorts: the ports of this machine that lead to ports of sandboxes, on one loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "network/link/limits.h"
#include "network/link/messages.h"
#include "network/policy/publish.h"
#include "sandbox/network/network_report.h"
#include "sandbox/network/port_dialer.h"

namespace cay::sandbox {

struct Publisher {
  SandboxId sandbox;
  std::string owner{};
  std::string name{};  // for those who want the same port
  network::NetworkLimits limits{};
};

// Who connected to a published port.
struct Visitor {
  std::string address{};
  uint16_t port = 0;  // of the sandbox
  std::string rule{};
};

// For a relay: how their bytes are moved.
network::RelayOrder OrderOf(const Publisher& publisher, const Visitor& visitor);

class PublishedPorts {
 public:
  static constexpr size_t kInAll = 1024;
  static constexpr Millis kTryAgain{2000};

  // Two sockets whose bytes are to be moved to each other.
  using Pass = std::function<Result<void>(const Publisher& publisher, const Visitor& visitor,
                                          const Fd& outside, const Fd& inside)>;
  // Told of a connection that was reset, since it does not lead into the sandbox.
  using Refused =
      std::function<void(const Publisher& publisher, const Visitor& visitor, const Error& why)>;
  // Told where a port that is wanted cannot be listened on, once for each reason.
  using Told = std::function<void(const Publisher& publisher, const PublishedStanding& standing)>;

  struct Calls {
    Pass pass;
    Refused refused;
    Told told;
  };

  PublishedPorts(EventLoop& loop, network::Deadlines& deadlines, PortDialer& dialer, Calls calls);
  ~PublishedPorts();
  PublishedPorts(const PublishedPorts&) = delete;
  PublishedPorts& operator=(const PublishedPorts&) = delete;

  // Listens on exactly these, and gives them back with the ports that were chosen. kAlreadyExists
  // for one that is taken, with who has it; then all is as before.
  Result<std::vector<std::string>> Publish(const Publisher& publisher,
                                           const std::vector<std::string>& rules);
  // The same; what cannot be listened on is tried again.
  void Want(const Publisher& publisher, const std::vector<std::string>& rules);
  void Unpublish(const SandboxId& sandbox);

  // Addresses other than loopback. What listens elsewhere is closed, and opened when it may be.
  void Permit(const std::vector<std::string>& addresses);
  std::vector<PublishedStanding> Look(const SandboxId& sandbox) const;

 private:
  class Port;
  struct Entry {
    Publisher publisher;
    std::vector<std::unique_ptr<Port>> ports{};
  };

  Result<std::vector<std::unique_ptr<Port>>> Make(const Publisher& publisher,
                                                  const std::vector<std::string>& rules,
                                                  bool insist);
  std::unique_ptr<Port>* FindListener(const SandboxId& sandbox, const network::PublishRule& rule);
  Result<void> CheckPermitted(const network::PublishRule& rule) const;
  Error WhoHas(const Publisher& asks, const network::PublishRule& rule) const;
  size_t count() const;
  void Retry();

  EventLoop& loop_;
  network::Deadlines& deadlines_;
  PortDialer& dialer_;
  const Calls calls_;
  std::vector<std::string> permitted_;
  std::map<SandboxId, Entry> entries_;
  network::Deadline retry_;
};

}  // namespace cay::sandbox
