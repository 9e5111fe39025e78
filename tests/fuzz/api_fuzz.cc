// What the REST face reads by itself: JSON bodies and their fields, multipart uploads, ranges,
// signals, modes, and environments. Whatever the bytes, reading ends in a value or an error; a
// multipart body gives the same parts however it is cut into pieces; and what the JSON writer
// writes is JSON.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "api/legacy/legacy_environment.h"
#include "api/multipart.h"
#include "api/rest/files/byte_range.h"
#include "api/rest/processes/execute_request.h"
#include "api/rest/processes/process_json.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "json/json_fields.h"
#include "json/json_writer.h"

namespace {

using cay::api::MultipartReader;

cay::Source InPieces(std::string_view text, size_t step) {
  return [text, step](std::span<char> space) mutable -> cay::Result<size_t> {
    const size_t count = std::min({step, text.size(), space.size()});
    if (count > 0) std::memcpy(space.data(), text.data(), count);
    text.remove_prefix(count);
    return count;
  };
}

// Everything that came, as one text.
cay::Result<std::string> ReadParts(std::string_view text, size_t step) {
  MultipartReader reader(InPieces(text, step), "b");
  std::string all;
  while (const auto part = TRY(reader.Next())) {
    all += part->name + "|" + part->filename.value_or("-") + "|" + part->content_type + "|";
    char space[7];
    while (const size_t count = TRY(reader.Read(space))) all.append(space, count);
  }
  return all;
}

void FuzzMultipart(std::string_view text) {
  static_cast<void>(cay::api::BoundaryOf(text));
  const auto whole = ReadParts(text, text.size() + 1);
  const auto pieces = ReadParts(text, 3);
  if (whole.has_value() != pieces.has_value()) std::abort();
  if (whole && *whole != *pieces) std::abort();
}

void FuzzJson(std::string_view text) {
  const auto value = cay::ParseJson(text);
  if (!value) return;
  static_cast<void>(cay::api::rest::ReadSandboxSpec(*value));
  static_cast<void>(cay::api::rest::ReadSandboxChange(*value));
  static_cast<void>(cay::api::rest::ReadExecuteRequest(*value));
  static_cast<void>(cay::api::rest::ReadProcessSpec(*value));
}

void FuzzWriter(std::string_view text) {
  cay::JsonWriter json;
  json.BeginObject().Member("text", text).EndObject();
  if (!cay::ParseJson(json.text())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  FuzzJson(text);
  FuzzMultipart(text);
  FuzzWriter(text);
  const auto range = cay::api::rest::ParseRange(text, 1000);
  if (range && *range && (**range).offset + (**range).length > 1000) std::abort();
  static_cast<void>(cay::api::rest::ParseSignal(text));
  static_cast<void>(cay::ParseMode(text));
  static_cast<void>(cay::api::rest::ParseEnvironment(text));
  return 0;
}
