#include "build/packages/rules/pip_requirement.h"

#include <array>
#include <optional>
#include <utility>

#include "build/packages/rules/asked_packages.h"
#include "build/packages/rules/words.h"

namespace cay::build {
namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMaxVersion = 100;
constexpr size_t kMaxExtras = 32;
constexpr size_t kMaxClauses = 16;
constexpr size_t kMaxHashes = 256;
constexpr int kMaxNesting = 8;

constexpr std::array<std::string_view, 12> kMarkerVariables = {
    "python_version",      "python_full_version",    "os_name",
    "sys_platform",        "platform_release",       "platform_system",
    "platform_version",    "platform_machine",       "platform_python_implementation",
    "implementation_name", "implementation_version", "extra"};
// The longer ones first.
constexpr std::array<std::string_view, 8> kComparisons = {
    "===", "~=", "==", "!=", "<=", ">=", "<", ">"};

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && IsMadeOf(text, "._-") &&
         IsLetterOrDigit(text.front()) && IsLetterOrDigit(text.back());
}

// Reads one requirement from its beginning to its end; what was wrong first is the error.
class Reader {
 public:
  explicit Reader(std::string_view text) : whole_(text), rest_(text) {}

  Result<std::string> Read() {
    std::string text = TRY(ReadName());
    text += TRY(ReadExtras());
    text += TRY(ReadVersions());
    if (Take(";")) {
      text += "; " + TRY(ReadOr(0));
    }
    SkipSpaces();
    if (!rest_.empty()) return Failure(Wrong("cannot be read from " + Shown(rest_) + " on"));
    return text;
  }

 private:
  Error Wrong(std::string_view why) const { return NotAPackage(whole_, why); }

  void SkipSpaces() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  bool Take(std::string_view token) {
    SkipSpaces();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool TakeWord(std::string_view word) {
    SkipSpaces();
    const std::string_view after = rest_.substr(std::min(word.size(), rest_.size()));
    if (!rest_.starts_with(word) || (!after.empty() && IsMadeOf(after.substr(0, 1), "_")))
      return false;
    rest_ = after;
    return true;
  }
  std::string_view TakeMadeOf(std::string_view others) {
    SkipSpaces();
    size_t end = 0;
    while (end < rest_.size() && IsMadeOf(rest_.substr(end, 1), others)) ++end;
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return taken;
  }

  Result<std::string> ReadName() {
    if (whole_.starts_with('-')) return Failure(Wrong("it is an option, and not a package"));
    const std::string_view name = TakeMadeOf("._-");
    SkipSpaces();
    if (rest_.starts_with('@') || rest_.starts_with(':') || rest_.starts_with('/') ||
        rest_.starts_with('+') || name.find('/') != std::string_view::npos) {
      return Failure(Wrong("it names a place: packages are those of the registry, by name"));
    }
    if (IsName(name)) return std::string(name);
    return Failure(
        Wrong("a name has letters, digits, \".\", \"_\" and \"-\", at most 128, and "
              "begins and ends with a letter or digit"));
  }

  Result<std::string> ReadExtras() {
    if (!Take("[")) return std::string();
    std::string text = "[";
    for (size_t count = 0; !Take("]"); ++count) {
      if (count == kMaxExtras) return Failure(Wrong("it has too many extras"));
      if (count > 0 && !Take(",")) return Failure(Wrong("its extras are not a list in [ ]"));
      const std::string_view extra = TakeMadeOf("._-");
      if (!IsName(extra)) return Failure(Wrong("its extras are not a list in [ ]"));
      text += (count > 0 ? "," : "") + std::string(extra);
    }
    return text == "[" ? std::string() : text + "]";
  }

  Result<std::string> ReadVersions() {
    const bool in_parentheses = Take("(");
    std::string text;
    for (size_t count = 0; count < kMaxClauses; ++count) {
      const std::string_view comparison = TakeComparison();
      if (comparison.empty()) {
        if (count == 0 && !in_parentheses) return text;
        return Failure(Wrong("a version comes after ==, >=, <=, !=, ~=, <, > or ==="));
      }
      const std::string_view version = TakeMadeOf(".*+!_-");
      if (version.empty() || version.size() > kMaxVersion || !IsLetterOrDigit(version.front()))
        return Failure(Wrong("there is no version after " + std::string(comparison)));
      text += (count > 0 ? "," : "") + std::string(comparison) + std::string(version);
      if (Take(",")) continue;
      if (in_parentheses && !Take(")")) return Failure(Wrong("a parenthesis is not closed"));
      return text;
    }
    return Failure(Wrong("it has too many versions"));
  }

  std::string_view TakeComparison() {
    for (const std::string_view comparison : kComparisons)
      if (Take(comparison)) return comparison;
    return {};
  }

  Result<std::string> ReadOr(int depth) {
    std::string text = TRY(ReadAnd(depth));
    while (TakeWord("or")) text += " or " + TRY(ReadAnd(depth));
    return text;
  }
  Result<std::string> ReadAnd(int depth) {
    std::string text = TRY(ReadTerm(depth));
    while (TakeWord("and")) text += " and " + TRY(ReadTerm(depth));
    return text;
  }
  Result<std::string> ReadTerm(int depth) {
    if (depth == kMaxNesting) return Failure(Wrong("its marker is nested too deep"));
    if (Take("(")) {
      std::string text = "(" + TRY(ReadOr(depth + 1)) + ")";
      if (!Take(")")) return Failure(Wrong("a parenthesis of its marker is not closed"));
      return text;
    }
    std::string text = TRY(ReadMarkerValue());
    text += " " + TRY(ReadMarkerComparison()) + " ";
    return text + TRY(ReadMarkerValue());
  }
  Result<std::string> ReadMarkerComparison() {
    if (TakeWord("in")) return std::string("in");
    if (TakeWord("not")) {
      if (TakeWord("in")) return std::string("not in");
    } else if (const std::string_view comparison = TakeComparison(); !comparison.empty()) {
      return std::string(comparison);
    }
    return Failure(Wrong("its marker compares by nothing that is known"));
  }
  Result<std::string> ReadMarkerValue() {
    for (const std::string_view variable : kMarkerVariables)
      if (TakeWord(variable)) return std::string(variable);
    SkipSpaces();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote != '\'' && quote != '"')
      return Failure(Wrong("its marker has neither a known variable nor a text in quotes"));
    rest_.remove_prefix(1);
    const size_t end = rest_.find(quote);
    const std::string_view value = rest_.substr(0, std::min(end, rest_.size()));
    if (end == std::string_view::npos || !IsMadeOf(value, " .,*+!_~<>=/()-"))
      return Failure(Wrong("a text of its marker has other bytes than a version or platform"));
    rest_.remove_prefix(end + 1);
    return "'" + std::string(value) + "'";
  }

