// StopAtSignal: stops a build of this machine at the first signal that asks for it; the second ends
// this program.
//
//   const auto signals = TRY(StopAtSignal::Begin(stop));
//   auto end = build::Build(machine, request, watch, stop);
//   if (!end && signals->signal() != 0) …
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "base/loop/stop_timer.h"
#include "base/os/wakeup.h"
#include "base/result.h"
#include "cli/frame/signal_scope.h"

namespace cay::cli {

class StopAtSignal {
 public:
  // It outlives this. A thread waits for signals until this goes away.
  static Result<std::unique_ptr<StopAtSignal>> Begin(StopTimer& stop);
  StopAtSignal(const StopAtSignal&) = delete;
  StopAtSignal& operator=(const StopAtSignal&) = delete;
  ~StopAtSignal();

  int signal() const { return signal_.load(); }  // 0: none yet

 private:
  explicit StopAtSignal(StopTimer& stop) : stop_(stop), scope_(false) {}
  void Wait();

  StopTimer& stop_;
  SignalScope scope_;
  std::optional<CallersSignals> signals_;
  std::optional<Wakeup> ended_;
  std::atomic<int> signal_ = 0;
  std::thread thread_;
};

}  // namespace cay::cli
