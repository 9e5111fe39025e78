// Island: Cay's own engine as the benchmarks use it, on a state directory of its own.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "engine/engine.h"
#include "guest_link/guest_channel.h"
#include "template/store/template_store.h"

namespace cay::bench {

class Island {
 public:
  // Starts a launcher: the program `cay`. `state_dir` and everything in it is the caller's.
  static Result<Island> Start(const std::string& state_dir, const std::string& cay);

  struct Made {
    SandboxId id;
    engine::Created created;
  };
  // A sandbox of the `host` template with the default limits, except for its disk. From any thread.
  Result<Made> Create(engine::Scratch scratch, Bytes disk = 1 * kGiB);
  Result<void> Destroy(const SandboxId& id) { return engine_->Destroy(id); }

  // Starts `argv` inside and waits for its end. `sink` is given all output. Fails unless it exits
  // with 0.
  Result<void> Run(const SandboxId& id, const std::vector<std::string>& argv,
                   const Sink& sink = {});

  // What is still on the machine of the sandboxes that were made here, one line each.
  Result<std::vector<std::string>> Leftovers() const;

  engine::Engine& engine() { return *engine_; }
  const Paths& paths() const { return paths_; }

 private:
  Island(Paths paths, templates::Template host, std::unique_ptr<engine::Engine> engine)
      : paths_(std::move(paths)), host_(std::move(host)), engine_(std::move(engine)) {}

  Paths paths_;
  templates::Template host_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::vector<SandboxId> made_;  // all, destroyed ones too; under mutex_
};

}  // namespace cay::bench
