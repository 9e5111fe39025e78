#include "api/rest/sandboxes/environment_config.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "json/json_canonical.h"

namespace cay::api::rest {
namespace {

using build::AskedPackages;

Result<std::vector<std::string>> ReadPackages(JsonFields& config) {
  std::vector<std::string> packages;
  const JsonValue* value = config.Find("packages");
  if (value == nullptr) return packages;
  const auto* list = value->AsArray();
  if (list == nullptr) return Failure(config.Wrong("packages", "an array of packages", *value));
  if (list->size() > AskedPackages::kMaxPackages) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "\"" + config.PathOf("packages") + "\" has more than " +
                             std::to_string(AskedPackages::kMaxPackages) + " packages"));
  }
  for (const JsonValue& one : *list) {
    if (one.AsString() == nullptr)
      return Failure(config.Wrong("packages", "an array of packages", one));
    packages.push_back(*one.AsString());
  }
  return packages;
}

// A file of JSON: its text, or what is in it.
Result<std::string> ReadJsonFile(JsonFields& config, std::string_view name, Bytes most) {
  const JsonValue* value = config.Find(name);
  if (value == nullptr) return std::string();
  if (value->AsObject() != nullptr) return CanonicalJson(*value);
  if (value->AsString() == nullptr)
    return Failure(config.Wrong(name, "an object, or the text of the file", *value));
  return TRY(config.String(name, most)).value_or("");
}

}  // namespace

Result<void> ReadEnvironmentConfig(JsonFields& fields, std::string_view name,
                                   sandbox::PackagesSpec& packages, StringMap& variables) {
  const JsonValue* value = fields.Find(name);
  if (value == nullptr) return {};
  auto config = TRY(JsonFields::Of(*value, fields.PathOf(name)));
  AskedPackages& asked = packages.asked;
  asked.packages = TRY(ReadPackages(config));
  asked.requirements =
      TRY(config.String("requirements", AskedPackages::kMaxRequirements)).value_or("");
  asked.package_json = TRY(ReadJsonFile(config, "package_json", AskedPackages::kMaxPackageJson));
  asked.package_lock = TRY(ReadJsonFile(config, "package_lock", AskedPackages::kMaxPackageLock));
  variables = TRY(config.Strings("env_vars")).value_or(StringMap());
  return config.Finish();
}

std::optional<Millis> PatienceOf(const http::Request& request) {
  constexpr std::string_view kWait = "wait=";
  constexpr uint64_t kMostSeconds = 86'400;
  const auto preferences = request.headers.Find("Prefer");
  if (!preferences) return std::nullopt;
  for (std::string_view one : Split(*preferences, ',')) {
    one = Trim(one);
    if (!one.starts_with(kWait)) continue;
    const auto seconds = ParseUnsigned(one.substr(kWait.size()));
    if (seconds && *seconds <= kMostSeconds) return Millis(static_cast<int64_t>(*seconds) * 1000);
  }
  return std::nullopt;
}

Result<void> MergeVariables(const StringMap& variables, StringMap& env) {
  for (const auto& [name, value] : variables) {
    const auto [there, is_new] = env.emplace(name, value);
    if (is_new || there->second == value) continue;
    return Failure(Error::Impossible("\"env\" and \"environment_config.env_vars\" give " +
                                     name.substr(0, 80) + " two values"));
  }
  return {};
}

}  // namespace cay::api::rest
