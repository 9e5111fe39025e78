#include "api_schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <regex>
#include <set>

namespace cay::testing {
namespace {

namespace json = boost::json;

bool HasType(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  return type == "number" && value.is_number();
}

bool HasOneOfTypes(const json::value& value, const json::value& types) {
  if (types.is_string()) return HasType(value, types.as_string());
  return std::ranges::any_of(
      types.as_array(), [&](const json::value& type) { return HasType(value, type.as_string()); });
}

const std::set<std::string_view> kKnown = {
    "type",     "properties",  "required", "additionalProperties",
    "items",    "enum",        "const",    "pattern",
    "format",   "description", "oneOf",    "$ref",
    "examples", "minLength",   "minItems", "maxItems",
    "minimum",  "maximum"};

}  // namespace

void SchemaChecker::Check(std::string_view name, const json::value& value) const {
  checked_.emplace(name);
  const auto& schema = document_.at("components").at("schemas").at(name).as_object();
  const std::string wrong = Wrong(schema, value, std::string(name));
  EXPECT_EQ(wrong, "") << json::serialize(value).substr(0, 1000);
}

std::string SchemaChecker::WrongObject(const json::object& schema, const json::object& value,
                                       const std::string& where) const {
  const json::value* required = schema.if_contains("required");
  for (const json::value& name : required != nullptr ? required->as_array() : json::array()) {
    if (!value.contains(name.as_string())) {
      return where + ": \"" + std::string(name.as_string()) + "\" is missing";
    }
  }
  const json::value* properties = schema.if_contains("properties");
  const json::value* more = schema.if_contains("additionalProperties");
  for (const auto& [name, member] : value) {
    const std::string inner = where + "." + std::string(name);
    const json::value* known =
        properties == nullptr ? nullptr : properties->as_object().if_contains(name);
    if (known == nullptr) known = more;
    if (known == nullptr || (known->is_bool() && known->as_bool())) continue;
    if (known->is_bool()) return inner + " is not described";
    std::string wrong = Wrong(known->as_object(), member, inner);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string SchemaChecker::Wrong(const json::object& schema, const json::value& value,
                                 const std::string& where) const {
  for (const auto& [key, rule] : schema) {
    if (!kKnown.contains(key)) return where + ": this checker does not know " + std::string(key);
  }
  if (const json::value* reference = schema.if_contains("$ref")) {
    const std::string_view path = reference->as_string();
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (!value.is_null()) checked_.emplace(name);
    return Wrong(document_.at("components").at("schemas").at(name).as_object(), value, where);
  }
  if (const json::value* choices = schema.if_contains("oneOf")) {
    const auto fits = std::ranges::count_if(choices->as_array(), [&](const json::value& choice) {
      return Wrong(choice.as_object(), value, where).empty();
    });
    return fits == 1 ? "" : where + ": " + std::to_string(fits) + " of oneOf";
  }
  const json::value* types = schema.if_contains("type");
  if (types != nullptr && !HasOneOfTypes(value, *types)) return where + ": the type is wrong";
  const json::value* values = schema.if_contains("enum");
  if (values != nullptr &&
      std::ranges::find(values->as_array(), value) == values->as_array().end()) {
    return where + ": not in the enum: " + json::serialize(value);
  }
  const json::value* constant = schema.if_contains("const");
  if (constant != nullptr && *constant != value) return where + ": not the constant";
  const json::value* pattern = schema.if_contains("pattern");
  if (pattern != nullptr &&
      !std::regex_match(std::string(value.as_string()), std::regex(pattern->as_string().c_str()))) {
    return where + ": not of the pattern";
  }
  const json::value* format = schema.if_contains("format");
  static const std::regex kTime(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
  if (format != nullptr && value.is_string() &&
      !std::regex_match(std::string(value.as_string()), kTime)) {
    return where + ": not a time";
  }
  if (const json::object* object = value.if_object()) return WrongObject(schema, *object, where);
  const json::value* items = schema.if_contains("items");
  if (const json::array* array = value.if_array(); array != nullptr && items != nullptr) {
    for (size_t i = 0; i < array->size(); ++i) {
      std::string wrong =
          Wrong(items->as_object(), (*array)[i], where + "[" + std::to_string(i) + "]");
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

}  // namespace cay::testing
