#include "cli/pulls/pull_bars.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/units.h"
#include "cli/frame/terminal_mode.h"

namespace cay::cli {
namespace {

using templates::PullProgress;
using Stage = PullProgress::Stage;

constexpr std::chrono::milliseconds kEvery{100};
constexpr size_t kBar = 20;
constexpr size_t kShortDigest = 12;

void WriteToTerminal(std::string_view text) {
  // Nobody is left to be told when this fails.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

// As people know them from docker: the first letters, without the algorithm.
std::string ShortDigest(const std::string& digest) {
  const size_t colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, kShortDigest);
}

std::string Bar(Bytes done, Bytes total) {
  const size_t full = total == 0 ? kBar : static_cast<size_t>(kBar * std::min(done, total) / total);
  std::string bar(full, '=');
  if (full < kBar) bar += '>';
  bar.resize(kBar, ' ');
  return "[" + bar + "]";
}

}  // namespace

std::string FormatPullLine(const PullProgress& progress, size_t columns) {
  std::string line;
  switch (progress.stage) {
    case Stage::kFetching:
    case Stage::kSending:
      line = ShortDigest(progress.layer) + "  " + Bar(progress.done, progress.total) + "  " +
             HumanBytes(progress.done) + " / " + HumanBytes(progress.total);
      break;
    case Stage::kFetched:
      line = ShortDigest(progress.layer) + "  fetched, " + HumanBytes(progress.total);
      break;
    case Stage::kSent:
      line = ShortDigest(progress.layer) + "  sent, " + HumanBytes(progress.total);
      break;
    case Stage::kWasThere:
      line = ShortDigest(progress.layer) + "  is there already";
      break;
    case Stage::kUnpacking:
      line = "unpacking  " + HumanBytes(progress.done);
      break;
    case Stage::kPacking:
      line = "packing  " + HumanBytes(progress.done);
      break;
  }
  if (line.size() > columns) line.resize(columns);
  return line;
}

PullBars::PullBars(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

PullBars::~PullBars() {
  if (!quiet_ && terminal_ && !lines_.empty()) Draw();
}

void PullBars::Show(const PullProgress& progress) {
  if (quiet_) return;
  if (!terminal_) {
    if (progress.stage == Stage::kFetched || progress.stage == Stage::kSent ||
        progress.stage == Stage::kWasThere)
      WriteToTerminal(FormatPullLine(progress, std::string::npos) + "\n");
    return;
  }
  const auto line = std::ranges::find(lines_, progress.layer, &PullProgress::layer);
  if (line == lines_.end()) {
    lines_.push_back(progress);
  } else {
    *line = progress;
  }
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kEvery;
  Draw();
}

// What does not fit on the screen cannot be drawn over: the last lines are shown then.
void PullBars::Draw() {
  const WindowSize window = GetWindowSize(STDERR_FILENO).value_or(WindowSize{});
  const size_t fit = std::min<size_t>(lines_.size(), std::max<size_t>(window.rows, 3) - 2);
  std::string text;
  if (drawn_ > 0) text += "\x1b[" + std::to_string(drawn_) + "A";
  for (size_t i = lines_.size() - fit; i < lines_.size(); ++i)
    text += "\r\x1b[K" + FormatPullLine(lines_[i], std::max<size_t>(window.columns, 20) - 1) + "\n";
  drawn_ = fit;
  WriteToTerminal(text);
}

}  // namespace cay::cli
