#include <signal.h>

#include <cstdlib>
#include <filesystem>

#include "engine/fake/fake_engine.h"
#include "engine_world.h"

namespace cay::engine {
namespace {

class FakeWorld : public EngineWorld {
 public:
  explicit FakeWorld(fake::FakeOptions options) : options_(std::move(options)) {}
  std::unique_ptr<Engine> Start() override {
    return std::make_unique<fake::FakeEngine>(machine_, options_);
  }
  CreateRequest Request(Lifetime lifetime) override {
    CreateRequest request(*SandboxId::Generate(),
                          HostLayers{.overlays = {{.target = "/", .layers = {"/layers/host"}}}});
    request.lifetime = lifetime;
    return request;
  }
  void KillGuest(Engine& engine, const SandboxId& id, const Fd&) override {
    static_cast<fake::FakeEngine&>(engine).EndGuest(
        id, {.reason = ExitReason::kSignalled, .signal = SIGKILL});
  }
  std::string MakeVolume(const std::string& name) override {
    const auto made = volumes_.Show({{name + "/image", ""}});
    if (!made) std::abort();
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(made->get())).string() +
           "/" + name;
  }
  bool IsEmpty(Engine&) override { return machine_->sandboxes.empty(); }

 private:
  const fake::FakeOptions options_;
  fake::FakeDisk volumes_;
  const std::shared_ptr<fake::FakeMachine> machine_ = std::make_shared<fake::FakeMachine>();
};

}  // namespace

std::unique_ptr<EngineWorld> MakeFakeWorld() {
  return std::make_unique<FakeWorld>(fake::FakeOptions{});
}

std::unique_ptr<EngineWorld> MakePoorFakeWorld() {
  return std::make_unique<FakeWorld>(
      fake::FakeOptions{.name = "poor", .can = {.host_layers = true}});
}

}  // namespace cay::engine
