#include "api/legacy/legacy_spec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/rest/sandboxes/sandbox_json.h"

namespace cay::api::rest {
namespace {

// A name of theirs, and ours.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kNames = {{
    {"project_id", "project_name"},
    {"environment_type", "environment"},
}};

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
  if (auto* object = std::get_if<JsonValue::Object>(&ours.value)) {
    for (const auto& [their_name, our_name] : kNames) TRY(Rename(*object, their_name, our_name));
  }
  return ReadSandboxSpec(ours);
}

}  // namespace cay::api::rest
