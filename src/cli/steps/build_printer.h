// BuildPrinter: what a person sees of a build. Plain: a line for each thing, which a log keeps.
//
//   #2 [app 2/4] RUN make
//   #2 0.31 cc -O2 -c main.c
//   #2 done, 1.2s
//   #3 [app 3/4] COPY . .: cached
//
// On a terminal: a line for each step, and below those that go on the last of what they write,
// drawn over again. Output of steps is a stranger's: what is no text of it is not printed.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "build/build_event.h"
#include "build/stages/build.h"

namespace cay::cli {

enum class BuildProgress : uint8_t { kAuto, kPlain, kBar, kQuiet };
// "auto", "plain", "bar" or "quiet".
Result<BuildProgress> ParseBuildProgress(std::string_view word);

class BuildPrinter {
 public:
  explicit BuildPrinter(BuildProgress progress);
  BuildPrinter(const BuildPrinter&) = delete;
  BuildPrinter& operator=(const BuildPrinter&) = delete;
  ~BuildPrinter() { Clear(); }

  // One call at a time.
  void Take(const build::BuildEvent& event);
  // What went wrong, with the end of the output where it was not printed already.
  void TakeFailure(const build::StepFailure& failure, const std::string& file_name);
  // Takes away what is drawn over.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    std::string heading;
    Clock::time_point began{};
    std::string unfinished{};        // a line of output without its end
    std::deque<std::string> last{};  // lines of output
  };

  void Began(const build::BuildEvent& event);
  void Output(const build::BuildEvent& event);
  void OutputLine(size_t id, Running& step, std::string_view line);
  void Ended(const build::BuildEvent& event);
  void Line(const std::string& line);
  void Draw();

  const bool quiet_;
  const bool bars_;
  std::map<size_t, Running> running_;
  size_t drawn_ = 0;  // lines on the terminal
  Clock::time_point next_draw_{};
};

// A line of a step's output as a terminal may show it: colours and what was written over are taken
// out, other control characters are \xNN.
std::string OutputLineOf(std::string_view line);

// "exited with 2", "was ended by SIGKILL: the sandbox's memory was used up (--memory)".
std::string DescribeEnd(const build::StepEnd& end);

}  // namespace cay::cli
