// Timer: one thread that calls back when an absolute time has come, for each sandbox one time.
//
//   Timer timer(Millis(60'000), [&](const SandboxId& id) { … });
//   timer.Earlier(id, unix_ms);        // calls at that time, unless an earlier one is set
//
// Use moves deadlines later all the time; that costs nothing here: the call comes at the old time,
// and the callee looks and sets the new one. Times are of the wall clock, because they outlive the
// server; the thread looks at the clock again every `longest_wait`, in case it was set.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/id.h"
#include "base/units.h"

namespace cay::sandbox {

class Timer {
 public:
  // `fire` is called on the timer's thread, for an id that is no longer set; `look` each time the
  // thread woke, at least every `longest_wait`.
  Timer(Millis longest_wait, std::function<void(const SandboxId&)> fire,
        std::function<void()> look);
  ~Timer() { Stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Earlier(const SandboxId& id, int64_t unix_ms);
  void Forget(const SandboxId& id);
  // No call is under way afterwards, and none comes.
  void Stop();

 private:
  void Run();

  const Millis longest_wait_;
  const std::function<void(const SandboxId&)> fire_;
  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<SandboxId, int64_t> times_;
  std::set<std::pair<int64_t, SandboxId>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cay::sandbox
