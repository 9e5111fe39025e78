#include "api/openapi/schemas.h"

#include <optional>

#include "json/json_writer.h"
#include "sandbox/fields.h"

namespace cay::api {
namespace {

namespace fields = sandbox::fields;
using fields::About;

std::string Reference(std::string_view schema) {
  return "#/components/schemas/" + std::string(schema);
}

void WriteType(JsonWriter& json, std::string_view type, bool nullable) {
  if (!nullable) {
    json.Member("type", type);
    return;
  }
  json.Key("type").BeginArray().Value(type).Value("null").EndArray();
}

// What can be left out can be null as well.
void WriteOptionalReference(JsonWriter& json, std::string_view schema) {
  json.Key("oneOf").BeginArray();
  json.BeginObject().Member("$ref", Reference(schema)).EndObject();
  json.BeginObject().Member("type", "null").EndObject();
  json.EndArray();
}

void WriteStringPattern(JsonWriter& json, std::string_view name, std::string_view pattern) {
  json.Key(name).BeginObject().Member("type", "string");
  if (!pattern.empty()) json.Member("pattern", pattern);
  json.EndObject();
}

void WritePath(JsonWriter& json, std::string_view name, size_t min_length) {
  json.Key(name).BeginObject().Member("type", "string").Member("minLength", min_length);
  json.Member("pattern", "^/[^\\u0000]*$").EndObject();
}

// One property for each field of what is asked for.
class RequestSchema {
 public:
  explicit RequestSchema(JsonWriter& json) : json_(json) {}

  template <class Kind, class Member>
  void operator()(const About& about, Kind kind, const Member&) {
    if (about.name.empty()) return;
    json_.Key(about.name).BeginObject();
    Write(kind);
    if (!about.text.empty()) json_.Member("description", about.text);
    json_.EndObject();
  }
  void operator()(const About& about, fields::Text kind, const auto&) {
    if (about.name.empty()) return;
    for (const std::string_view name : {about.name, kind.alias}) {
      if (name.empty()) continue;
      json_.Key(name).BeginObject();
      Write(kind);
      if (name == kind.alias) {
        json_.Member("description", "the same as " + std::string(about.name));
      } else if (!about.text.empty()) {
        json_.Member("description", about.text);
      }
      json_.EndObject();
    }
  }

 private:
  void Write(fields::Text kind) {
    WriteType(json_, "string", true);
    if (kind.max_length > 0) json_.Member("maxLength", kind.max_length);
    if (!kind.pattern.empty()) json_.Member("pattern", kind.pattern);
  }
  void Write(fields::Size) { WriteOptionalReference(json_, "Size"); }
  void Write(fields::Cpus) { WriteOptionalReference(json_, "Cpus"); }
  void Write(fields::Duration) { WriteOptionalReference(json_, "Duration"); }
  void Write(fields::AtTimeout) { WriteOptionalReference(json_, "OnTimeout"); }
  void Write(fields::Flag) { WriteType(json_, "boolean", true); }
  void Write(fields::Count kind) {
    WriteType(json_, "integer", true);
    json_.Member("minimum", kind.min).Member("maximum", kind.max);
  }
  void Write(fields::Environment) {
    WriteType(json_, "object", true);
    WriteStringPattern(json_, "additionalProperties", fields::kWithoutNul);
    json_.Key("propertyNames").BeginObject().Member("minLength", 1);
    json_.Member("pattern", "^[^=\\u0000]*$").EndObject();
  }
  void Write(fields::Metadata) {
    WriteType(json_, "object", true);
    WriteStringPattern(json_, "additionalProperties", {});
    json_.Key("propertyNames").BeginObject().Member("minLength", 1).Member("maxLength", 128);
    json_.EndObject().Member("maxProperties", 64);
  }
  void Write(fields::Mounts kind) {
    BeginItems();
    WritePath(json_, "source", 1);
    WritePath(json_, "target", 2);
    json_.Key("read_only").BeginObject();
    WriteType(json_, "boolean", true);
    json_.EndObject().EndObject();
    json_.Key("required").BeginArray().Value("source").Value("target").EndArray();
    EndItems(kind.max);
  }
  void Write(fields::TmpfsList kind) {
    BeginItems();
    WritePath(json_, "target", 2);
    json_.Key("size").BeginObject();
    WriteOptionalReference(json_, "Size");
    json_.EndObject().EndObject();
    json_.Key("required").BeginArray().Value("target").EndArray();
    EndItems(kind.max);
  }
  void BeginItems() {
    WriteType(json_, "array", true);
    json_.Key("items").BeginObject().Member("type", "object").Key("properties").BeginObject();
  }
  void EndItems(size_t max) {
    json_.Member("additionalProperties", false).EndObject().Member("maxItems", max);
  }

