#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/os/file.h"
#include "engine/native/launcher/inventory.h"
#include "engine/native/native_engine.h"
#include "engine_world.h"
#include "template/store/template_store.h"
#include "volume/store/volume_store.h"
#include "volume/volume_dir.h"

namespace cay::engine {
namespace {

// As root, on the host's own template.
class NativeWorld : public EngineWorld {
 public:
  NativeWorld() {
    if (::geteuid() != 0) return;
    std::string pattern = ::testing::TempDir() + "cay-conformance-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    paths_ = {directory_ + "/state", directory_ + "/run"};
    if (!MakeDirectories(paths_.run_dir, 0711)) std::abort();
    auto store = templates::TemplateStore::Open(
        paths_, [paths = paths_] { return native::ListStatuses(paths); });
    if (!store) std::abort();
    auto host = store->Find("host");
    if (!host) std::abort();
    host_ = *std::move(host);
  }
  ~NativeWorld() override {
    if (directory_.empty()) return;
    {
      const auto engine = Start();
      if (const auto list = engine->List())
        for (const SandboxStatus& status : *list) (void)engine->Destroy(status.id);
    }
    EXPECT_TRUE(native::CollectGarbage(paths_));
    std::filesystem::remove_all(directory_);
  }

  std::string WhyNot() const override { return directory_.empty() ? "needs root" : ""; }
  std::unique_ptr<Engine> Start() override {
    auto engine = native::NativeEngine::Start({.paths = paths_, .launcher_path = CAY_PROGRAM});
    if (!engine) std::abort();
    return *std::move(engine);
  }
  CreateRequest Request(Lifetime lifetime) override {
    CreateRequest request(*SandboxId::Generate(), host_->root);
    request.limits.disk = 32 * kMiB;
    request.limits.memory = 128 * kMiB;
    request.scratch = Scratch::kMemory;
    request.lifetime = lifetime;
    return request;
  }
  void KillGuest(Engine&, const SandboxId&, const Fd& guest) override {
    EXPECT_EQ(::syscall(SYS_pidfd_send_signal, guest.get(), SIGKILL, nullptr, 0), 0);
  }
  std::string MakeVolume(const std::string& name) override {
    volume::VolumeStore store(paths_,
                              []() -> Result<std::vector<volume::VolumeUser>> { return {}; });
    const auto made = store.Create(name, volume::kMinVolume);
    if (!made) std::abort();
    return store.DirectoryOf(name);
  }
  bool IsEmpty(Engine&) override {
    const auto inventory = native::TakeInventory(paths_);
    return inventory && inventory->empty();
  }

 private:
  std::string directory_;  // empty: an ordinary user's
  Paths paths_;
  std::optional<templates::Template> host_;
};

}  // namespace

std::unique_ptr<EngineWorld> MakeNativeWorld() { return std::make_unique<NativeWorld>(); }

}  // namespace cay::engine
