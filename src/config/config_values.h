// How a value of each kind is read into the Config and shown again. For the table of keys only
// (config_table.h).
#pragma once

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "config/config.h"
#include "sandbox/commands/command_patterns.h"
#include "sandbox/projects/allowed_types.h"

namespace cay::config {

// Setters and showers of each kind of value; kAt gives the field.
template <auto kAt>
Result<void> SetText(Config& config, const Values& values) {
  kAt(config) = values[0];
  return {};
}
template <auto kAt>
Values ShowText(const Config& config) {
  return {kAt(config)};
}

template <auto kAt>
Result<void> SetTexts(Config& config, const Values& values) {
  kAt(config) = values;
  return {};
}
// Types of files.
template <auto kAt>
Result<void> SetTypes(Config& config, const Values& values) {
  TRY(sandbox::AllowedTypes::Parse(values));
  kAt(config) = values;
  return {};
}

// Patterns of commands.
template <auto kAt>
Result<void> SetPatterns(Config& config, const Values& values) {
  TRY(sandbox::CommandPatterns::Compile(values));
  kAt(config) = values;
  return {};
}

// One of the lists of PullRules, which are checked as a whole: nothing is set that is wrong.
template <auto kAt>
Result<void> SetPulls(Config& config, const Values& values) {
  Values before = std::exchange(kAt(config), values);
  auto good = sandbox::CheckPullRules(config.pulls);
  if (!good) kAt(config) = std::move(before);
  return good;
}
// Empty: none.
template <auto kAt>
Result<void> SetAbsolutePath(Config& config, const Values& values) {
  if (!values[0].empty() && !values[0].starts_with('/'))
    return Failure(Error::Invalid("\"" + values[0] + "\" is not an absolute path"));
  kAt(config) = values[0];
  return {};
}

template <auto kAt>
Values ShowTexts(const Config& config) {
  return kAt(config);
}

// What has a unit (base/units.h).
template <auto kAt, auto kParse>
Result<void> SetUnit(Config& config, const Values& values) {
  kAt(config) = TRY(kParse(values[0]));
  return {};
}
template <auto kAt, auto kFormat>
Values ShowUnit(const Config& config) {
  return {kFormat(kAt(config))};
}

template <auto kAt>
Result<void> SetCount(Config& config, const Values& values) {
  auto& field = kAt(config);
  using Number = std::remove_reference_t<decltype(field)>;
  field = static_cast<Number>(TRY(
      ParseUnsigned(values[0], std::min<uint64_t>(std::numeric_limits<Number>::max(), INT64_MAX))));
  return {};
}
template <auto kAt>
Values ShowCount(const Config& config) {
  return {std::to_string(kAt(config))};
}

// Whole percents, 0 to 100.
template <auto kAt>
Result<void> SetPercent(Config& config, const Values& values) {
  std::string_view text = values[0];
  if (text.ends_with('%')) text.remove_suffix(1);
  kAt(config) = static_cast<double>(TRY(ParseUnsigned(text, 100)));
  return {};
}
template <auto kAt>
Values ShowPercent(const Config& config) {
  return {std::to_string(static_cast<uint64_t>(kAt(config)))};
}

template <auto kAt>
Result<void> SetFlag(Config& config, const Values& values) {
  if (values[0] != "true" && values[0] != "false") {
    return Failure(Error::Invalid("\"" + values[0] + "\" is neither true nor false"));
  }
  kAt(config) = values[0] == "true";
  return {};
}
template <auto kAt>
Values ShowFlag(const Config& config) {
  return {kAt(config) ? "true" : "false"};
}

// Those that are one of a kind.
Result<void> SetLogLevelKey(Config& config, const Values& values);
Values ShowLogLevel(const Config& config);
Result<void> SetExecutionLog(Config& config, const Values& values);
Values ShowExecutionLog(const Config& config);
Result<void> SetLogFormatKey(Config& config, const Values& values);
Values ShowLogFormat(const Config& config);
Result<void> SetOnTimeout(Config& config, const Values& values);
Values ShowOnTimeout(const Config& config);
Result<void> SetNetworkMode(Config& config, const Values& values);
Values ShowNetworkMode(const Config& config);
Result<void> SetPrivateAllowed(Config& config, const Values& values);
Result<void> SetNetworkDeny(Config& config, const Values& values);
Result<void> SetProxy(Config& config, const Values& values);
Values ShowProxy(const Config& config);  // without its password
// kInvalidArgument for a proxy with a password: what is in a command line everybody sees.
Result<void> CheckProxyFlag(const Values& values);
Result<void> SetCache(Config& config, const Values& values);
Result<void> SetNoProxy(Config& config, const Values& values);
Result<void> SetExtraCa(Config& config, const Values& values);
Result<void> SetPublishAddresses(Config& config, const Values& values);
Result<void> SetResolvers(Config& config, const Values& values);
Result<void> SetListen(Config& config, const Values& values);
Result<void> SetTemplates(Config& config, const Values& values);
Result<void> SetPullPolicy(Config& config, const Values& values);
Values ShowPullPolicy(const Config& config);
Result<void> SetBuildPolicy(Config& config, const Values& values);
Values ShowBuildPolicy(const Config& config);
Result<void> SetPackagePolicy(Config& config, const Values& values);
Values ShowPackagePolicy(const Config& config);
Result<void> SetPackageRules(Config& config, const Values& values);
Result<void> SetPackageVariables(Config& config, const Values& values);
Result<void> SetPackageAuthorities(Config& config, const Values& values);
Result<void> SetPools(Config& config, const Values& values);
Result<void> SetUnixMode(Config& config, const Values& values);
Values ShowUnixMode(const Config& config);

// The field of a Config, const or not.
// NOLINTNEXTLINE(bugprone-macro-parentheses): a lambda, as an argument of a template
#define CAY_AT(field) [](auto& c) -> auto& { return c.field; }
// The two functions of a row.
#define CAY_KIND(kind, field) .set = &Set##kind<CAY_AT(field)>, .show = &Show##kind<CAY_AT(field)>
#define CAY_UNIT(unit, field) \
  .set = &SetUnit<CAY_AT(field), &Parse##unit>, .show = &ShowUnit<CAY_AT(field), &Format##unit>

}  // namespace cay::config
