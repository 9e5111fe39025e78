#include "json/json_canonical.h"

#include <algorithm>

#include "json/json_writer.h"

namespace cay {
namespace {

// As deep as JsonLimits lets it come.
void Write(JsonWriter& json, const JsonValue& value);

void WriteObject(JsonWriter& json, const JsonValue::Object& object) {
  std::vector<const JsonMember*> members;
  for (const JsonMember& member : object)
    if (!member.value.is_null()) members.push_back(&member);
  std::ranges::sort(members, {}, &JsonMember::name);
  json.BeginObject();
  for (const JsonMember* member : members) Write(json.Key(member->name), member->value);
  json.EndObject();
}

void WriteArray(JsonWriter& json, const JsonValue::Array& array) {
  json.BeginArray();
  for (const JsonValue& value : array) Write(json, value);
  json.EndArray();
}

void Write(JsonWriter& json, const JsonValue& value) {
  std::visit(
      [&]<class T>(const T& one) {
        if constexpr (std::same_as<T, std::nullptr_t>) {
          json.Null();
        } else if constexpr (std::same_as<T, JsonValue::Object>) {
          WriteObject(json, one);
        } else if constexpr (std::same_as<T, JsonValue::Array>) {
          WriteArray(json, one);
        } else {
          json.Value(one);
        }
      },
      value.value);
}

}  // namespace

std::string CanonicalJson(const JsonValue& value) {
  JsonWriter json;
  Write(json, value);
  return std::move(json).Take();
}

}  // namespace cay
