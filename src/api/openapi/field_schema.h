// FieldSchema: the schema of a struct, by its list of fields (base/field.h): a property for each.
//
//   AnswerSchema<fields::Process>(sandbox::ProcessRecord())     // {.name = "Process", .json = "{…}"}
//
// What is asked for may be left out, and may be null then, unless the list says that it is needed.
// What is told is always there, and null where the list gives an optional that is nothing, unless
// the list says that it is left out then. Of values only the types count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/openapi/schemas.h"
#include "base/field.h"
#include "json/field_writer.h"
#include "json/json_writer.h"

namespace cay::api {

enum class Side : uint8_t { kRequest, kAnswer };

class FieldSchema {
 public:
  using About = field::About;

  FieldSchema(JsonWriter& json, Side side) : json_(json), side_(side) {}

  template <class Kind, class Member>
  void operator()(const About& about, const Kind& kind, const Member& member) {
    if (about.name.empty()) return;
    constexpr bool kOptional = internal::kIsOptional<Member>;
    Begin(about, kOptional);
    if constexpr (kOptional) {
      Write(kind, typename Member::value_type{});
    } else {
      Write(kind, member);
    }
    End(about.text);
    if constexpr (requires { kind.alias; }) WriteAlias(about, kind);
  }

  // After the last field.
  void WriteRequired();

 protected:
  // A property, with what a derived schema writes between the two.
  void Begin(const About& about, bool optional);
  void End(std::string_view text);
  void WriteType(std::string_view type);
  void WriteReference(std::string_view schema);
  // As the next value: what components/schemas has under that name.
  static void WriteSchemaOf(JsonWriter& json, std::string_view schema);
  JsonWriter& json() { return json_; }

 private:
  void Write(const field::Text& kind, const auto&) { WriteText(kind); }
  void Write(field::Size, const auto&) { WriteReference("Size"); }
  void Write(field::Cpus, const auto&) { WriteReference("Cpus"); }
  void Write(field::Duration, const auto&) { WriteReference("Duration"); }
  void Write(field::Content, const auto&) { WriteReference("Content"); }
  void Write(field::Count kind, const auto&) {
    WriteType("integer");
    json_.Member("minimum", kind.min).Member("maximum", kind.max);
  }
  void Write(field::Flag kind, const auto&) {
    WriteType("boolean");
    if (kind.otherwise) json_.Member("default", true);
  }
  void Write(const field::Word& kind, const auto&) { WriteWord(kind); }
  void Write(const field::Strings& kind, const auto&) { WriteStrings(kind); }
  void Write(const field::Texts& kind, const auto&) { WriteTexts(kind); }
  void Write(field::Argument, const auto&) { WriteArgument(); }
  void Write(field::Number, const auto&) { WriteType("integer"); }
  void Write(field::Fraction, const auto&) { WriteType("number"); }
  void Write(field::Seconds, const auto&) { WriteType("number"); }
  void Write(field::Time kind, const auto&) {
    nullable_ = !kind.always;
    WriteType("string");
    json_.Member("format", "date-time");
  }
  void Write(field::Base64, const auto&) { WriteType("string"); }
  void Write(field::Numbers, const auto&) { WriteListOf("integer"); }
  void Write(field::Figures, const auto&) { WriteMapOf("integer"); }
  void Write(field::Own kind, const auto&) {
    kind.schema.empty() ? WriteType("object") : WriteReference(kind.schema);
  }
  template <class List, class T>
  void Write(field::Object<List>, const T&) {
    WriteObject<List, T>();
  }
  template <class List, class Range>
  void Write(field::Objects<List> kind, const Range&) {
    WriteType("array");
    json_.Key("items").BeginObject();
    nullable_ = false;
    WriteObject<List, typename Range::value_type>();
    json_.EndObject();
    if (kind.max > 0) json_.Member("maxItems", kind.max);
  }
  template <class List, class T>
  void WriteObject();

  void WriteText(const field::Text& kind);
  void WriteAlias(const About& about, const field::Text& kind);
  void WriteWord(const field::Word& kind);
  void WriteStrings(const field::Strings& kind);
  void WriteTexts(const field::Texts& kind);
  void WriteArgument();
  void WriteListOf(std::string_view type);
  void WriteMapOf(std::string_view type);

  JsonWriter& json_;
  const Side side_;
  bool nullable_ = false;  // the field that is written
  std::vector<std::string_view> required_;
};

// Members of the schema of an object that has the fields of a list and no other.
template <class List, class Visitor = FieldSchema>
void WriteObjectSchema(JsonWriter& json, Side side, const auto& sample) {
  Visitor visitor(json, side);
  json.Key("properties").BeginObject();
  List::Of(sample, visitor);
  json.EndObject();
  visitor.WriteRequired();
  // What else a schema has, of what is derived from this.
  if constexpr (requires { visitor.WriteRest(); }) visitor.WriteRest();
  json.Member("additionalProperties", false);
}

template <class List, class T>
void FieldSchema::WriteObject() {
  if constexpr (requires { List::kSchema; }) {
    WriteReference(List::kSchema);
  } else {
    WriteType("object");
    WriteObjectSchema<List>(json_, side_, T{});
  }
}

template <class List, class Visitor = FieldSchema>
Schema ObjectSchema(Side side, const auto& sample) {
  JsonWriter json;
  json.BeginObject().Member("type", "object");
  if constexpr (requires { List::kText; }) json.Member("description", List::kText);
  WriteObjectSchema<List, Visitor>(json, side, sample);
  json.EndObject();
  return {.name = List::kSchema, .json = std::move(json).Take()};
}
template <class List, class Visitor = FieldSchema>
Schema RequestSchema(const auto& sample) {
  return ObjectSchema<List, Visitor>(Side::kRequest, sample);
}
template <class List>
Schema AnswerSchema(const auto& sample) {
  return ObjectSchema<List>(Side::kAnswer, sample);
}

}  // namespace cay::api
