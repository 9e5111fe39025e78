// NativeEngine: Cay's own engine, on Linux namespaces, cgroups, seccomp, Landlock and overlayfs.
// This is the client's side; the work is done by a launcher process (launcher.h), which is started
// with it and ends with it.
//
//   auto engine = TRY(NativeEngine::Start({.paths = TRY(Paths::Resolve())}));
//   Created created = TRY(engine->Create(request));
//
// Ephemeral sandboxes end with the engine, however it ends: even of SIGKILL to this process or to
// the launcher nothing stays but directories and cgroups, which `cay gc` removes. Thread-safe: one
// request at a time is under way.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/paths.h"
#include "engine/engine.h"
#include "engine/native/launcher_protocol.h"
#include "engine/native/packet.h"

namespace cay::engine::native {

struct NativeEngineOptions {
  Paths paths;
  // Executed as `PATH launcher`, with its end of the control socket as standard input.
  std::string launcher_path = "/proc/self/exe";
  size_t netns_pool = 1;  // at most 1024
};

class NativeEngine : public Engine {
 public:
  // Starts the launcher; does not wait for it to be ready: the first call does.
  static Result<std::unique_ptr<NativeEngine>> Start(const NativeEngineOptions& options);

  // Ends the ephemeral sandboxes and waits for the launcher to be done.
  ~NativeEngine() override;
  NativeEngine(const NativeEngine&) = delete;
  NativeEngine& operator=(const NativeEngine&) = delete;

  Result<Created> Create(const CreateRequest& request) override;
  Result<void> Destroy(const SandboxId& id) override;
  Result<void> Stop(const SandboxId& id) override;
  Result<Created> Start(const SandboxId& id) override;
  Result<void> Pause(const SandboxId& id) override;
  Result<void> Resume(const SandboxId& id) override;
  Result<void> Update(const SandboxId& id, const Limits& limits) override;
  Result<Stats> GetStats(const SandboxId& id) override;
  Result<Fd> Connect(const SandboxId& id) override;
  Result<Fd> Watch(const SandboxId& id) override;
  Result<Exit> GetExit(const SandboxId& id) override;
  Result<std::vector<SandboxStatus>> List() override;

  // The launcher's process, for tests that kill it.
  pid_t launcher_pid() const { return launcher_; }

 private:
  NativeEngine(Paths paths, pid_t launcher, Fd control)
      : paths_(std::move(paths)), launcher_(launcher), control_(std::move(control)) {}

  Result<Packet> Receive();
  Result<Packet> Call(std::string_view request);
  Result<Fd> CallForFd(Operation operation, const SandboxId& id);

  Paths paths_;
  pid_t launcher_;
  std::mutex mutex_;
  Fd control_;
  bool greeted_ = false;
};

}  // namespace cay::engine::native
