#include "base/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <optional>

#include "base/text.h"

namespace cay {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr uint64_t kMaxBytes = INT64_MAX;
constexpr int64_t kMaxMillis = int64_t{100} * 365 * 24 * 3600 * 1000;

// A decimal number as a fraction in 1/1000 (so that no rounding happens behind the caller's back),
// and the text behind it. Digits after the third decimal must be zero.
struct Decimal {
  Wide thousandths;
  std::string_view rest;
};

std::optional<Decimal> TakeDecimal(std::string_view text) {
  Wide value = 0;
  size_t i = 0;
  for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0; ++i) {
    if (i >= 20) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  if (i == 0) return std::nullopt;
  value *= 1000;
  if (i < text.size() && text[i] == '.') {
    ++i;
    unsigned scale = 100;
    const size_t first = i;
    for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0; ++i) {
      if (scale == 0 && text[i] != '0') return std::nullopt;
      value += scale * static_cast<unsigned>(text[i] - '0');
      scale /= 10;
    }
    if (i == first) return std::nullopt;
  }
  return Decimal{value, text.substr(i)};
}

}  // namespace

Result<Bytes> ParseBytes(std::string_view text) {
  const auto bad = [&] {
    return Failure(Error::Invalid("not a size: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number with b, k, m, g or t, as in 512m or 1.5g"));
  };
  const std::string lower = Lower(text);
  const auto number = TakeDecimal(lower);
  if (!number) return bad();
  static constexpr std::array<std::pair<char, unsigned>, 5> kUnits = {
      {{'b', 0}, {'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}}};
  unsigned shift = 0;
  std::string_view suffix = number->rest;
  if (!suffix.empty()) {
    const auto unit = std::ranges::find(kUnits, suffix.front(), &std::pair<char, unsigned>::first);
    if (unit == kUnits.end()) return bad();
    suffix.remove_prefix(1);
    const bool tail_ok =
        suffix.empty() || (unit->second > 0 && (suffix == "b" || suffix == "i" || suffix == "ib"));
    if (!tail_ok) return bad();
    shift = unit->second;
  }
  const Wide scaled = number->thousandths << shift;
  // 0.1g is no whole number of bytes, and means what is below; 0.5b means nothing.
  if (shift == 0 && scaled % 1000 != 0) return bad();
  if (scaled / 1000 > kMaxBytes) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "size too large: \"" + std::string(text) + "\""));
  }
  return static_cast<Bytes>(scaled / 1000);
}

std::string FormatBytes(Bytes bytes) {
  static constexpr std::array<char, 5> kSuffixes = {'b', 'k', 'm', 'g', 't'};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kSuffixes.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kSuffixes[unit];
}

std::string HumanBytes(Bytes bytes) {
  static constexpr std::array<const char*, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kNames[unit]);
  return out.data();
}

Result<Millis> ParseDuration(std::string_view text) {
  const auto bad = [&] {
    return Failure(Error::Invalid("not a duration: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number with ms, s, m, h or d, as in 30s or 1h30m"));
  };
  static constexpr std::array<std::pair<std::string_view, int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  const std::string lower = Lower(text);
  std::string_view rest = lower;
  if (rest.empty()) return bad();
  Wide total_us = 0;
  bool first = true;
  while (!rest.empty()) {
    const auto number = TakeDecimal(rest);
    if (!number) return bad();
    rest = number->rest;
    const std::string_view unit = rest.substr(
        0, static_cast<size_t>(
               std::ranges::find_if(rest, [](unsigned char c) { return std::isalpha(c) == 0; }) -
               rest.begin()));
    int64_t factor = 0;
    if (unit.empty()) {
      if (!first || !rest.empty()) return bad();
      factor = 1000;
    } else {
      const auto known =
          std::ranges::find(kUnits, unit, &std::pair<std::string_view, int64_t>::first);
      if (known == kUnits.end()) return bad();
      factor = known->second;
      rest.remove_prefix(unit.size());
    }
    total_us += number->thousandths * static_cast<uint64_t>(factor);
    if (total_us / 1000 > static_cast<uint64_t>(kMaxMillis)) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "duration too long: \"" + std::string(text) + "\""));
    }
    first = false;
  }
  if (total_us % 1000 != 0) return bad();
  return Millis(static_cast<int64_t>(total_us / 1000));
}

std::string FormatDuration(Millis duration) {
  int64_t ms = duration.count();
  if (ms == 0) return "0s";
  std::string out;
  if (ms < 1000) return std::to_string(ms) + "ms";
  static constexpr std::array<std::pair<int64_t, const char*>, 3> kUnits = {
      {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}}};
  for (const auto& [size, name] : kUnits) {
    if (ms >= size) out += std::to_string(ms / size) + name;
    ms %= size;
  }
  if (ms == 0) return out;
  out += std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    out += "." + std::to_string(1000 + ms % 1000).substr(1);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "s";
}

Result<MilliCpus> ParseCpus(std::string_view text) {
  const std::string whole = (text.starts_with('.') ? "0" : "") + std::string(text);
  const auto number = TakeDecimal(whole);
  if (!number || !number->rest.empty() || number->thousandths < 10 ||
      number->thousandths > 1'000'000) {
    return Failure(Error::Invalid("not a number of processors: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number from 0.01 to 1000, as in 0.5 or 2"));
  }
  return static_cast<MilliCpus>(number->thousandths);
}

std::string FormatCpus(MilliCpus cpus) { return FormatMultiple(cpus); }

Result<uint32_t> ParseMultiple(std::string_view text) {
  const auto number = TakeDecimal(text);
  if (!number || !number->rest.empty() || number->thousandths > 1'000'000) {
    return Failure(Error::Invalid("not a multiple: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number up to 1000, as in 1.5 or 2"));
  }
  return static_cast<uint32_t>(number->thousandths);
}

std::string FormatMultiple(uint32_t thousandths) {
  std::string out = std::to_string(thousandths / 1000);
  if (thousandths % 1000 != 0) {
    std::string fraction = std::to_string(1000 + thousandths % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    out += "." + fraction;
  }
  return out;
}

Result<uint64_t> ParseUnsigned(std::string_view text, uint64_t max) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value > max) {
    std::string what = "not a whole number: \"" + std::string(text) + "\"";
    if (error == std::errc::result_out_of_range || value > max) {
      what = "number over the maximum of " + std::to_string(max) + ": " + std::string(text);
    }
    return Failure(Error::Invalid(std::move(what)));
  }
  return value;
}

}  // namespace cay