  const std::string_view whole_;
  std::string_view rest_;
};

// The hashes at the end of a requirement, which are taken from it; in one form.
Result<std::string> TakeHashes(std::string_view& line) {
  constexpr std::string_view kOption = "--hash";
  constexpr std::array<std::pair<std::string_view, size_t>, 3> kAlgorithms = {
      {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}}};
  std::string hashes;
  size_t at = line.find(" --");
  if (at == std::string_view::npos) at = line.find("\t--");
  if (at == std::string_view::npos) return hashes;
  std::string_view rest = Trim(line.substr(at));
  line = Trim(line.substr(0, at));
  for (size_t count = 0; !rest.empty(); ++count) {
    const size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    std::string_view option = rest.substr(0, end);
    rest = Trim(rest.substr(end));
    if (option == kOption) {  // its value is the next word
      const size_t value_end = std::min(rest.find_first_of(" \t"), rest.size());
      option = rest.substr(0, value_end);
      rest = Trim(rest.substr(value_end));
    } else if (option.starts_with(std::string(kOption) + "=")) {
      option.remove_prefix(kOption.size() + 1);
    } else {
      return Failure(Error::Invalid("the option " + Shown(option) +
                                    ": none is taken but --hash, since others name places or "
                                    "programs"));
    }
    bool is_hash = count < kMaxHashes;
    size_t digits = 0;
    for (const auto& [algorithm, length] : kAlgorithms)
      if (option.starts_with(algorithm)) digits = length;
    const std::string_view hex = option.substr(std::min<size_t>(option.size(), 7));
    is_hash = is_hash && digits != 0 && hex.size() == digits &&
              hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!is_hash) return Failure(Error::Invalid("not a hash of a package: " + Shown(option)));
    hashes += " --hash=" + std::string(option);
  }
  return hashes;
}

Result<std::optional<std::string>> ReadLine(std::string_view line) {
  line = Trim(line);
  // As pip: a comment begins the line, or comes after a space.
  for (size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at != 0 && line[at - 1] != ' ' && line[at - 1] != '\t') continue;
    line = Trim(line.substr(0, at));
    break;
  }
  if (line.empty()) return std::nullopt;
  if (line.size() > kMaxHashes * 150)
    return Failure(Error::Invalid("a requirement is longer than pip's hashes make it"));
  if (line.starts_with('-')) {
    return Failure(Error::Invalid(
        "the option " + Shown(line.substr(0, line.find_first_of(" \t="))) +
        ": a requirements.txt has requirements and their --hash here, and no options, since these "
        "name places or files"));
  }
  const std::string hashes = TRY(TakeHashes(line));
  return TRY(ParseRequirement(line)) + hashes;
}

}  // namespace

Result<std::string> ParseRequirement(std::string_view text) {
  const std::string_view trimmed = Trim(text);
  if (trimmed.size() > AskedPackages::kMaxPackage) {
    return Failure(NotAPackage(
        text, "it is longer than " + std::to_string(AskedPackages::kMaxPackage) + " bytes"));
  }
  return Reader(trimmed).Read();
}

Result<std::vector<std::string>> ParseRequirements(std::string_view text) {
  std::vector<std::string> requirements;
  std::string whole;  // lines that go on
  size_t number = 0;
  size_t began = 1;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (whole.empty()) began = number;
    const bool goes_on = line.ends_with('\\') && !Trim(line).starts_with('#');
    if (goes_on) line.remove_suffix(1);
    whole += line;
    if (goes_on && !text.empty()) {
      whole += ' ';
      continue;
    }
    auto requirement = ReadLine(std::exchange(whole, {}));
    if (!requirement) {
      return Failure(std::move(requirement)
                         .error()
                         .WithContext("requirements, line " + std::to_string(began)));
    }
    if (!*requirement) continue;
    if (requirements.size() == AskedPackages::kMaxPackages) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "requirements: there are more than " +
                               std::to_string(AskedPackages::kMaxPackages) + " of them"));
    }
    requirements.push_back(**std::move(requirement));
  }
  return requirements;
}

}  // namespace cay::build
