#include "cli/copy/progress.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "cli/frame/console.h"
#include "cli/frame/terminal_mode.h"

namespace cay::cli {
namespace {

// What is over sooner needs no bar.
constexpr Millis kFirst{500};
constexpr Millis kEvery{100};
constexpr size_t kLongestName = 30;

void WriteToTerminal(std::string_view text) {
  // Nobody is left to be told when this fails.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::string FormatProgress(const std::string& name, uint64_t done, std::optional<uint64_t> total,
                           Millis elapsed, size_t columns) {
  std::string line = OneLine(name);
  if (line.size() > kLongestName) line = "..." + line.substr(line.size() - kLongestName + 3);
  line += "  " + HumanBytes(done);
  if (total) {
    const uint64_t percent =
        *total == 0
            ? 100
            : std::min<uint64_t>(100, static_cast<uint64_t>(static_cast<double>(done) * 100 /
                                                            static_cast<double>(*total)));
    line += " / " + HumanBytes(*total) + "  " + std::to_string(percent) + "%";
  }
  const double seconds = static_cast<double>(elapsed.count()) / 1000;
  if (seconds > 0 && done > 0) {
    const double rate = static_cast<double>(done) / seconds;
    line += "  " + HumanBytes(static_cast<Bytes>(rate)) + "/s";
    if (total && *total > done) {
      const double left = static_cast<double>(*total - done) / rate;
      const auto whole = static_cast<int64_t>(std::min(left + 1, 359'999.0));
      line += "  " + FormatDuration(std::chrono::seconds(whole)) + " left";
    }
  }
  if (line.size() > columns) line.resize(columns);
  return line;
}

Progress::Progress(std::string name, std::optional<uint64_t> total, bool quiet)
    : name_(std::move(name)),
      total_(total),
      shown_(!quiet && ::isatty(STDERR_FILENO) == 1),
      next_(begun_ + kFirst) {}

Progress::~Progress() {
  if (drawn_) WriteToTerminal("\r\x1b[K");
}

void Progress::Add(uint64_t bytes) {
  done_ += bytes;
  if (!shown_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kEvery;
  drawn_ = true;
  const WindowSize window = GetWindowSize(STDERR_FILENO).value_or(WindowSize());
  const auto elapsed = std::chrono::duration_cast<Millis>(now - begun_);
  WriteToTerminal("\r" + FormatProgress(name_, done_, total_, elapsed, window.columns - 1U) +
                  "\x1b[K");
}

}  // namespace cay::cli
