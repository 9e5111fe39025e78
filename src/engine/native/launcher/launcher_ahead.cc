// The fifth part of Launcher: what is made ahead of a sandbox, and what is left for after one.

#include <utility>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/network/open_network.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {

Result<SandboxDir> Launcher::MakeDir(const SandboxId& id) {
  const std::string directory = options_.paths.sandboxes_dir();
  dir_wanted_ = true;
  if (!dir_ahead_) return SandboxDir::Make(directory, id);
  SandboxDir ahead = *std::exchange(dir_ahead_, std::nullopt);
  auto renamed = ahead.Rename(directory, id);
  if (renamed) return ahead;
  (void)std::move(ahead).Remove();
  if (renamed.error().code() == ErrorCode::kAlreadyExists)
    return Failure(std::move(renamed).error());
  return SandboxDir::Make(directory, id);
}

// Of a sandbox that is created with its network. Nothing: it is opened while the sandbox is made.
std::optional<Launcher::ReadyNetwork> Launcher::TakeReadyNetwork() {
  if (!netns_ || options_.one_shot) return std::nullopt;
  if (!networks_) {
    auto pool = PoolOfOpenNetworks(kNetworksAhead);
    if (!pool) return std::nullopt;
    networks_ = *std::move(pool);
  }
  std::optional<Netns> ready = networks_->TakeReady();
  if (!ready) return std::nullopt;
  auto sockets = TakeNetwork(std::move(ready->furniture));
  if (!sockets) return std::nullopt;
  network_opened_ = true;
  return ReadyNetwork{.netns = std::move(ready->fd), .sockets = *std::move(sockets)};
}

// A launcher of one sandbox has nobody who waits meanwhile, and needs no janitor.
void Launcher::LetGoLater(std::vector<Fd> spent) {
  if (options_.one_shot) {
    std::ranges::move(spent, std::back_inserter(spent_));
  } else {
    janitor_.LetGo(std::move(spent));
  }
}

void Launcher::OrderAhead() {
  if (options_.one_shot) return;
  for (auto* const pool : {&netns_, &networks_}) {
    if (!*pool) continue;
    if (const auto ordered = (*pool)->Order(); !ordered) LogWarning(ordered.error().message());
  }
  if (!disk_ahead_) return;
  if (const auto begun = scratch_maker_.Prepare(*disk_ahead_); !begun)
    LogWarning(begun.error().message());
}

bool Launcher::DoIdleWork() {
  ReapStrays();
  if (!spent_.empty()) {
    spent_.pop_back();
    return true;
  }
  OrderAhead();
  if (netns_ && options_.one_shot && !has_made_) {
    const auto refilled = netns_->Refill();
    if (!refilled) LogWarning(refilled.error().message());
    if (refilled && *refilled) return true;
  }
  if (dir_wanted_ && !dir_ahead_ && !options_.one_shot) {
    dir_wanted_ = false;
    auto made = SandboxDir::MakeAhead(options_.paths.sandboxes_dir());
    if (made) dir_ahead_ = *std::move(made);
    return true;  // where it fails, the next create says why
  }
  return CleanUp();
}

bool Launcher::HoldsAhead() const {
  if (sandboxes_.empty()) return dir_ahead_ || networks_ || scratch_maker_.held() > 0;
  return scratch_maker_.held() > 1 || (netns_ && netns_->ready() > options_.netns_pool) ||
         (networks_ && networks_->ready() > kNetworksAhead);
}

void Launcher::LetGoOfAhead() {
  if (netns_) netns_->Shrink();
  if (networks_) networks_->Shrink();
  if (!sandboxes_.empty()) {
    std::vector<Fd> spent;
    for (UnnamedScratch& spare : scratch_maker_.Shrink()) {
      spent.push_back(std::move(spare.mount));
      spent.push_back(std::move(spare.image));
    }
    LetGoLater(std::move(spent));
    return;
  }
  LetGoOfAllAhead();
}

// Until there are none, or none goes any more: somebody may have one open.
void Launcher::RemoveSpareLoops() {
  const size_t spare = volume::CountSpareLoopDevices();
  loops_spent_ = spare > 0 && spare < std::exchange(spare_loops_, spare);
  if (loops_spent_) {
    janitor_.RemoveSpareLoops();
  } else {
    spare_loops_ = SIZE_MAX;
  }
}

void Launcher::LetGoOfAllAhead() {
  disk_ahead_.reset();
  scratch_maker_.LetGo();
  networks_.reset();
  if (!dir_ahead_) return;
  const auto removed = std::move(*dir_ahead_).Remove();
  if (!removed) LogWarning(removed.error().message());
  dir_ahead_.reset();
}

}  // namespace cay::engine::native