  JsonWriter& json_;
};

// One property for each field of what is told. All of them are always there.
class AnswerSchema {
 public:
  explicit AnswerSchema(JsonWriter& json) : json_(json) {}

  template <class Kind, class Member>
  void operator()(const About& about, Kind kind, const Member&) {
    names_.push_back(about.name);
    json_.Key(about.name).BeginObject();
    Write(kind);
    if (!about.text.empty()) json_.Member("description", about.text);
    json_.EndObject();
  }
  const std::vector<std::string_view>& names() const { return names_; }

 private:
  void Write(fields::Id) { json_.Member("type", "string").Member("pattern", "^[a-z0-9]{20}$"); }
  void Write(fields::StateName) { json_.Member("$ref", Reference("SandboxState")); }
  void Write(fields::AtTimeout) { json_.Member("$ref", Reference("OnTimeout")); }
  void Write(fields::LimitsInForce) { json_.Member("$ref", Reference("Limits")); }
  void Write(fields::Text) { json_.Member("type", "string"); }
  void Write(fields::SizeText) { json_.Member("type", "string"); }
  void Write(fields::CpusText) { json_.Member("type", "string"); }
  void Write(fields::Number) { json_.Member("type", "integer"); }
  void Write(fields::Seconds) { json_.Member("type", "number"); }
  void Write(fields::Flag) { json_.Member("type", "boolean"); }
  void Write(fields::Time) {
    WriteType(json_, "string", true);
    json_.Member("format", "date-time");
  }
  void Write(fields::Environment) { WriteMap("string"); }
  void Write(fields::Metadata) { WriteMap("string"); }
  void Write(fields::Stages) { WriteMap("integer"); }
  void WriteMap(std::string_view of) {
    json_.Member("type", "object").Key("additionalProperties").BeginObject();
    json_.Member("type", of).EndObject();
  }
  void Write(fields::MissingLimits) {
    json_.Member("type", "array").Key("items").BeginObject().Member("type", "object");
    json_.Key("properties").BeginObject();
    WriteStringPattern(json_, "limit", {});
    WriteStringPattern(json_, "why", {});
    json_.EndObject().Key("required").BeginArray().Value("limit").Value("why").EndArray();
    json_.Member("additionalProperties", false).EndObject();
  }

  JsonWriter& json_;
  std::vector<std::string_view> names_;
};

Schema SpecSchema() {
  JsonWriter json;
  json.BeginObject().Member("type", "object").Key("properties").BeginObject();
  RequestSchema schema(json);
  const sandbox::SandboxSpec spec;
  fields::OfSpec(spec, schema);
  json.Key("network").BeginObject();
  WriteType(json, "string", true);
  json.Key("enum").BeginArray().Value("none").Null().EndArray().EndObject();
  json.EndObject().Member("additionalProperties", false).EndObject();
  return {.name = "SandboxSpec", .json = std::move(json).Take()};
}

Schema ChangeSchema() {
  JsonWriter json;
  json.BeginObject().Member("type", "object").Key("properties").BeginObject();
  RequestSchema schema(json);
  const sandbox::SandboxChange change;
  fields::OfChange(change, schema);
  json.EndObject().Member("additionalProperties", false).EndObject();
  return {.name = "SandboxChange", .json = std::move(json).Take()};
}

Schema ViewSchema() {
  JsonWriter json;
  json.BeginObject().Member("type", "object").Key("properties").BeginObject();
  AnswerSchema schema(json);
  const sandbox::SandboxView view{.id = SandboxId::Parse(std::string(20, 'a')).value()};
  fields::OfView(view, schema);
  json.EndObject().Key("required").BeginArray();
  for (const std::string_view name : schema.names()) json.Value(name);
  json.EndArray().Member("additionalProperties", false).EndObject();
  return {.name = "Sandbox", .json = std::move(json).Take()};
}

}  // namespace

std::vector<Schema> FieldSchemas() { return {SpecSchema(), ChangeSchema(), ViewSchema()}; }

}  // namespace cay::api
