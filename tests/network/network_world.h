// NetworkWorld: sandboxes whose networks a test opens and serves, in a launcher of the test's own
// process, as root or as an ordinary user.
//
//   RunAs(Caller::kOrdinaryUser, [](NetworkWorld& world) {
//     const SandboxId id = world.Create();
//     const auto network = world.Open(id);
//     ProcessStream client = world.Start(id, "exchange 203.0.113.9 443");     // attack-victim's
//     const Fd connection = Accept(*network->tcp_v4);
//     EXPECT_EQ(OriginalOf(connection, network->steering), "203.0.113.9 443");
//     …
//     EXPECT_EQ(world.VerdictOf(client), "pong");
//   });
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/os/paths.h"
#include "engine/engine.h"
#include "engine/native/launcher/launcher.h"
#include "guest_link/guest_channel.h"
#include "template/store/template_store.h"

namespace cay::testing {

enum class Caller : uint8_t { kRoot, kOrdinaryUser };

class NetworkWorld {
 public:
  // Aborts the process when it cannot be made.
  NetworkWorld();
  NetworkWorld(const NetworkWorld&) = delete;
  NetworkWorld& operator=(const NetworkWorld&) = delete;
  ~NetworkWorld();

  engine::native::Launcher& launcher() { return *launcher_; }
  // Why no sandbox can be made; empty: one can.
  std::string WhyNot();
  // attack-victim is at /attack/attack-victim.
  SandboxId Create();
  Result<engine::NetworkSockets> Open(const SandboxId& id) { return launcher_->OpenNetwork(id); }

  // `user`: empty for the sandbox's usual one.
  ProcessStream Start(const SandboxId& id, const std::string& probe, const std::string& user = {});
  // Waits for its end, and gives the last line that it wrote.
  static std::string VerdictOf(ProcessStream& stream);
  // … or until it wrote that line.
  static void AwaitLine(ProcessStream& stream, std::string_view line);
  std::string Run(const SandboxId& id, const std::string& probe, const std::string& user = {});

 private:
  engine::CreateRequest Request();

  std::string directory_;
  Paths paths_;
  std::optional<templates::Template> host_;
  std::optional<engine::native::Launcher> launcher_;
};

// The failures of the body are the test's.
void InChild(const std::function<void()>& body);

// In a child, of which a launcher changes much. Skips the test where there can be no such caller.
void RunAs(Caller caller, const std::function<void(NetworkWorld&)>& body);

// The next connection; fails the test when none comes.
std::optional<Fd> Accept(const Fd& listener);
// "203.0.113.9 443": what the other end connected to.
std::string OriginalOf(const Fd& connection, engine::Steering steering);
// Reads "ping" and writes "pong".
void Serve(const Fd& connection);

// A datagram, and where it came from and was sent to.
struct Question {
  std::string text;
  std::string asked;  // the address
  std::string control;
  std::string sender;  // a sockaddr
};
std::optional<Question> Receive(const Fd& socket);
// From the asked address.
void Answer(const Fd& socket, const Question& question, std::string_view text);

// Whether nothing waits to be read or accepted, now.
bool IsSilent(const Fd& fd);

}  // namespace cay::testing
