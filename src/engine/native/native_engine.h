// NativeEngine: Cay's own engine, on Linux namespaces, cgroups, seccomp, Landlock and overlayfs.
// This is the client's side; the work is done by a launcher process (launcher.h), which is started
// with it and ends with it.
//
//   auto engine = TRY(NativeEngine::Start({.paths = TRY(Paths::Resolve())}));
//   Created created = TRY(engine->Create(request));
//
// Ephemeral sandboxes end with the engine, however it ends: even after SIGKILL to this process or
// to the launcher only directories and cgroups stay, which `cay gc` removes. When the launcher
// dies, the next call starts another one, which takes over the persistent sandboxes; a create,
// start, stop, pause or resume that was under way fails with kUnavailable, other calls are
// repeated.
//
// A launcher that hangs is treated as dead: it is killed when a request takes longer than
// NativeEngineOptions::patience, and a call waits for those before it for at most twice that
// (kUnavailable).
//
// Thread-safe. Of each launcher's sandboxes one request at a time is under way, but Connect does
// not go through a launcher: it never waits behind a create.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "engine/engine.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/launcher/launcher_protocol.h"
#include "engine/native/launcher_link.h"

namespace cay::engine::native {

class NativeEngine : public Engine {
 public:
  // Starts the launcher; does not wait for it to be ready: the first call does.
  static Result<std::unique_ptr<NativeEngine>> Start(const NativeEngineOptions& options);

  // Ends the ephemeral sandboxes and waits for the launcher to be done.
  ~NativeEngine() override;
  NativeEngine(const NativeEngine&) = delete;
  NativeEngine& operator=(const NativeEngine&) = delete;

  Description Describe() const override;
  Capabilities capabilities() const override;
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
  void SetPatience(Millis patience) override { patience_ = patience.count(); }

  // The process of a launcher, or the last one's, for tests that kill it.
  pid_t launcher_pid(size_t number = 0) const { return lanes_[number]->launcher_pid; }

 private:
  // A launcher, and whether a call has it.
  struct Lane {
    explicit Lane(Share lane_share) : share(lane_share) {}
    const Share share;
    std::mutex mutex;
    std::condition_variable idle;
    bool busy = false;                   // a call has the link
    std::unique_ptr<LauncherLink> link;  // null after the launcher's death, until the next call
    std::atomic<pid_t> launcher_pid = 0;
  };

  explicit NativeEngine(const NativeEngineOptions& options);
  Result<void> StartLauncher(Lane& lane);
  Lane& LaneOf(const SandboxId& id) { return *lanes_[Share::NumberOf(id, lanes_.size())]; }
  class Turn;

  // Whether a request may be repeated when the launcher died while it may have worked on it.
  enum class Repeat { kIfUnsent, kAlways };
  struct Course {
    bool asked = false;     // it was sent, so that it may have been done
    bool repeated = false;  // the launcher died of the first, so that it may have been done twice
  };
  // `course`: how it went, also where the result is an error.
  Result<Packet> Call(const SandboxId& id, std::string_view request,
                      Repeat repeat = Repeat::kIfUnsent, Course* course = nullptr);
  struct Asked {
    Result<Packet> reply;
    bool broken = false;
    bool unsent = false;
  };
  Asked AskOnce(Lane& lane, std::string_view request);
  Result<Fd> CallForFd(Operation operation, const SandboxId& id);
  // The launcher's groups. `again`: looks anew, instead of taking what was found before.
  Result<std::shared_ptr<const CgroupTree>> Groups(bool again);

  const NativeEngineOptions options_;
  LauncherLink::Patience patience_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex groups_mutex_;
  std::shared_ptr<const CgroupTree> groups_;  // null until they are asked for
};

}  // namespace cay::engine::native
