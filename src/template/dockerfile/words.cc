#include "template/dockerfile/words.h"

#include <algorithm>
#include <array>

#include "archive/safe_path.h"
#include "base/text.h"
#include "json/json_value.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/spaces.h"

namespace cay::templates::dockerfile {
namespace {

Result<void> AddWord(std::vector<std::string>& words, std::string word) {
  if (words.size() == kMaxWords) {
    return Failure(OverLimit("more than the maximum of " + std::to_string(kMaxWords) + " words"));
  }
  words.push_back(std::move(word));
  return {};
}

// Reads "--name=value" words from the beginning of a line, until one is none.
class FlagReader {
 public:
  explicit FlagReader(std::string_view line) : rest_(line) {}

  Result<std::vector<std::string>> Read() {
    std::vector<std::string> flags;
    while (true) {
      rest_ = TrimLeft(rest_);
      if (!rest_.starts_with("--")) return flags;
      std::string word = TakeWord();
      if (word == "--") return flags;
      if (flags.size() == kMaxFlags) {
        return Failure(
            OverLimit("more than the maximum of " + std::to_string(kMaxFlags) + " flags"));
      }
      flags.push_back(std::move(word));
    }
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string TakeWord() {
    std::string word;
    char quote = 0;
    while (!rest_.empty()) {
      const char next = rest_.front();
      if (quote == 0 && IsSpace(next)) break;
      rest_.remove_prefix(1);
      if (quote == 0 && (next == '\'' || next == '"')) {
        quote = next;
      } else if (next == quote) {
        quote = 0;
      } else if (next != '\\') {
        word += next;
      } else if (!rest_.empty()) {  // one at the end of the line is dropped
        word += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    return word;
  }

  std::string_view rest_;
};

}  // namespace

Error OverLimit(std::string message) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller, std::move(message)};
}

Result<LineParts> SplitLine(std::string_view line) {
  line = TrimSpaces(line);
  const size_t end = std::min(line.find_first_of(kSpaces), line.size());
  LineParts parts{.keyword = line.substr(0, end)};
  FlagReader reader(line.substr(end));
  parts.flags = TRY(reader.Read());
  parts.rest = TrimSpaces(reader.rest());
  return parts;
}

Result<std::vector<std::string>> SplitAtSpaces(std::string_view text) {
  std::vector<std::string> words;
  for (text = TrimLeft(text); !text.empty(); text = TrimLeft(text)) {
    const size_t end = std::min(text.find_first_of(kSpaces), text.size());
    TRY(AddWord(words, std::string(text.substr(0, end))));
    text.remove_prefix(end);
  }
  return words;
}

Result<std::vector<std::string>> SplitQuoted(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  const auto finish = [&words, &word]() -> Result<void> {
    if (!word.empty()) TRY(AddWord(words, std::exchange(word, {})));
    return {};
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = text[i];
    if (quote == 0 && IsSpace(next)) {
      TRY(finish());
      continue;
    }
    if (next == escape && quote != '\'') {
      if (i + 1 == text.size()) continue;  // one at the end of the line is dropped
      word += next;
      word += text[++i];
      continue;
    }
    if (quote == 0 && (next == '\'' || next == '"')) {
      quote = next;
    } else if (next == quote) {
      quote = 0;
    }
    word += next;
  }
  TRY(finish());
  return words;
}

Result<std::optional<std::vector<std::string>>> JsonWords(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  const auto json = ParseJson(text, {.depth = 64, .values = kMaxDockerfile});
  if (!json || json->AsArray() == nullptr) return std::nullopt;
  std::vector<std::string> words;
  for (const JsonValue& value : *json->AsArray()) {
    const std::string* word = value.AsString();
    if (word == nullptr) {
      return Failure(Error::Invalid("the JSON form takes texts only, and this array has " +
                                    std::string(value.KindName())));
    }
    if (word->contains('\0')) return Failure(Error::Invalid("a text has a NUL byte"));
    TRY(AddWord(words, *word));
  }
  return words;
}

std::string DidYouMean(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view nearest = Nearest(typed, known);
  return nearest.empty() ? "" : ", did you mean \"" + std::string(nearest) + "\"?";
}

Result<Flags> Flags::Of(const std::vector<std::string>& flags, std::span<const FlagRule> rules) {
  Flags read;
  for (const std::string& flag : flags) {
    const size_t equals = flag.find('=');
    const std::string name = flag.substr(2, equals == std::string::npos ? equals : equals - 2);
    const std::string shown = "--" + archive::Printable(name);
    const auto rule = std::ranges::find(rules, name, &FlagRule::name);
    if (rule == rules.end()) {
      std::vector<std::string_view> names;
      for (const FlagRule& one : rules) names.push_back(one.name);
      std::string meant = DidYouMean(name, names);
      if (const size_t quote = meant.find('"'); !meant.empty()) meant.insert(quote + 1, "--");
      return Failure(Error::Invalid("there is no flag " + shown + meant));
    }
    std::vector<std::string>& values = read.values_[name];
    if (!values.empty() && rule->kind != FlagKind::kTexts) {
      return Failure(Error::Invalid("the flag " + shown + " is given twice"));
    }
    std::string value = equals == std::string::npos ? "" : flag.substr(equals + 1);
    if (rule->kind == FlagKind::kBool) {
      value = equals == std::string::npos ? "true" : Lower(value);
      if (value != "true" && value != "false") {
        return Failure(Error::Invalid("the flag " + shown + " is \"true\" or \"false\", not \"" +
                                      archive::Printable(value) + "\""));
      }
    } else if (equals == std::string::npos) {
      return Failure(Error::Invalid("the flag " + shown + " needs a value: " + shown + "=…"));
    }
    values.push_back(std::move(value));
  }
  return read;
}

std::string Flags::Text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second.front();
}

std::vector<std::string> Flags::Texts(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::optional<bool> Flags::Bool(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front() == "true";
}

namespace {

struct DurationUnit {
  std::string_view name;
  int64_t nanoseconds;
};
constexpr std::array<DurationUnit, 8> kDurationUnits = {{{"ns", 1},
                                                         {"us", 1'000},
                                                         {"µs", 1'000},
                                                         {"μs", 1'000},
                                                         {"ms", 1'000'000},
                                                         {"s", 1'000'000'000},
                                                         {"m", 60'000'000'000},
                                                         {"h", 3'600'000'000'000}}};

// "1.5h" from the beginning of `text`, in nanoseconds; nothing where there is none, or it is too
// long.
std::optional<int64_t> TakeDuration(std::string_view& text) {
  constexpr std::string_view kDigits = "0123456789";
  const size_t whole = std::min(text.find_first_not_of(kDigits), text.size());
  const std::string_view digits = text.substr(0, whole);
  text.remove_prefix(whole);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = text.substr(0, std::min(text.find_first_not_of(kDigits), text.size()));
    text.remove_prefix(fraction.size());
  }
  if (digits.empty() && fraction.empty()) return std::nullopt;
  const size_t end = std::min(text.find_first_of("0123456789."), text.size());
  const auto unit = std::ranges::find(kDurationUnits, text.substr(0, end), &DurationUnit::name);
  if (unit == kDurationUnits.end()) return std::nullopt;
  text.remove_prefix(end);
  int64_t sum = 0;
  for (const char digit : digits) {
    if (__builtin_mul_overflow(sum, 10, &sum)) return std::nullopt;
    if (__builtin_add_overflow(sum, digit - '0', &sum)) return std::nullopt;
  }
  if (__builtin_mul_overflow(sum, unit->nanoseconds, &sum)) return std::nullopt;
  int64_t scale = unit->nanoseconds;
  int64_t rest = 0;  // of digits below what this one's unit can hold
  for (const char digit : fraction) {
    const int64_t scaled = (digit - '0') * scale + rest;
    if (__builtin_add_overflow(sum, scaled / 10, &sum)) return std::nullopt;
    rest = scaled % 10;
    scale /= 10;
    if (scale == 0) break;
  }
  return sum;
}

}  // namespace

Result<std::chrono::nanoseconds> ParseGoDuration(std::string_view text) {
  const auto bad = [text] {
    return Failure(Error::Invalid("\"" + archive::Printable(text) +
                                  "\" is no duration: it is as \"30s\", \"1m30s\", \"1.5h\", "
                                  "\"500ms\""));
  };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) return bad();
  int64_t sum = 0;
  while (!rest.empty()) {
    const auto part = TakeDuration(rest);
    if (!part || __builtin_add_overflow(sum, *part, &sum)) return bad();
  }
  return std::chrono::nanoseconds(is_negative ? -sum : sum);
}

Result<bool> ParseGoBool(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(kTrue, text) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, text) != kFalse.end()) return false;
  return Failure(
      Error::Invalid("\"" + archive::Printable(text) + "\" is neither \"true\" nor \"false\""));
}

}  // namespace cay::templates::dockerfile
