#include "sandbox/templates/space_keeper.h"

#include <chrono>

#include "base/os/log.h"
#include "template/space/make_room.h"

namespace cay::sandbox {
namespace {

constexpr auto kEvery = std::chrono::minutes(10);

Result<void> Tell(const templates::TemplateStore& store, const templates::SpaceBudget& budget) {
  const std::string& directory = store.layers().directory();
  if (templates::ReadBudget(directory) == budget) return {};
  return templates::WriteBudget(directory, budget);
}

}  // namespace

Result<std::unique_ptr<SpaceKeeper>> SpaceKeeper::Open(const templates::SpaceBudget& budget,
                                                       templates::TemplateStore& templates) {
  std::unique_ptr<SpaceKeeper> keeper(new SpaceKeeper(templates));
  keeper->budget_ = budget;
  // A server starts on a full disk, too: then others keep to what they knew.
  if (const auto told = Tell(templates, budget); !told)
    LogWarning("the budget of space is not written: " + told.error().ToString());
  keeper->thread_ = std::thread([at = keeper.get()] { at->Run(); });
  return keeper;
}

SpaceKeeper::~SpaceKeeper() { Stop(); }

void SpaceKeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void SpaceKeeper::Reconfigure(const templates::SpaceBudget& budget) {
  const std::lock_guard lock(mutex_);
  if (budget == budget_) return;
  budget_ = budget;
  asked_ = true;
  changed_.notify_all();
}

void SpaceKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    asked_ = false;
    const templates::SpaceBudget budget = budget_;
    lock.unlock();
    if (const auto told = Tell(templates_, budget); !told)
      LogWarning("the budget of space is not written: " + told.error().ToString());
    const auto freed = templates::KeepToBudget(templates_);
    if (!freed) {
      LogWarning("space is not collected: " + freed.error().ToString());
    } else if (*freed > 0) {
      LogInfo("space: removed what can be made again, " + HumanBytes(*freed));
    }
    lock.lock();
    changed_.wait_for(lock, kEvery, [this] { return asked_ || stopping_; });
  }
}

}  // namespace cay::sandbox
