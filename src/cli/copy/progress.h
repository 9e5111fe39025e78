// Progress: one line on the terminal about a transfer: bytes, share, rate, time left. Nothing at
// all when standard error is no terminal.
//
//   Progress progress("app.tar", total, quiet);
//   progress.Add(bytes);      // as often as one likes: drawn at most ten times a second
//   // taken away again when it ends
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace cay::cli {

// "app.tar  12.0 MiB / 48.0 MiB  25%  6.0 MiB/s  6s left", at most `columns` wide. Pure.
std::string FormatProgress(const std::string& name, uint64_t done, std::optional<uint64_t> total,
                           Millis elapsed, size_t columns);

class Progress {
 public:
  // Without a total there is no share and no time left. `quiet`: nothing is drawn.
  Progress(std::string name, std::optional<uint64_t> total, bool quiet);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void Add(uint64_t bytes);
  uint64_t done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string name_;
  std::optional<uint64_t> total_;
  bool shown_;
  bool drawn_ = false;
  uint64_t done_ = 0;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace cay::cli
