// FakeEngine: an engine for tests. In memory, for anybody, without a kernel's help: its sandboxes
// are entries of a FakeMachine, their guests threads (fake_guest.h), their pidfds events.
//
//   auto machine = std::make_shared<FakeMachine>();
//   FakeEngine engine(machine);
//   engine.Fail(Call::kStop, Error(ErrorCode::kIo, Fault::kMachine, "no"));   // the next Stop
//   engine.EndGuest(id, {.reason = ExitReason::kOomKilled});
//   FakeEngine next(machine);     // once `engine` is gone: what the next server finds
//
// It passes the suite that every engine must (tests/engine/). Thread-safe.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/fake/fake_machine.h"

namespace cay::engine::fake {

enum class Call : uint8_t {
  kCreate,
  kDestroy,
  kStop,
  kStart,
  kReset,
  kVisit,
  kEndVisit,
  kPause,
  kResume,
  kUpdate,
  kGetStats,
  kOomKills,
  kConnect,
  kWatch,
  kOpenNetwork,
  kOpenWritten,
  kHoldStill,
  kGoOn,
  kGetExit,
  kList,
  kPromise,
  kReadPromise,
  kDisown,
  kAdopt,
  kCollectGarbage,
};
inline constexpr size_t kCallCount = 25;

// Whether a call that fails did its work before.
enum class When : uint8_t { kBefore, kAfter };

struct FakeOptions {
  std::string name = "fake";
  Capabilities can = {.stop = true,
                      .pause = true,
                      .reset = true,
                      .visit = true,
                      .update_limits = true,
                      .disk_limit = false,
                      .host_mounts = true,
                      .host_layers = true,
                      .files_on_state_disk = false,
                      .network_policy = true,
                      .snapshot = true,
                      .root = true,
                      .volumes = true};
  LimitSet not_enforced{};
};

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(std::shared_ptr<FakeMachine> machine, FakeOptions options = {});
  // Ends ephemeral sandboxes and visits; the other sandboxes run on.
  ~FakeEngine() override;
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  Description Describe() const override;
  Capabilities capabilities() const override { return options_.can; }
  Result<Diagnosis> Diagnose() override;
  Result<Created> Create(const CreateRequest& request) override;
  Result<void> Destroy(const SandboxId& id) override;
  Result<void> Stop(const SandboxId& id) override;
  Result<Created> Start(const SandboxId& id) override;
  using Engine::Reset;
  Result<Created> Reset(const SandboxId& id, const std::optional<RootFilesystem>& root) override;
  Result<Created> Visit(const SandboxId& id) override;
  Result<void> EndVisit(const SandboxId& id) override;
  Result<void> Pause(const SandboxId& id) override;
  Result<void> Resume(const SandboxId& id) override;
  Result<void> Update(const SandboxId& id, const Limits& limits) override;
  Result<Stats> GetStats(const SandboxId& id) override;
  Result<std::optional<uint64_t>> OomKills(const SandboxId& id) override;
  using Engine::Connect;
  Result<Fd> Connect(const SandboxId& id, Millis patience) override;
  Result<Fd> Watch(const SandboxId& id) override;
  Result<NetworkSockets> OpenNetwork(const SandboxId& id) override;
  Result<WrittenLayers> OpenWritten(const SandboxId& id) override;
  Result<void> HoldStill(const SandboxId& id) override;
  Result<void> GoOn(const SandboxId& id) override;
  Result<Exit> GetExit(const SandboxId& id) override;
  Result<std::vector<SandboxStatus>> List() override;
  Result<void> Promise(const SandboxId& id, std::string_view promise) override;
  Result<std::string> ReadPromise(const SandboxId& id) override;
  Result<void> Disown(const SandboxId& id) override;
  Result<void> Adopt(const SandboxId& id) override;
  Result<GarbageReport> CollectGarbage(const GarbageOptions& options) override;
  void SetPatience(Millis) override {}

  // What tests do to it.

  // Makes the next `times` calls of that kind fail, after those that are to fail already.
  void Fail(Call call, Error error, size_t times = 1, When when = When::kBefore);
  // Calls of that kind wait, before they do anything, until this is gone.
  class Held {
   public:
    Held(FakeEngine& engine, Call call);
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    // Until somebody waits.
    void AwaitCaller();

   private:
    FakeEngine& engine_;
    const Call call_;
  };
  size_t calls(Call call) const;

  // What would happen in or to a sandbox, which exists.
  void EndGuest(const SandboxId& id, const engine::Exit& end);
  // Whether somebody serves its network, and a connection that a program inside makes.
  bool HasNetwork(const SandboxId& id);
  Result<Fd> ConnectInside(const SandboxId& id);
  void KillInside(const SandboxId& id);  // one process, for want of memory
  void SetSilent(const SandboxId& id, bool silent);
  void Damage(const SandboxId& id, std::string why);
  // As if somebody had removed all of it.
  void Forget(const SandboxId& id);

 private:
  struct Failing {
    Error error;
    size_t times;
    When when;
  };
  struct Kind {
    std::deque<Failing> failures;
    size_t calls = 0;
    size_t waiting = 0;
    bool held = false;
  };

  // What each call is.
  template <class Act>
  auto Do(Call call, const Act& act) -> decltype(act()) {
    TRY(Enter(call));
    auto done = [&] {
      const std::lock_guard lock(machine_->mutex);
      return act();
    }();
    TRY(TakeFailure(call, When::kAfter));
    return done;
  }
  Result<void> Enter(Call call);
  Result<void> TakeFailure(Call call, When when);
  // With the machine's lock.
  Result<FakeSandbox*> Find(const SandboxId& id);
  Result<FakeSandbox*> FindIn(const SandboxId& id, std::initializer_list<State> states);
  Result<FakeSandbox*> FindAnyhow(const SandboxId& id);
  Result<Created> CreateAlone(const CreateRequest& request);
  Result<Created> Begin(FakeSandbox& sandbox);
  Result<Created> CreatedOf(const FakeSandbox& sandbox) const;
  static void NoteExit(FakeSandbox& sandbox);
  static void EndGuestOf(FakeSandbox& sandbox, const engine::Exit& exit);
  Result<void> CheckCan(bool can, std::string_view what) const;
  Result<void> CheckRequest(const CreateRequest& request) const;
  Result<void> CheckVolumes(const CreateRequest& request) const;

  Kind& KindOf(Call call) { return kinds_[static_cast<size_t>(call)]; }

  const std::shared_ptr<FakeMachine> machine_;
  const FakeOptions options_;
  mutable std::mutex mutex_;  // of what tests want; never held with the machine's
  std::condition_variable changed_;
  std::array<Kind, kCallCount> kinds_{};
};

}  // namespace cay::engine::fake
