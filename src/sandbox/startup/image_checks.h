// ImageChecks: runs the tests that images have (HEALTHCHECK) inside their sandboxes, on one thread.
//
//   auto checks = TRY(ImageChecks::Start(manager, processes));
//   checks->Watch(id, view.started_unix_ms, *view.startup->plan.check);   // until that life ends
//
// A test is a process of the sandbox that nobody lists and no history has, and no use of the
// sandbox: it stays as idle as it is. Of each sandbox there is one at a time; it has the time that
// the image gives it, but at most kLongestCheck, and kMaxCheckBytes of output, of which
// kMaxCheckOutput are kept. When it is over, nothing of it runs any more. A paused sandbox is not
// tested.
//
// Thread-safe. The manager and the keeper outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/os/wakeup.h"
#include "base/result.h"
#include "guest_link/guest_channel.h"
#include "guest_link/process_stream.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"
#include "sandbox/startup.h"

namespace cay::sandbox {

inline constexpr Millis kLongestCheck{600'000};
inline constexpr Bytes kMaxCheckBytes = 1 * kMiB;
inline constexpr size_t kMaxChecksAtOnce = 1024;  // of the server; the others wait

class ImageChecks {
 public:
  static Result<std::unique_ptr<ImageChecks>> Start(Manager& manager, ProcessKeeper& processes);
  ~ImageChecks();
  ImageChecks(const ImageChecks&) = delete;
  ImageChecks& operator=(const ImageChecks&) = delete;

  // From now on, in place of an earlier life's.
  void Watch(const SandboxId& id, int64_t started_unix_ms, CheckPlan plan);

 private:
  // A sandbox that is tested.
  struct Tested {
    int64_t started_unix_ms = 0;
    CheckPlan plan{};
    CheckReport report{};
    bool was_cut = false;             // the last test had no end, and nobody said why
    bool runs = false;                // a test of it
    std::optional<SteadyTime> due{};  // where it stands in queue_
  };
  // A test that runs, or whose leftovers are being ended.
  struct Running {
    Running(SandboxId its_id, int64_t life) : id(std::move(its_id)), started_unix_ms(life) {}
    const SandboxId id;
    const int64_t started_unix_ms;  // of the sandbox
    std::optional<Lease> lease{};
    std::optional<ProcessStream> stream{};
    std::optional<PendingKill> kill{};
    SteadyTime until{};    // of the stage that it is in
    uint64_t process = 0;  // as its guest calls it; 0: not started yet
    Bytes bytes = 0;       // of output
    CheckResult result{};
    bool goes_on = false;  // more of its output may be here already
    bool over = false;     // its result is told
  };

  ImageChecks(Manager& manager, ProcessKeeper& processes, Wakeup wake)
      : manager_(manager), processes_(processes), wake_(std::move(wake)) {}
  void Run();
  bool TakeOrders();  // false: it is to end
  void StartDue();
  void StartOne(const SandboxId& id, Tested& tested);
  Result<void> Begin(Running& running, const CheckPlan& plan, Lease lease);
  bool Advance(Running& running);  // true: nothing of it is left
  void TakeOutput(Running& running);
  void OnExited(Running& running, const protocol::Exited& exited);
  void EndLeftovers(Running& running);
  void OnError(Running& running, const Error& error);
  void GiveUp(Running& running, const std::string& why);
  void Tell(Running& running);
  void SetDue(const SandboxId& id, Tested& tested, Millis pause);
  void Forget(const SandboxId& id);
  void Wait();

  Manager& manager_;
  ProcessKeeper& processes_;
  Wakeup wake_;
  std::mutex mutex_;
  std::vector<std::pair<SandboxId, Tested>> orders_;
  bool stopping_ = false;

  // The thread's own.
  std::map<SandboxId, Tested> tested_;
  std::set<std::pair<SteadyTime, SandboxId>> queue_;
  std::vector<std::unique_ptr<Running>> running_;
  std::thread thread_;
};

}  // namespace cay::sandbox
