#include "json/field_reader.h"

namespace cay {

Result<std::optional<std::string>> FieldReader::ReadText(const About& about,
                                                         const field::Text& kind) {
  if (about.needed) return TRY(fields_.RequiredString(about.name, kind.max_bytes));
  auto text = TRY(fields_.String(about.name, kind.max_bytes));
  if (kind.alias.empty()) return text;
  auto other = TRY(fields_.String(kind.alias, kind.max_bytes));
  if (text && other && *text != *other) {
    return Failure(Error::Impossible("\"" + std::string(about.name) + "\" and \"" +
                                     std::string(kind.alias) +
                                     "\" mean the same, and have different values"));
  }
  return text ? text : other;
}

Result<std::optional<std::vector<std::string>>> FieldReader::ReadTexts(std::string_view name) {
  const JsonValue* value = fields_.Find(name);
  if (value == nullptr) return std::nullopt;
  const auto* array = value->AsArray();
  if (array == nullptr) return Failure(fields_.Wrong(name, "an array of strings", *value));
  std::vector<std::string> texts;
  for (const JsonValue& one : *array) {
    const std::string* text = one.AsString();
    if (text == nullptr) return Failure(fields_.Wrong(name, "an array of strings", one));
    texts.push_back(*text);
  }
  return texts;
}

Result<const JsonValue::Array*> FieldReader::ReadArray(std::string_view name, size_t max) {
  const JsonValue* value = fields_.Find(name);
  if (value == nullptr) return nullptr;
  const auto* array = value->AsArray();
  if (array == nullptr) return Failure(fields_.Wrong(name, "an array", *value));
  if (array->size() > max) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         fields_.PathOf(name) + " has more than the maximum of " +
                             std::to_string(max) + " entries"));
  }
  return array;
}

}  // namespace cay
