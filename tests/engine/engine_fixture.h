// The fixture of the conformance suite: one kind of engine, and what is asked of its guests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine_world.h"
#include "guest_link/guest_channel.h"

namespace cay::engine {

class EngineConformance : public ::testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Ends the object there is, and makes the next one.
  void Restart();
  Capabilities can() const { return engine_->capabilities(); }

  CreateRequest Request(Lifetime lifetime = Lifetime::kPersistent) {
    return world_->Request(lifetime);
  }
  // Of one that must be there: a failure ends the test's process, which could only go on wrongly.
  SandboxId Create(Lifetime lifetime = Lifetime::kPersistent);
  std::optional<SandboxStatus> StatusOf(const SandboxId& id);

  GuestChannel GuestOf(const SandboxId& id) {
    return GuestChannel([this, id] { return engine_->Connect(id); });
  }
  bool Answers(const SandboxId& id) { return GuestOf(id).Ping().has_value(); }
  struct Ran {
    std::string out;
    std::optional<protocol::Exited> exited;
  };
  Ran Run(const SandboxId& id, std::vector<std::string> argv);
  // Its name for the guest.
  uint64_t Begin(const SandboxId& id, std::vector<std::string> argv);
  bool Runs(const SandboxId& id, uint64_t process);
  Result<void> Write(const SandboxId& id, std::string_view path, std::string_view text);
  Result<std::string> Read(const SandboxId& id, std::string_view path);

  // Kills its guest, and waits until that is seen.
  void KillGuest(const SandboxId& id);

  std::unique_ptr<EngineWorld> world_;
  std::unique_ptr<Engine> engine_;
};

// Polls readable within some seconds.
bool BecomesReadable(const Fd& fd);
bool IsReadable(const Fd& fd);

MATCHER_P(FailsWith, code, "") {
  if (arg) {
    *result_listener << "it succeeded";
    return false;
  }
  *result_listener << arg.error().ToString();
  return arg.error().code() == code;
}

}  // namespace cay::engine
