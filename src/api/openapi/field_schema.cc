#include "api/openapi/field_schema.h"

namespace cay::api {
namespace {

std::string Reference(std::string_view schema) {
  return "#/components/schemas/" + std::string(schema);
}

void WriteStringOf(JsonWriter& json, std::string_view pattern) {
  json.Member("type", "string");
  if (!pattern.empty()) json.Member("pattern", pattern);
}

}  // namespace

void FieldSchema::Begin(const About& about, bool optional) {
  const bool is_request = side_ == Side::kRequest;
  nullable_ = is_request ? !about.needed : optional && !about.sometimes;
  if (is_request ? about.needed : !about.sometimes) required_.push_back(about.name);
  json_.Key(about.name).BeginObject();
}

void FieldSchema::End(std::string_view text) {
  if (!text.empty()) json_.Member("description", text);
  json_.EndObject();
}

void FieldSchema::WriteRequired() {
  if (required_.empty()) return;
  json_.Key("required").BeginArray();
  for (const std::string_view name : required_) json_.Value(name);
  json_.EndArray();
}

void FieldSchema::WriteType(std::string_view type) {
  if (!nullable_) {
    json_.Member("type", type);
    return;
  }
  json_.Key("type").BeginArray().Value(type).Value("null").EndArray();
}

void FieldSchema::WriteReference(std::string_view schema) {
  if (!nullable_) {
    json_.Member("$ref", Reference(schema));
    return;
  }
  json_.Key("oneOf").BeginArray();
  WriteSchemaOf(json_, schema);
  json_.BeginObject().Member("type", "null").EndObject();
  json_.EndArray();
}

void FieldSchema::WriteSchemaOf(JsonWriter& json, std::string_view schema) {
  json.BeginObject().Member("$ref", Reference(schema)).EndObject();
}

void FieldSchema::WriteText(const field::Text& kind) {
  WriteType("string");
  if (kind.min_length > 0) json_.Member("minLength", kind.min_length);
  if (kind.max_length > 0) json_.Member("maxLength", kind.max_length);
  if (!kind.pattern.empty()) json_.Member("pattern", kind.pattern);
  if (!kind.example.empty()) json_.Key("examples").BeginArray().Value(kind.example).EndArray();
}

void FieldSchema::WriteAlias(const About& about, const field::Text& kind) {
  if (kind.alias.empty()) return;
  json_.Key(kind.alias).BeginObject();
  WriteText(kind);
  End("the same as " + std::string(about.name));
}

void FieldSchema::WriteWord(const field::Word& kind) {
  if (!kind.schema.empty()) {
    WriteReference(kind.schema);
    return;
  }
  WriteType("string");
  if (kind.words.size() == 1 && !nullable_) {
    json_.Member("const", kind.words.front());
    return;
  }
  json_.Key("enum").BeginArray();
  for (const std::string_view word : kind.words) json_.Value(word);
  if (nullable_) json_.Null();
  json_.EndArray();
}

void FieldSchema::WriteStrings(const field::Strings& kind) {
  WriteType("object");
  json_.Key("additionalProperties").BeginObject();
  if (kind.bytes) {
    json_.Key("oneOf").BeginArray().BeginObject();
    WriteStringOf(json_, kind.values);
    WriteSchemaOf(json_.EndObject(), "Base64Argument");
    json_.EndArray();
  } else {
    WriteStringOf(json_, kind.values);
  }
  json_.EndObject();
  if (side_ == Side::kAnswer) return;
  json_.Key("propertyNames").BeginObject().Member("minLength", 1);
  if (kind.max_name > 0) json_.Member("maxLength", kind.max_name);
  if (!kind.names.empty()) json_.Member("pattern", kind.names);
  json_.EndObject();
  if (kind.max > 0) json_.Member("maxProperties", kind.max);
}

void FieldSchema::WriteTexts(const field::Texts& kind) {
  WriteType("array");
  WriteStringOf(json_.Key("items").BeginObject(), kind.pattern);
  if (kind.max_length > 0) json_.Member("maxLength", kind.max_length);
  json_.EndObject();
  if (kind.min > 0) json_.Member("minItems", kind.min);
  if (kind.max > 0) json_.Member("maxItems", kind.max);
}

void FieldSchema::WriteArgument() {
  json_.Key("oneOf").BeginArray().BeginObject();
  WriteType("string");
  WriteSchemaOf(json_.Member("pattern", field::kWithoutNul).EndObject(), "Base64Argument");
  json_.EndArray();
}

void FieldSchema::WriteListOf(std::string_view type) {
  WriteType("array");
  json_.Key("items").BeginObject().Member("type", type).EndObject();
}

void FieldSchema::WriteMapOf(std::string_view type) {
  WriteType("object");
  json_.Key("additionalProperties").BeginObject().Member("type", type).EndObject();
}

}  // namespace cay::api
