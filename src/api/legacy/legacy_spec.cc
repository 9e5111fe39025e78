#include "api/legacy/legacy_spec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/rest/sandboxes/sandbox_json.h"
#include "json/json_fields.h"

namespace cay::api::rest {
namespace {

// A name of theirs, and ours.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kNames = {{
    {"project_id", "project_name"},
    {"environment_type", "environment"},
}};
constexpr std::string_view kConfig = "environment_config";
constexpr size_t kMaxPackages = 1000;

Result<void> RefusePackages(JsonFields& config) {
  const JsonValue* packages = config.Find("packages");
  if (packages == nullptr) return {};
  const auto* list = packages->AsArray();
  const bool strings =
      list != nullptr && list->size() <= kMaxPackages &&
      std::ranges::all_of(*list, [](const JsonValue& one) { return one.AsString() != nullptr; });
  if (!strings) return Failure(config.Wrong("packages", "an array of names", *packages));
  if (list->empty()) return {};
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kCaller,
            "packages cannot be installed: \"" + list->front().AsString()->substr(0, 80) +
                "\" would come over the network, and sandboxes have none")
          .WithRemedy(
              "import a template that has them: " + Remedy(Action::kImportTemplate, "NAME") +
              "; or upload them, and install them without an index"));
}

// The variables of environment_config; those of `env` come on top, and must not contradict.
Result<void> TakeConfig(const JsonValue& value, StringMap& variables) {
  auto config = TRY(JsonFields::Of(value, std::string(kConfig)));
  TRY(RefusePackages(config));
  variables = TRY(config.Strings("env_vars")).value_or(StringMap());
  return config.Finish();
}

Result<void> Merge(const StringMap& variables, StringMap& env) {
  for (const auto& [name, value] : variables) {
    const auto [there, is_new] = env.emplace(name, value);
    if (is_new || there->second == value) continue;
    return Failure(Error::Impossible("\"env\" and \"environment_config.env_vars\" give " +
                                     name.substr(0, 80) + " two values"));
  }
  return {};
}

// The member under our name, unless that is there as well: then both must say the same.
Result<void> Rename(JsonValue::Object& object, std::string_view theirs, std::string_view ours) {
  const auto found = std::ranges::find(object, theirs, &JsonMember::name);
  if (found == object.end()) return {};
  const auto same = std::ranges::find(object, ours, &JsonMember::name);
  if (same == object.end()) {
    found->name = ours;
    return {};
  }
  const std::string* said = found->value.AsString();
  const std::string* also = same->value.AsString();
  const bool agree = found->value.is_null() || same->value.is_null() ||
                     (said != nullptr && also != nullptr && *said == *also);
  if (!agree) {
    return Failure(Error::Impossible("\"" + std::string(theirs) + "\" and \"" + std::string(ours) +
                                     "\" mean the same, and have different values"));
  }
  if (same->value.is_null()) same->value = found->value;
  object.erase(found);
  return {};
}

}  // namespace

Result<sandbox::SandboxSpec> ReadLegacySpec(const JsonValue& body) {
  JsonValue ours = body;
  StringMap variables;
  if (auto* object = std::get_if<JsonValue::Object>(&ours.value)) {
    for (const auto& [their_name, our_name] : kNames) TRY(Rename(*object, their_name, our_name));
    const auto config = std::ranges::find(*object, kConfig, &JsonMember::name);
    if (config != object->end()) {
      if (!config->value.is_null()) TRY(TakeConfig(config->value, variables));
      object->erase(config);
    }
  }
  sandbox::SandboxSpec spec = TRY(ReadSandboxSpec(ours));
  TRY(Merge(variables, spec.env));
  return spec;
}

}  // namespace cay::api::rest
