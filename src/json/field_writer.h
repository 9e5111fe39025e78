// FieldWriter: writes what is told, by a list of fields (base/field.h).
//
//   WriteObject<fields::Process>(json, record);
//
// What a list gives for a field is what is written; an optional that is nothing is null, or is left
// out where the list says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/field.h"
#include "base/units.h"
#include "json/json_writer.h"

namespace cay {

// Seconds, whole where they are.
void WriteSeconds(JsonWriter& json, Millis duration);
// RFC 3339, or null for nothing and for 0.
void WriteTime(JsonWriter& json, std::optional<int64_t> unix_ms);

namespace internal {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

}  // namespace internal

class FieldWriter {
 public:
  explicit FieldWriter(JsonWriter& json) : json_(json) {}

  template <class Kind, class Member>
  void operator()(const field::About& about, Kind kind, const Member& member) {
    if (about.name.empty()) return;
    if constexpr (internal::kIsOptional<Member>) {
      if (member) {
        Write(json_.Key(about.name), kind, *member);
      } else if (!about.sometimes) {
        json_.Key(about.name).Null();
      }
    } else {
      Write(json_.Key(about.name), kind, member);
    }
  }

  // A whole object, as the next value.
  template <class List>
  void Object(const auto& of) {
    json_.BeginObject();
    List::Of(of, *this);
    json_.EndObject();
  }

 private:
  static void Write(JsonWriter& json, field::Text, std::string_view text) { json.Value(text); }
  static void Write(JsonWriter& json, field::Text, const field::TextPieces& text) {
    json.Joined({text[0], text[1], text[2]});
  }
  static void Write(JsonWriter& json, field::Word, std::string_view word) { json.Value(word); }
  static void Write(JsonWriter& json, field::Base64, std::string_view bytes) { json.Base64(bytes); }
  static void Write(JsonWriter& json, field::Flag, bool flag) { json.Value(flag); }
  static void Write(JsonWriter& json, field::Number, auto number) { json.Value(number); }
  static void Write(JsonWriter& json, field::Fraction, double number) { json.Value(number); }
  static void Write(JsonWriter& json, field::Seconds, Millis duration) {
    WriteSeconds(json, duration);
  }
  static void Write(JsonWriter& json, field::Time kind, int64_t unix_ms);
  static void Write(JsonWriter& json, field::Own, std::string_view value) { json.Raw(value); }
  static void Write(JsonWriter& json, field::Strings, const auto& map) { WriteMap(json, map); }
  static void Write(JsonWriter& json, field::Figures, const auto& map) { WriteMap(json, map); }
  static void Write(JsonWriter& json, field::Texts, const auto& list) { WriteList(json, list); }
  static void Write(JsonWriter& json, field::Numbers, const auto& list) { WriteList(json, list); }
  template <class List>
  void Write(JsonWriter&, field::Object<List>, const auto& one) {
    Object<List>(one);
  }
  template <class List>
  void Write(JsonWriter& json, field::Objects<List>, const auto& all) {
    json.BeginArray();
    for (const auto& one : all) Object<List>(one);
    json.EndArray();
  }

  static void WriteMap(JsonWriter& json, const auto& map) {
    json.BeginObject();
    for (const auto& [name, value] : map) json.Member(name, value);
    json.EndObject();
  }
  static void WriteList(JsonWriter& json, const auto& list) {
    json.BeginArray();
    for (const auto& value : list) json.Value(value);
    json.EndArray();
  }

  JsonWriter& json_;
};

// A whole object.
template <class List>
void WriteObject(JsonWriter& json, const auto& of) {
  FieldWriter(json).Object<List>(of);
}
// Its members, in an object that was begun.
template <class List>
void WriteMembers(JsonWriter& json, const auto& of) {
  FieldWriter writer(json);
  List::Of(of, writer);
}
// An object that has a list of such objects as its only member.
template <class List>
void WriteList(JsonWriter& json, std::string_view name, const auto& all) {
  FieldWriter writer(json.BeginObject());
  writer(field::About{name}, field::Objects<List>{}, all);
  json.EndObject();
}

template <class List>
JsonWriter ListJson(std::string_view name, const auto& all) {
  JsonWriter json;
  WriteList<List>(json, name, all);
  return json;
}
template <class List>
JsonWriter ObjectJson(const auto& of) {
  JsonWriter json;
  WriteObject<List>(json, of);
  return json;
}

}  // namespace cay
