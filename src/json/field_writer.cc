#include "json/field_writer.h"

#include "base/os/log.h"

namespace cay {

void WriteSeconds(JsonWriter& json, Millis duration) {
  if (duration.count() % 1000 == 0) {
    json.Value(duration.count() / 1000);
  } else {
    json.Value(static_cast<double>(duration.count()) / 1000);
  }
}

void WriteTime(JsonWriter& json, std::optional<int64_t> unix_ms) {
  if (unix_ms.value_or(0) == 0) {
    json.Null();
  } else {
    json.Value(FormatTimestamp(*unix_ms));
  }
}

void FieldWriter::Write(JsonWriter& json, field::Time kind, int64_t unix_ms) {
  if (kind.always) {
    json.Value(FormatTimestamp(unix_ms));
  } else {
    WriteTime(json, unix_ms);
  }
}

}  // namespace cay
