#include "cli/steps/build_printer.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/os/file.h"
#include "base/text.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"

namespace cay::cli {
namespace {

using build::BuildEvent;

constexpr auto kDrawPause = std::chrono::milliseconds(100);
constexpr size_t kOutputLines = 4;
constexpr size_t kMaxLine = 4096;

bool DrawsBars(BuildProgress progress) {
  if (progress == BuildProgress::kAuto) return ::isatty(STDERR_FILENO) == 1;
  return progress == BuildProgress::kBar;
}

void WriteOut(std::string_view text) {
  [[maybe_unused]] const Result<void> written = WriteAll(STDERR_FILENO, text);
}

size_t Columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

std::string Seconds(double seconds) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.1fs", seconds);
  return std::string(text.data(), static_cast<size_t>(std::max(size, 0)));
}

double SecondsSince(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

std::string Heading(const build::StepLabel& step) {
  return "[" + step.stage + " " + std::to_string(step.number) + "/" + std::to_string(step.of) +
         "] " + OneLine(step.text);
}

// What changes an image's configuration alone is done in no time: nothing is said of it.
bool IsWork(std::string_view text) {
  constexpr std::array<std::string_view, 8> kWork = {"run",     "copy",    "add", "from",
                                                     "workdir", "apt-get", "npm", "pip"};
  const std::string word = Lower(text.substr(0, text.find(' ')));
  return std::ranges::find(kWork, word) != kWork.end();
}

// Bytes of one column each are counted: what is longer in bytes than the terminal is wide is cut.
std::string Fitted(const std::string& line, size_t columns) {
  if (line.size() <= columns) return line;
  size_t end = columns - 1;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end) + "…";
}

// ESC [ … letter (ECMA-48, CSI): colours and the like.
std::string WithoutSequences(std::string_view line) {
  std::string plain;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b' || i + 1 >= line.size() || line[i + 1] != '[') {
      plain.push_back(line[i]);
      continue;
    }
    i += 2;
    while (i < line.size() && (line[i] < '@' || line[i] > '~')) ++i;
  }
  return plain;
}

}  // namespace

std::string OutputLineOf(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (const size_t over = line.rfind('\r'); over != std::string_view::npos)
    line.remove_prefix(over + 1);
  const std::string plain = WithoutSequences(line.substr(0, kMaxLine));
  std::string shown;
  size_t begin = 0;
  for (size_t tab = plain.find('\t'); tab != std::string::npos; tab = plain.find('\t', begin)) {
    shown += OneLine(plain.substr(begin, tab - begin)) + "\t";
    begin = tab + 1;
  }
  return shown + OneLine(plain.substr(begin));
}

std::string DescribeEnd(const build::StepEnd& end) {
  if (end.timed_out) return "did not end within its time (--step-timeout)";
  std::string text = end.signal != 0 ? "was ended by signal " + std::to_string(end.signal)
                                     : "exited with " + std::to_string(end.exit_code);
  if (end.oom_killed) text += ": the sandbox's memory was used up (--memory)";
  if (end.disk_full) text += ": the sandbox's disk was full (--disk)";
  return text;
}

Result<BuildProgress> ParseBuildProgress(std::string_view word) {
  TRY(CheckWord(word, "auto plain bar quiet"));
  if (word == "plain") return BuildProgress::kPlain;
  if (word == "bar") return BuildProgress::kBar;
  return word == "quiet" ? BuildProgress::kQuiet : BuildProgress::kAuto;
}

BuildPrinter::BuildPrinter(BuildProgress progress)
    : quiet_(progress == BuildProgress::kQuiet), bars_(DrawsBars(progress)) {}

void BuildPrinter::Take(const BuildEvent& event) {
  if (quiet_) return;
  switch (event.kind) {
    case BuildEvent::Kind::kWarning:
      return Line("warning: " +
                  (event.step.line > 0 ? "line " + std::to_string(event.step.line) + ": " : "") +
                  OneLine(event.text));
    case BuildEvent::Kind::kBegan:
      return Began(event);
    case BuildEvent::Kind::kOutput:
      return Output(event);
    case BuildEvent::Kind::kNote:
      return Line("#" + std::to_string(event.step.id) + " note: " + OneLine(event.text));
    case BuildEvent::Kind::kCached: {
      const auto step = running_.find(event.step.id);
      if (step == running_.end()) return;
      Line("#" + std::to_string(event.step.id) + " " + step->second.heading + ": cached");
      running_.erase(step);
      return;
    }
    case BuildEvent::Kind::kEnded:
      return Ended(event);
    case BuildEvent::Kind::kWriting:
      return Line(event.text);
  }
}

