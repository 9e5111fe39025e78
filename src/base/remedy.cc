#include "base/remedy.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cay {
namespace {

constexpr std::array<std::string_view, kActionCount> kNames = {
    "",
    "create",
    "list",
    "use",
    "start",
    "pause",
    "resume",
    "destroy",
    "set_timeout",
    "list_orphans",
    "read_process",
    "follow_output",
    "kill_leftovers",
    "list_directory",
    "get_archive",
    "remove_tree",
    "forward_port",
    "best_effort",
    "scratch_in_memory",
    "import_template",
    "pull_template",
    "await_pull",
    "remove_template",
    "replace_template",
    "authenticate",
    "list_keys",
    "list_webhooks",
    "build_environment",
    "await_build",
};

// Around an encoded action, and between its name and what it is done to (ASCII's record and unit
// separators).
constexpr char kRecord = '\x1E';
constexpr char kUnit = '\x1F';

std::string Filled(std::string_view pattern, std::string_view of) {
  std::string words(pattern);
  if (const size_t hole = words.find("{}"); hole != std::string::npos) words.replace(hole, 2, of);
  return words;
}

}  // namespace

std::string_view ActionName(Action action) { return kNames[static_cast<size_t>(action)]; }

std::optional<Action> ActionFromName(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (name.empty() || found == kNames.end()) return std::nullopt;
  return static_cast<Action>(found - kNames.begin());
}

Remedy::Remedy(std::string words) { Add({.action = Action::kNone, .text = std::move(words)}); }
Remedy::Remedy(std::string_view words) : Remedy(std::string(words)) {}
Remedy::Remedy(const char* words) : Remedy(std::string(words)) {}
Remedy::Remedy(Action action, std::string_view of) {
  parts_.push_back({.action = action, .text = std::string(of)});
}

void Remedy::Add(Part part) {
  const bool words = part.action == Action::kNone;
  if (words && part.text.empty()) return;
  if (words && !parts_.empty() && parts_.back().action == Action::kNone) {
    parts_.back().text += part.text;
  } else {
    parts_.push_back(std::move(part));
  }
}

Remedy operator+(Remedy first, const Remedy& then) {
  for (const Remedy::Part& part : then.parts_) first.Add(part);
  return first;
}

bool Remedy::Has(Action action) const {
  return std::ranges::find(parts_, action, &Part::action) != parts_.end();
}

std::string Remedy::InWords(WordFor word) const {
  std::string words;
  for (const Part& part : parts_) {
    words += part.action == Action::kNone ? part.text : Filled(word(part.action), part.text);
  }
  return words;
}

std::string Remedy::text() const {
  std::string words;
  for (const Part& part : parts_) {
    if (part.action != Action::kNone) {
      std::string name(ActionName(part.action));
      std::ranges::replace(name, '_', ' ');
      words += name + (part.text.empty() ? "" : " ");
    }
    words += part.text;
  }
  return words;
}

std::string Remedy::Encoded() const {
  std::string encoded;
  for (const Part& part : parts_) {
    if (part.action == Action::kNone) {
      encoded += part.text;
    } else {
      encoded += kRecord + std::string(ActionName(part.action)) + kUnit + part.text + kRecord;
    }
  }
  return encoded;
}

// What is no action of this program's is words.
Remedy Remedy::Decoded(std::string_view encoded) {
  Remedy remedy;
  while (!encoded.empty()) {
    const size_t begin = encoded.find(kRecord);
    remedy.Add({.action = Action::kNone, .text = std::string(encoded.substr(0, begin))});
    if (begin == std::string_view::npos) break;
    encoded.remove_prefix(begin + 1);
    const std::string_view record = encoded.substr(0, encoded.find(kRecord));
    const size_t unit = std::min(record.find(kUnit), record.size());
    const std::string_view of = record.substr(std::min(unit + 1, record.size()));
    const auto action = ActionFromName(record.substr(0, unit));
    remedy.Add({.action = action.value_or(Action::kNone), .text = std::string(of)});
    encoded.remove_prefix(std::min(record.size() + 1, encoded.size()));
  }
  return remedy;
}

}  // namespace cay
