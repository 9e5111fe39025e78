// LiveSandbox: a sandbox made through the engine, for attacks on what the host does with it.
//
//   const auto engine = StartEngine(Arena::Own());
//   LiveSandbox sandbox(*engine, HostTemplate(Arena::Own()));
//   EXPECT_EQ(sandbox.Run("make_links /tmp/links"), "made");
//   EXPECT_FALSE(sandbox.guest().Stat({.user = "", .path = "/tmp/links/guest_root"}));
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "engine/native/native_engine.h"
#include "guest_link/guest_channel.h"

namespace cay::attacks {

std::unique_ptr<engine::native::NativeEngine> StartEngine(const Arena& arena);

// What sandboxes of the `host` template start from.
engine::RootFilesystem HostTemplate(const Arena& arena);

struct CommandResult {
  int exit_code = -1;
  uint32_t signal = 0;
  std::string out;  // both streams

  std::string LastLine() const;
};

class LiveSandbox {
 public:
  // Aborts the test program when it cannot be made. The victim is at /attack/attack-victim.
  LiveSandbox(engine::Engine& engine, const engine::RootFilesystem& root,
              const engine::Limits& limits = {},
              engine::Lifetime lifetime = engine::Lifetime::kEphemeral);
  struct Kind {
    Privileges privileges = Privileges::kNone;
    std::vector<engine::Mount> mounts{};  // beside /attack
  };
  LiveSandbox(engine::Engine& engine, const engine::RootFilesystem& root, const Kind& kind);
  LiveSandbox(const LiveSandbox&) = delete;
  LiveSandbox& operator=(const LiveSandbox&) = delete;
  ~LiveSandbox();

  const SandboxId& id() const { return id_; }
  const GuestChannel& guest() const { return guest_; }

  CommandResult Execute(std::vector<std::string> argv, const std::string& user = {}) const;
  // The verdict of a probe.
  std::string Run(const std::string& probe) const;

  ProcessStream Start(std::vector<std::string> argv, const std::string& user = {}) const;

 private:
  engine::Engine& engine_;
  SandboxId id_;
  GuestChannel guest_;
};

// To the end of the process, or 30 s.
CommandResult Finish(ProcessStream& stream);

}  // namespace cay::attacks
