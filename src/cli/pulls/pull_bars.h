// PullBars: what a person sees while an image is pulled or pushed: a line for each layer on a
// terminal, drawn over again at most ten times a second; elsewhere a line when a layer has come.
//
//   3f4ca61aafcd  [=========>          ]  12.0 MiB / 28.2 MiB
//   a2318d6c47ec  fetched, 3.3 MiB
//   unpacking  61.2 MiB
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "template/pull/pull.h"

namespace cay::cli {

// Of one layer, or of the unpacking or packing of all; at most `columns` wide. Pure.
std::string FormatPullLine(const templates::PullProgress& progress, size_t columns);

// Calls come one at a time, from any thread.
class PullBars {
 public:
  explicit PullBars(bool quiet);
  PullBars(const PullBars&) = delete;
  PullBars& operator=(const PullBars&) = delete;
  // The lines stay.
  ~PullBars();

  void Show(const templates::PullProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  void Draw();

  const bool quiet_;
  const bool terminal_;
  std::vector<templates::PullProgress> lines_;  // one of each layer, in the order they came
  size_t drawn_ = 0;                            // lines on the terminal
  Clock::time_point next_{};
};

}  // namespace cay::cli
