// What reading the documents of an image has in common: JSON from a stranger, whose unknown members
// are ignored. Inside this room only.
//
//   const JsonValue root = TRY(ParseDocument(json, kMaxDocument));
//   DocumentFields fields = TRY(DocumentFields::Of(root, ""));
//   const std::string author = TRY(fields.Text("author", 4096));
//   TRY(fields.Finish());
//
// Errors are JsonFields': kInvalidArgument or kLimitTooHigh, and begin with the member's name.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "base/units.h"
#include "json/json_fields.h"
#include "json/json_value.h"
#include "template/oci/digest.h"

namespace cay::templates::oci {

// kLimitTooHigh for more than `max` bytes; kInvalidArgument for what is no JSON, or no object.
Result<JsonValue> ParseJsonOfAtMost(std::string_view json, Bytes max);
Result<JsonValue> ParseDocument(std::string_view json, Bytes max);

Error OverLimit(std::string message);

// "2015-10-31T22:22:56.015925234Z", "2024-02-01T00:00:00+01:00" (RFC 3339, 5.6).
bool IsTimestamp(std::string_view text);
// "2026-11-28T10:00:00Z"
std::string TimestampOf(int64_t unix_ms);

// No text that it gives has a NUL byte.
class DocumentFields {
 public:
  // kInvalidArgument unless it is an object. `value` outlives this. `where`: "layers[0]"; empty for
  // the document itself.
  static Result<DocumentFields> Of(const JsonValue& value, std::string where);

  // Whether the member is there, null too.
  bool Has(std::string_view name);
  // Nothing where it is not there, or null.
  const JsonValue* Find(std::string_view name);

  // Empty where it is not there.
  Result<std::string> Text(std::string_view name, Bytes max_bytes);
  Result<std::vector<std::string>> Texts(std::string_view name, size_t max, Bytes max_bytes);
  // An object of texts; `max_bytes` of all names and values together.
  Result<StringMap> TextMap(std::string_view name, size_t max, Bytes max_bytes);
  // The names of an object of empty objects: Go's map[string]struct{}.
  Result<std::vector<std::string>> NameSet(std::string_view name, size_t max, Bytes max_bytes);
  // RFC 3339, or empty.
  Result<std::string> Timestamp(std::string_view name);
  Result<std::optional<uint64_t>> Number(std::string_view name, uint64_t max);
  Result<bool> Flag(std::string_view name);
  Result<Digest> RequiredDigest(std::string_view name);
  Result<std::vector<Digest>> Digests(std::string_view name, size_t max);
  // Null where it is not there.
  Result<const JsonValue::Array*> Array(std::string_view name, size_t max);

  // kInvalidArgument for a member that differs only in upper and lower case from one that was asked
  // for: Go's encoding/json takes it for that one, so two programs would read two documents.
  Result<void> Finish() const;

  Error Missing(std::string_view name) const;
  Error Wrong(std::string_view name, std::string_view why) const;  // "NAME WHY"
  Error Wrong(std::string_view name, const Error& why) const { return fields_.Wrong(name, why); }
  std::string PathOf(std::string_view name) const { return fields_.PathOf(name); }  // quoted
  // For what is inside: "config.digest", "layers[3]"; without quotes.
  std::string Inside(std::string_view name) const;
  std::string Inside(std::string_view name, size_t index) const;

 private:
  DocumentFields(JsonFields fields, const JsonValue::Object& object, std::string where)
      : fields_(std::move(fields)), object_(&object), where_(std::move(where)) {}

  Result<std::string> TextOf(const JsonValue& value, const std::string& path,
                             Bytes max_bytes) const;

  JsonFields fields_;
  const JsonValue::Object* object_;
  std::string where_;
  std::set<std::string, std::less<>> asked_{};
};

}  // namespace cay::templates::oci
