#include "build/copy/mode_change.h"

#include "archive/safe_path.h"
#include "base/text.h"

namespace cay::build {
namespace {

constexpr mode_t kAll = 07777;
constexpr mode_t kAnyExecute = 0111;
constexpr size_t kMaxText = 1024;

Failure NoMode(std::string_view text) {
  return Failure(Error::Invalid("--chmod is as \"0644\" or \"u=rwX,go=rX\", not \"" +
                                archive::Printable(text) + "\""));
}

// Which bits each letter speaks of (chmod(1)).
mode_t BitsOfWho(char who) {
  switch (who) {
    case 'u':
      return 04700;
    case 'g':
      return 02070;
    case 'o':
      return 01007;
    default:
      return who == 'a' ? kAll : 0;
  }
}
mode_t BitsOfPermission(char permission) {
  switch (permission) {
    case 'r':
      return 0444;
    case 'w':
      return 0222;
    case 'x':
      return kAnyExecute;
    case 's':
      return 06000;
    case 't':
      return 01000;
    default:
      return 0;
  }
}

// The three bits of one of them, for all three.
mode_t Spread(mode_t mode, char of) {
  const unsigned shift = of == 'u' ? 6 : of == 'g' ? 3 : 0;
  const mode_t three = (mode >> shift) & 07U;
  return (three << 6U) | (three << 3U) | three;
}

}  // namespace

Result<ModeChange> ModeChange::Parse(std::string_view text) {
  ModeChange change;
  if (text.empty() || text.size() > kMaxText) return NoMode(text);
  if (text.find_first_not_of("01234567") == std::string_view::npos) {
    mode_t mode = 0;
    for (const char digit : text) {
      mode = mode * 8 + static_cast<mode_t>(digit - '0');
      if (mode > kAll) return NoMode(text);
    }
    change.steps_.push_back({.operation = '=', .who = kAll, .bits = mode});
    return change;
  }
  for (std::string_view clause : Split(text, ',')) {
    mode_t who = 0;
    while (!clause.empty() && BitsOfWho(clause.front()) != 0) {
      who |= BitsOfWho(clause.front());
      clause.remove_prefix(1);
    }
    if (clause.empty()) return NoMode(text);
    while (!clause.empty()) {
      Step step{.operation = clause.front(), .who = who == 0 ? kAll : who};
      if (!std::string_view("+-=").contains(step.operation)) return NoMode(text);
      clause.remove_prefix(1);
      if (!clause.empty() && std::string_view("ugo").contains(clause.front())) {
        step.copy_of = clause.front();
        clause.remove_prefix(1);
      }
      while (step.copy_of == 0 && !clause.empty()) {
        const char permission = clause.front();
        if (permission == 'X') {
          step.execute_if_any = true;
        } else if (BitsOfPermission(permission) == 0) {
          break;
        }
        step.bits |= BitsOfPermission(permission);
        clause.remove_prefix(1);
      }
      change.steps_.push_back(step);
    }
  }
  return change;
}

mode_t ModeChange::Apply(mode_t mode, bool is_directory) const {
  mode &= kAll;
  for (const Step& step : steps_) {
    mode_t bits = step.bits;
    if (step.execute_if_any && (is_directory || (mode & kAnyExecute) != 0)) bits |= kAnyExecute;
    if (step.copy_of != 0) bits = Spread(mode, step.copy_of);
    bits &= step.who;
    if (step.operation == '=') mode = (mode & ~step.who) | bits;
    if (step.operation == '+') mode |= bits;
    if (step.operation == '-') mode &= ~bits;
  }
  return mode;
}

}  // namespace cay::build
