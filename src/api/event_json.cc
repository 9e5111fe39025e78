#include "api/event_json.h"

#include "base/os/log.h"

namespace cay::api {

void WriteEvent(JsonWriter& json, const sandbox::Event& event) {
  json.BeginObject().Member("id", event.id).Member("time", FormatTimestamp(event.unix_ms));
  json.Member("type", event.type).Member("sandbox_id", event.sandbox);
  json.Member("owner", event.owner).Member("reason", event.reason);
  if (!event.data.empty()) json.Key("data").Raw(event.data);
  json.EndObject();
}

}  // namespace cay::api
