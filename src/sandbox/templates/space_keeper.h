// SpaceKeeper: keeps what the server's templates, builds and pulls leave on the disk within the
// administrator's budget (template/space/make_room.h): when the server starts, when the budget
// changes, and every ten minutes. Whoever is about to let something grow asks for room by himself.
//
//   auto space = TRY(SpaceKeeper::Open(config.space, templates));
//
// The budget is written into the store, so that other programs of this machine keep to it, too.
// Its thread alone collects; any thread may call.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "template/metadata/space_budget.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

class SpaceKeeper {
 public:
  // The templates outlive it.
  static Result<std::unique_ptr<SpaceKeeper>> Open(const templates::SpaceBudget& budget,
                                                   templates::TemplateStore& templates);
  ~SpaceKeeper();
  SpaceKeeper(const SpaceKeeper&) = delete;
  SpaceKeeper& operator=(const SpaceKeeper&) = delete;

  void Reconfigure(const templates::SpaceBudget& budget);
  // A collection that is under way is finished first.
  void Stop();

 private:
  explicit SpaceKeeper(templates::TemplateStore& templates) : templates_(templates) {}
  void Run();

  templates::TemplateStore& templates_;
  std::mutex mutex_;
  std::condition_variable changed_;
  templates::SpaceBudget budget_{};
  bool asked_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cay::sandbox
