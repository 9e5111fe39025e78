#include "cli/frame/limits_file.h"

#include <algorithm>

#include "base/os/file.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::cli {
namespace {

constexpr Bytes kMaxLimitsFile = 64 * kKiB;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

Error AtLine(size_t line, const std::string& what) {
  return Error::Invalid("line " + std::to_string(line) + ": " + what);
}

std::string AllNames() {
  std::string all;
  for (const std::string_view name : kLimitNames) all.append(all.empty() ? "" : ", ").append(name);
  return all;
}

Error NoSuchLimit(size_t line, std::string_view name) {
  const std::string_view nearest = Nearest(name, {kLimitNames.begin(), kLimitNames.end()});
  return AtLine(line, "there is no limit \"" + std::string(name.substr(0, 80)) + "\"")
      .WithRemedy(nearest.empty() ? "the limits are " + AllNames()
                                  : "did you mean " + std::string(nearest) + "?");
}

Result<LimitLine> ParseLine(std::string_view text, size_t line) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return Failure(AtLine(line, "it is not NAME = VALUE").WithRemedy("as in memory_limit = 512m"));
  }
  const std::string_view name = Trimmed(text.substr(0, equals));
  std::string_view value = Trimmed(text.substr(equals + 1));
  if (std::ranges::find(kLimitNames, name) == kLimitNames.end())
    return Failure(NoSuchLimit(line, name));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (value.empty()) {
    return Failure(AtLine(line, std::string(name) + " has no value")
                       .WithRemedy("leave the line out for the default"));
  }
  return LimitLine{.name = std::string(name), .value = std::string(value), .line = line};
}

}  // namespace

Result<std::vector<LimitLine>> ParseLimits(std::string_view text) {
  std::vector<LimitLine> limits;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view here = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (here.empty() || here.front() == '#') continue;
    LimitLine limit = TRY(ParseLine(here, line));
    if (const auto before = std::ranges::find(limits, limit.name, &LimitLine::name);
        before != limits.end()) {
      return Failure(AtLine(line, limit.name + " is there twice, the first time in line " +
                                      std::to_string(before->line)));
    }
    limits.push_back(std::move(limit));
  }
  return limits;
}

Result<std::vector<LimitLine>> ReadLimitsFile(const std::string& path) {
  Result<std::string> text = ReadFile(path, kMaxLimitsFile);
  if (!text) return Failure(std::move(text).error().WithContext("--limits"));
  Result<std::vector<LimitLine>> limits = ParseLimits(*text);
  if (!limits) return Failure(std::move(limits).error().WithContext("--limits " + path));
  return limits;
}

Error WrongLimit(const std::string& path, const LimitLine& line, Error why) {
  return std::move(why)
      .WithContext(line.name)
      .WithContext("line " + std::to_string(line.line))
      .WithContext("--limits " + path);
}

}  // namespace cay::cli
