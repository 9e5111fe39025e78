#include "build/stages/stage_queue.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace cay::build {
namespace {

class Queue {
 public:
  Queue(std::span<const StageWork> works, const std::function<Result<bool>(size_t)>& build)
      : waiting_(works.begin(), works.end()), build_(build) {}

  void Work() {
    while (const std::optional<size_t> stage = Next()) {
      auto built = build_(*stage);
      const std::lock_guard lock(mutex_);
      --under_way_;
      done_.insert(*stage);
      if (!built && !error_) error_ = built.error();
      failed_ = failed_ || !built || !*built;
      changed_.notify_all();
    }
  }

  Result<bool> End() {
    if (error_) return Failure(*std::move(error_));
    return !failed_;
  }

 private:
  // Nothing when there is no more to do.
  std::optional<size_t> Next() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (failed_ || waiting_.empty()) return std::nullopt;
      const auto ready = std::ranges::find_if(waiting_, [this](const StageWork& work) {
        return std::ranges::all_of(work.needs,
                                   [this](size_t need) { return done_.contains(need); });
      });
      if (ready != waiting_.end()) {
        const size_t stage = ready->stage;
        waiting_.erase(ready);
        ++under_way_;
        return stage;
      }
      // Nothing that is under way could make one ready.
      if (under_way_ == 0) return std::nullopt;
      changed_.wait(lock);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StageWork> waiting_;
  const std::function<Result<bool>(size_t)>& build_;
  std::set<size_t> done_;
  size_t under_way_ = 0;
  bool failed_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<bool> BuildStages(std::span<const StageWork> works, size_t at_a_time,
                         const std::function<Result<bool>(size_t stage)>& build) {
  Queue queue(works, build);
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(at_a_time, works.size()); ++i)
    others.emplace_back([&queue] { queue.Work(); });
  queue.Work();
  for (std::thread& other : others) other.join();
  return queue.End();
}

}  // namespace cay::build
