// JSON that came from a client, as a tree. Strict: RFC 8259 and nothing beside it, UTF-8, no name
// twice in an object, and bounds on all that a client could make large.
//
//   JsonValue body = TRY(ParseJson(text));
//   JsonFields fields = TRY(JsonFields::Of(body));      // json_fields.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace cay {

struct JsonMember;

struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;  // in the order they came

  std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object> value;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
  const bool* AsBool() const { return std::get_if<bool>(&value); }
  const std::string* AsString() const { return std::get_if<std::string>(&value); }
  const Array* AsArray() const { return std::get_if<Array>(&value); }
  const Object* AsObject() const { return std::get_if<Object>(&value); }
  // "a string", "a number" …, for messages.
  std::string_view KindName() const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  size_t depth = 16;
  size_t values = 200'000;  // in all
  size_t name_bytes = 4096;
};

// kInvalidArgument says what is wrong and at which byte. Numbers are int64, then uint64, then
// double.
Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace cay
