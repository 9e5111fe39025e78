#include "api/template_json.h"

#include "base/os/log.h"

namespace cay::api {

void WriteTemplate(JsonWriter& json, const templates::TemplateInfo& info) {
  json.BeginObject().Member("name", info.name).Member("source", info.source);
  json.Member("size", info.size).Member("entries", info.entries).Member("user", info.user);
  json.Key("imported_at");
  if (info.imported_unix_ms == 0) {
    json.Null();
  } else {
    json.Value(FormatTimestamp(info.imported_unix_ms));
  }
  json.Member("notes", templates::DescribeNotes(info.notes)).EndObject();
}

}  // namespace cay::api
