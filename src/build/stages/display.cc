#include "build/stages/display.h"

#include <algorithm>

#include "base/text.h"
#include "build/fetch/remote_source.h"

namespace cay::build {
namespace {

constexpr size_t kMaxDisplay = 160;
constexpr size_t kMaxHistory = 16 * 1024;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Lines that an escape joins are one; each run of spaces is a space; what does not print is '?'.
std::string OneLine(std::string_view source) {
  std::string line;
  for (size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const bool joins = (c == '\\' || c == '`') && i + 1 < source.size() && source[i + 1] == '\n';
    if (joins || IsSpace(c)) {
      if (!line.empty() && line.back() != ' ') line.push_back(' ');
    } else {
      line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// Not in the middle of a character.
std::string Cut(std::string line, size_t most) {
  if (line.size() <= most) return line;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end) + "…";
}

// A user and password of a URL are in no event and in no image's history.
std::string Source(const templates::dockerfile::Instruction& instruction) {
  return OneLine(WithoutCredentials(instruction.source));
}

}  // namespace

std::string DisplayOf(const templates::dockerfile::Instruction& instruction) {
  return Cut(Source(instruction), kMaxDisplay);
}

std::string HistoryOf(const templates::dockerfile::Instruction& instruction) {
  return Cut(Source(instruction), kMaxHistory);
}

}  // namespace cay::build
