// StartupKeeper: starts the process that a sandbox's creator asked for (sandbox/startup.h) whenever
// the sandbox starts, and has its image's test run.
//
//   auto startups = TRY(StartupKeeper::Open(manager, processes));   // from then on
//
// It is a process like any other: with its output, in the list of processes, with the tag
// "startup". One that cannot be started does not keep the sandbox from starting: the sandbox says
// why. What an earlier server started is not started again.
//
// The manager and the keeper of processes outlive it.
#pragma once

#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"
#include "sandbox/startup/image_checks.h"

namespace cay::sandbox {

inline constexpr std::string_view kStartupTag = "startup";

class StartupKeeper {
 public:
  static Result<std::unique_ptr<StartupKeeper>> Open(Manager& manager, ProcessKeeper& processes);
  ~StartupKeeper();
  StartupKeeper(const StartupKeeper&) = delete;
  StartupKeeper& operator=(const StartupKeeper&) = delete;

 private:
  StartupKeeper(Manager& manager, ProcessKeeper& processes, std::unique_ptr<ImageChecks> checks)
      : manager_(manager), processes_(processes), checks_(std::move(checks)) {}
  void Begin(const SandboxId& id);
  Result<StartupBegin> StartFor(const Lease& lease);
  void TakeOver();
  void TakeOverRunning(const SandboxId& id, const SandboxView& view);
  void FinishStarting(const SandboxId& id);
  void WatchHealth(const SandboxId& id, const SandboxView& view);

  Manager& manager_;
  ProcessKeeper& processes_;
  std::unique_ptr<ImageChecks> checks_;
  std::thread late_;  // starts what an earlier server had not come to
};

}  // namespace cay::sandbox
