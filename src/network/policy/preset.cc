#include "network/policy/preset.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/text.h"

// NOLINTBEGIN(readability-identifier-naming): symbols of the assembler
extern "C" {
extern const char cay_network_presets_begin[];
extern const char cay_network_presets_end[];
}
// NOLINTEND(readability-identifier-naming)

namespace cay::network {
namespace {

constexpr size_t kMaxFileBytes = 64 * 1024;
constexpr size_t kMaxPresets = 64;
constexpr size_t kMaxRulesOfPreset = 256;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Error Bad(std::string_view why) { return Error::Invalid(std::string(why)); }

Result<Preset> ParseHead(std::string_view line, const std::vector<Preset>& before) {
  const size_t colon = line.find(':');
  Preset preset{.name = std::string(line.substr(0, colon)), .text = {}, .rules = {}, .kept = {}};
  if (colon != std::string_view::npos) preset.text = Trim(line.substr(colon + 1));
  if (!IsName(preset.name) || preset.text.empty()) {
    return Failure(Bad("a preset begins as in \"one: What it is\""));
  }
  if (before.size() == kMaxPresets) return Failure(Bad("there are too many presets"));
  if (std::ranges::find(before, preset.name, &Preset::name) != before.end()) {
    return Failure(Bad("there is a preset " + preset.name + " already"));
  }
  return preset;
}

// Of the rules that stand above it in its preset.
Result<void> AddKept(std::string_view word, Preset& preset) {
  Rule rule = TRY(Rule::Parse(word));
  const bool stands_above = std::ranges::any_of(preset.rules, [&](const Rule& above) {
    return rule.name() != nullptr && above.target == rule.target &&
           Contains(above.ports, rule.ports);
  });
  if (!stands_above) return Failure(Bad(ToUtf8Lossy(word) + " is of no rule above"));
  preset.kept.push_back(std::move(rule));
  return {};
}

// A line of rules of the last of the presets, or of names of others.
Result<void> AddRules(std::string_view line, std::vector<Preset>& presets) {
  if (presets.empty()) return Failure(Bad("a rule stands before every preset"));
  std::vector<Rule>& rules = presets.back().rules;
  const bool names = line.starts_with('=');
  const bool kept = line.starts_with('~');
  if (names || kept) line.remove_prefix(1);
  for (const std::string_view word : Split(line, ' ')) {
    if (word.empty()) continue;
    if (kept) {
      TRY(AddKept(word, presets.back()));
    } else if (!names) {
      rules.push_back(TRY(Rule::Parse(word)));
    } else {
      const auto other = std::ranges::find(presets, word, &Preset::name);
      if (other == presets.end() || &*other == &presets.back()) {
        return Failure(Bad("no preset " + ToUtf8Lossy(word) + " stands above"));
      }
      rules.insert(rules.end(), other->rules.begin(), other->rules.end());
    }
    if (rules.size() > kMaxRulesOfPreset) return Failure(Bad("a preset has too many rules"));
  }
  return {};
}

Result<void> AddLine(std::string_view line, std::vector<Preset>& presets) {
  const std::string_view words = Trim(line);
  if (words.empty() || words.starts_with('#')) return {};
  if (words.data() != line.data()) return AddRules(words, presets);
  presets.push_back(TRY(ParseHead(words, presets)));
  return {};
}

}  // namespace

Result<std::vector<Preset>> ParsePresets(std::string_view text) {
  if (text.size() > kMaxFileBytes) return Failure(Bad("a file of presets is too large"));
  std::vector<Preset> presets;
  size_t number = 0;
  for (const std::string_view line : Split(text, '\n')) {
    ++number;
    auto added = AddLine(line, presets);
    if (!added) {
      return Failure(std::move(added).error().WithContext("line " + std::to_string(number)));
    }
  }
  for (const Preset& preset : presets) {
    if (preset.rules.empty()) return Failure(Bad("the preset " + preset.name + " has no rules"));
  }
  return presets;
}

std::span<const Preset> Presets() {
  static const std::vector<Preset> presets = [] {
    const std::string_view data(
        cay_network_presets_begin,
        static_cast<size_t>(cay_network_presets_end - cay_network_presets_begin));
    // A test reads the same bytes; without presets each name is an error, and nothing is allowed.
    auto read = ParsePresets(data).value_or(std::vector<Preset>{});
    std::ranges::sort(read, {}, &Preset::name);
    return read;
  }();
  return presets;
}

bool MayBeKept(std::string_view name, uint16_t port) {
  return std::ranges::any_of(Presets(), [&](const Preset& preset) {
    return std::ranges::any_of(preset.kept, [&](const Rule& rule) {
      return rule.name()->Matches(name) && Contains(rule.ports, port);
    });
  });
}

Result<const Preset*> FindPreset(std::string_view name) {
  const std::span<const Preset> presets = Presets();
  std::vector<std::string_view> names;
  std::string all;
  for (const Preset& preset : presets) {
    if (preset.name == name) return &preset;
    names.push_back(preset.name);
    all += (all.empty() ? "" : ", ") + preset.name;
  }
  const std::string_view near = Nearest(name, names);
  const std::string maybe = near.empty() ? "" : "did you mean " + std::string(near) + "? ";
  return Failure(Error::Invalid("there is no preset \"" + ToUtf8Lossy(name.substr(0, 64)) + "\"")
                     .WithRemedy(maybe + "there are " + all));
}

}  // namespace cay::network
