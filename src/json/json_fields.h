// JsonFields: the members of a JSON object, taken out one by one with the type that they must have;
// what is left over is refused by name. `null` is the same as not there.
//
//   JsonFields fields = TRY(JsonFields::Of(body));
//   spec.name = TRY(fields.String("name")).value_or("");
//   spec.memory = TRY(fields.Size("memory_limit"));
//   TRY(fields.Finish());
//
// Every error is kInvalidArgument and begins with the member's name, with those of the objects
// around it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "base/units.h"
#include "json/json_value.h"

namespace cay {

class JsonFields {
 public:
  static constexpr size_t kMaxText = 1 * kMiB;

  // kInvalidArgument unless it is an object. `value` outlives this. `where`: "mounts[0]".
  static Result<JsonFields> Of(const JsonValue& value, std::string where = {});

  // Nothing when it is not there.
  const JsonValue* Find(std::string_view name);

  Result<std::optional<std::string>> String(std::string_view name, size_t max_bytes = kMaxText);
  Result<std::string> RequiredString(std::string_view name, size_t max_bytes = kMaxText);
  Result<std::optional<bool>> Bool(std::string_view name);
  Result<std::optional<uint64_t>> Number(std::string_view name, uint64_t max = UINT64_MAX);
  Result<std::optional<Bytes>> Size(std::string_view name);         // "512m" or bytes
  Result<std::optional<Millis>> Duration(std::string_view name);    // "30s" or seconds
  Result<std::optional<MilliCpus>> Cpus(std::string_view name);     // "0.5" or 0.5
  Result<std::optional<uint32_t>> Mode(std::string_view name);      // "0644"
  Result<std::optional<StringMap>> Strings(std::string_view name);  // an object of strings
  // A string, or {"base64": "…"}.
  Result<std::optional<std::string>> TextOrBase64(std::string_view name, size_t max_bytes);
  // An object of those.
  Result<std::optional<StringMap>> TextsOrBase64(std::string_view name);

  // kInvalidArgument when a member is there that was not taken out.
  Result<void> Finish() const;

  Error Wrong(std::string_view name, std::string_view expected, const JsonValue& found) const;
  Error Wrong(std::string_view name, const Error& why) const;
  std::string PathOf(std::string_view name) const;

 private:
  // An object whose members `read` makes of a value and its path.
  template <class Read>
  Result<std::optional<StringMap>> Map(std::string_view name, Read read);

  JsonFields(const JsonValue::Object& object, std::string where)
      : object_(&object), where_(std::move(where)) {}

  const JsonValue::Object* object_;
  std::string where_;
  std::set<std::string, std::less<>> asked_;
};

// kInvalidArgument: `what` is of another kind than `expected` ("a string").
Error WrongKind(std::string_view what, std::string_view expected, const JsonValue& found);

// A string, or {"base64": "…"}.
Result<std::string> TextOrBase64Of(const JsonValue& value, std::string_view what, size_t max_bytes);

// "0644", "644": octal, at most 07777.
Result<uint32_t> ParseMode(std::string_view text);

}  // namespace cay
