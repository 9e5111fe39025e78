// FakeMachine: what a fake engine's sandboxes are, and what outlives the engine's object, as a
// state directory does.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "engine/engine.h"
#include "engine/fake/fake_guest.h"
#include "protocol/messages.h"

namespace cay::engine::fake {

struct FakeSandbox {
  explicit FakeSandbox(CreateRequest asked) : request(std::move(asked)) {}

  CreateRequest request;
  State state = State::kRunning;
  Exit exit{};
  Exit end_is{.reason = ExitReason::kUnknown};  // of the guest, once it has ended
  std::shared_ptr<FakeFiles> files = std::make_shared<FakeFiles>();
  std::shared_ptr<FakeGuest> guest;  // null: there is none
  bool visited = false;
  bool still = false;           // see Engine::HoldStill
  std::optional<Fd> network{};  // hangs up when the network is closed; nothing: there was none
  uint16_t network_port = 0;
  uint16_t dns_port = 0;
  int64_t created_unix_ms = 0;
  uint32_t guest_protocol = protocol::kProtocolVersion;
  uint64_t oom_kills = 0;
  std::optional<std::string> promise{};
  std::optional<int64_t> orphaned_unix_ms{};
  std::string damage{};
  const void* owner = nullptr;  // the engine's object that has it; null: none
};

// Directories of this machine's disk that are removed with it.
class FakeDisk {
 public:
  FakeDisk() = default;
  FakeDisk(const FakeDisk&) = delete;
  FakeDisk& operator=(const FakeDisk&) = delete;
  ~FakeDisk();

  // A new directory with these files, open for reading.
  Result<Fd> Show(const std::map<std::string, std::string>& files);

 private:
  std::vector<std::string> directories_;
};

struct FakeMachine {
  std::mutex mutex;
  FakeDisk written;  // what OpenWritten showed
  std::map<SandboxId, FakeSandbox> sandboxes;
};

}  // namespace cay::engine::fake
