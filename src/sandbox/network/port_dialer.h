// PortDialer: connections to ports of sandboxes, made through their guests, many at a time on one
// loop. A guest that does not answer costs only its own sandbox.
//
//   PortDialer dialer(loop, deadlines, [&](const SandboxId& id, uint16_t port) { … });
//   dialer.Dial({.sandbox = id, .owner = "me", .port = 80}, [](Result<Fd> socket) { … });
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/id.h"
#include "engine/engine.h"
#include "guest_link/guest_channel.h"
#include "network/transfer/deadlines.h"

namespace cay::sandbox {

// Asks the guest of a sandbox for a connection to its port, without waiting for the answer.
Result<PendingPort> AskForPort(engine::Engine& engine, const SandboxId& id, uint16_t port);

struct PortOf {
  SandboxId sandbox;
  std::string owner{};
  uint16_t port = 0;
};

class PortDialer {
 public:
  static constexpr size_t kPerSandbox = 16;  // under way; more wait for them …
  static constexpr size_t kWaiting = 128;    // … and more are refused
  static constexpr size_t kPerOwner = 64;
  static constexpr size_t kInAll = 256;
  static constexpr Millis kPatience{10'000};

  // Asks the guest for a connection, without waiting.
  using Ask = std::function<Result<PendingPort>(const SandboxId& sandbox, uint16_t port)>;
  // A stream socket, non-blocking. Called once, in Dial or from the loop.
  using Done = std::function<void(Result<Fd> socket)>;

  PortDialer(EventLoop& loop, network::Deadlines& deadlines, Ask ask);
  ~PortDialer();
  PortDialer(const PortDialer&) = delete;
  PortDialer& operator=(const PortDialer&) = delete;

  void Dial(PortOf to, Done done);
  size_t under_way() const { return under_way_; }

 private:
  class One;
  struct Target {
    std::map<One*, std::unique_ptr<One>> under_way;
    std::deque<std::unique_ptr<One>> waiting;
  };

  bool HasRoom(const Target& target, const std::string& owner) const;
  void Begin(Target& target, std::unique_ptr<One> one);
  void End(One& one, Result<Fd> socket);
  void BeginWaiting(const SandboxId& sandbox);

  EventLoop& loop_;
  network::Deadlines& deadlines_;
  Ask ask_;
  size_t under_way_ = 0;
  std::map<std::string, size_t> of_owner_;
  std::map<SandboxId, Target> targets_;
};

}  // namespace cay::sandbox
