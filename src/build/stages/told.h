// Told: what is told of a build, by any of its threads: events, one at a time, the count of steps,
// and the first step that failed.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "build/stages/build.h"

namespace cay::build {

class Told {
 public:
  Told(const BuildWatch& watch, std::string file_name)
      : watch_(watch), file_name_(std::move(file_name)) {}

  void Tell(const BuildEvent& event);
  void Warn(uint32_t line, const std::string& text);
  void Note(const StepLabel& step, const std::string& text);
  size_t NextId();
  void CountStep(bool cached);
  // The first that failed; the others are not told.
  void Fail(StepFailure failure);

  // "Dockerfile:12: RUN make".
  std::string PlaceOf(const StepLabel& step) const;

  // When nothing tells any more.
  void TakeInto(BuildEnd& end);

 private:
  const BuildWatch& watch_;
  const std::string file_name_;
  std::mutex mutex_;
  size_t last_id_ = 0;
  uint64_t steps_ = 0;
  uint64_t cached_ = 0;
  std::optional<StepFailure> failure_;
};

// The last bytes of what is written into it.
class OutputEnd {
 public:
  void Add(std::string_view bytes);
  // From the beginning of a line, where something was left out.
  std::string Text() const;

 private:
  std::string kept_;
  bool cut_ = false;
};

}  // namespace cay::build
