// The parts of a manager over a fake engine and a fake clock, for tests that try each way to fail:
// nothing happens by itself but what the pools' thread does.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/test_clock.h"
#include "base/testing/test_eventually.h"
#include "engine/fake/fake_engine.h"
#include "sandbox/lifecycle/core.h"
#include "sandbox/lifecycle/creator.h"
#include "sandbox/lifecycle/pool.h"
#include "sandbox/lifecycle/reconcile.h"
#include "sandbox/lifecycle/sweeper.h"
#include "sandbox/lifecycle/transitions.h"
#include "sandbox/lifecycle/visits.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

using engine::fake::Call;
using engine::fake::FakeEngine;
using engine::fake::FakeMachine;

// What a failure must leave as it was.
struct Standings {
  size_t admitted = 0;
  std::map<std::string, size_t> owners{};
  Bytes memory = 0;
  Bytes disk = 0;
  std::map<std::string, std::string> registered{};  // id: state, name
  std::map<std::string, std::string> rows{};    // id: state, name, whether it is being destroyed
  std::map<std::string, std::string> engine{};  // id: state

  bool operator==(const Standings&) const = default;
};
void PrintTo(const Standings& standings, std::ostream* out);

// A server's heart. Its members stand in the order in which they are made.
struct Heart {
  Heart(const ManagerOptions& options, FakeEngine& engine, templates::TemplateStore& templates,
        store::Store& store, EventLog& events);
  ~Heart();
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  Core core;
  Transitions transitions;
  Visits visits;
  Sweeper sweeper;
  Pools pools;
  Creator creator;
};

class LifecycleTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  LifecycleTest();
  ~LifecycleTest() override;

  // Ends the server and its engine's object; the next one finds what they left.
  Result<ReconcileReport> Restart();
  void Close();
  Result<ReconcileReport> Open();

  Core& core() { return heart_->core; }
  Transitions& transitions() { return heart_->transitions; }
  Result<SandboxView> TryCreate(const SandboxSpec& spec = {}) {
    return heart_->creator.Create(me_, spec, {});
  }
  // Of one that must be made.
  Sandbox& Create(const SandboxSpec& spec = {});
  Sandbox& Get(const SandboxId& id);
  Standings Take();
  uint64_t Failed() const { return heart_->core.metrics.Take().failed; }

  // Each write of a sandbox's row fails, or none does.
  void FailRows();
  void AllowRows();

  static templates::TemplateStore& templates() { return *templates_; }
  static Error Broken() { return {ErrorCode::kIo, Fault::kMachine, "the fake engine is broken"}; }
  static Error Busy() {
    return {ErrorCode::kUnavailable, Fault::kMachine, "the fake engine is away"};
  }

  const Caller me_{.owner = "me", .admin = false};
  FakeClock clock_;
  std::string directory_;
  ManagerOptions options_;
  engine::fake::FakeOptions engine_options_;
  std::shared_ptr<FakeMachine> machine_ = std::make_shared<FakeMachine>();
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::optional<RelaySource> relays_from_;  // none: this program as another process
  std::unique_ptr<Heart> heart_;
  std::vector<std::pair<std::string, std::string>> gone_;  // what OnGuestGone was told: id, reason

 private:
  std::vector<std::shared_ptr<Sandbox>> held_;  // until its server ends, also of what is destroyed
  static inline std::string templates_directory_;
  static inline std::optional<templates::TemplateStore> templates_;
};

MATCHER_P(FailsWith, code, "") {
  if (arg) {
    *result_listener << "it succeeded";
    return false;
  }
  *result_listener << arg.error().ToString();
  return arg.error().code() == code;
}

}  // namespace cay::sandbox