// The line of a step comes with what is first told of it: of one that is cached there is only one.
void BuildPrinter::Began(const BuildEvent& event) {
  if (!IsWork(event.step.text)) return;
  running_[event.step.id] = {.heading = Heading(event.step), .began = Clock::now()};
  if (bars_) Draw();
}

void BuildPrinter::Output(const BuildEvent& event) {
  const auto found = running_.find(event.step.id);
  if (found == running_.end()) return;
  std::string_view bytes = event.bytes;
  Running& step = found->second;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    step.unfinished.append(bytes.substr(0, std::min(end, bytes.size())));
    if (step.unfinished.size() > 4 * kMaxLine)
      step.unfinished.erase(0, step.unfinished.size() - kMaxLine);
    if (end == std::string_view::npos) break;
    OutputLine(event.step.id, step, step.unfinished);
    step.unfinished.clear();
    bytes.remove_prefix(end + 1);
  }
  if (bars_) Draw();
}

void BuildPrinter::OutputLine(size_t id, Running& step, std::string_view line) {
  if (bars_) {
    step.last.push_back(OutputLineOf(line));
    if (step.last.size() > kOutputLines) step.last.pop_front();
    return;
  }
  const std::string number = "#" + std::to_string(id) + " ";
  if (!step.heading.empty()) {
    WriteOut(number + step.heading + "\n");
    step.heading.clear();
  }
  WriteOut(number + Seconds(SecondsSince(step.began)) + " " + OutputLineOf(line) + "\n");
}

void BuildPrinter::Ended(const BuildEvent& event) {
  const auto found = running_.find(event.step.id);
  if (found == running_.end()) return;
  Running step = std::move(found->second);
  if (!step.unfinished.empty()) OutputLine(event.step.id, step, step.unfinished);
  running_.erase(found);
  const std::string number = "#" + std::to_string(event.step.id) + " ";
  const std::string how = event.failed ? "FAILED" : "done";
  const std::string took = Seconds(static_cast<double>(event.took.count()) / 1000);
  // In a log the heading stands above the output already.
  const std::string what = step.heading.empty() ? how : step.heading + ": " + how;
  Line(number + what + ", " + took);
}

void BuildPrinter::Line(const std::string& line) {
  Clear();
  WriteOut(line + "\n");
  if (bars_) {
    next_draw_ = {};
    Draw();
  }
}

void BuildPrinter::Draw() {
  if (Clock::now() < next_draw_) return;
  next_draw_ = Clock::now() + kDrawPause;
  Clear();
  const size_t columns = Columns();
  std::string drawn;
  for (const auto& [id, step] : running_) {
    drawn += Fitted("#" + std::to_string(id) + " " + step.heading + "  " +
                        Seconds(SecondsSince(step.began)),
                    columns) +
             "\n";
    ++drawn_;
    for (const std::string& line : step.last) {
      drawn += Fitted("   " + line, columns) + "\n";
      ++drawn_;
    }
  }
  WriteOut(drawn);
}

void BuildPrinter::Clear() {
  if (drawn_ == 0) return;
  WriteOut("\x1b[" + std::to_string(drawn_) + "A\x1b[J");
  drawn_ = 0;
}

void BuildPrinter::TakeFailure(const build::StepFailure& failure, const std::string& file_name) {
  Clear();
  if ((bars_ || quiet_) && !failure.output_end.empty()) {
    std::string text = "--- the end of what the step wrote ---\n";
    for (const std::string_view line : Split(failure.output_end, '\n'))
      text += OutputLineOf(line) + "\n";
    WriteOut(text);
  }
  const std::string where = failure.step.line > 0
                                ? file_name + ":" + std::to_string(failure.step.line)
                                : "ONBUILD of the image";
  Note(where + ": " + failure.step.text + ": it " + DescribeEnd(failure.end) + " (step " +
       failure.step.stage + " " + std::to_string(failure.step.number) + "/" +
       std::to_string(failure.step.of) + ")");
}

}  // namespace cay::cli
