#include "api/request.h"

#include <algorithm>
#include <cctype>

#include "api/problem.h"
#include "base/encoding.h"
#include "json/json_fields.h"
#include "sandbox/processes/output_room.h"

namespace cay::api {
namespace {

Error WrongParameter(std::string_view name, const Error& why) {
  return Error(why).WithContext("the parameter \"" + std::string(name) + "\"");
}

// The parameter as `parse` reads it; nothing when it is not there.
template <class Parse>
auto QueryAs(const http::Request& request, std::string_view name, const Parse& parse)
    -> Result<std::optional<typename decltype(parse(std::string_view()))::value_type>> {
  const auto text = request.Query(name);
  if (!text) return std::nullopt;
  const auto value = parse(*text);
  if (!value) return Failure(WrongParameter(name, value.error()));
  return *value;
}

}  // namespace

Error BodyError(const Error& error, Bytes max_bytes) {
  return error.code() == ErrorCode::kLimitTooHigh ? BodyTooLarge(max_bytes) : error;
}

Result<JsonValue> ReadJsonBody(http::Exchange& exchange, Bytes max_bytes) {
  exchange.SetBodyLimit(max_bytes);
  const auto body = exchange.ReadWholeBody(max_bytes);
  if (!body) return Failure(BodyError(body.error(), max_bytes));
  if (body->find_first_not_of(" \t\r\n") == std::string::npos) {
    return JsonValue{JsonValue::Object()};
  }
  return ParseJson(*body);
}

Result<bool> QueryBool(const http::Request& request, std::string_view name, bool otherwise) {
  const auto text = request.Query(name);
  if (!text) return otherwise;
  if (*text == "true" || *text == "1" || text->empty()) return true;
  if (*text == "false" || *text == "0") return false;
  return Failure(WrongParameter(name, Error::Invalid("write true or false")));
}

Result<std::optional<uint64_t>> QueryNumber(const http::Request& request, std::string_view name,
                                            uint64_t max) {
  return QueryAs(request, name, [&](std::string_view text) { return ParseUnsigned(text, max); });
}

Result<std::optional<Millis>> QueryDuration(const http::Request& request, std::string_view name) {
  return QueryAs(request, name, ParseDuration);
}

Result<std::optional<uint32_t>> QueryMode(const http::Request& request, std::string_view name) {
  return QueryAs(request, name, ParseMode);
}

Result<void> RespondJson(http::Exchange& exchange, int status, JsonWriter json,
                         http::Headers headers) {
  headers.Add("Content-Type", "application/json");
  return exchange.Respond(
      {.status = status, .headers = std::move(headers), .body = std::move(json).Take()});
}

Result<std::string> QueryOwner(const http::Request& request, const sandbox::Caller& caller) {
  const auto wanted = request.Query("owner");
  if (!wanted) return std::string();
  if (!caller.admin && *wanted != caller.owner) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         "only a key of scope admin sees what belongs to another owner")
                       .WithRemedy("leave the parameter \"owner\" out, or use such a key"));
  }
  return std::string(*wanted);
}

Result<Shares::Part> MemoryForAnswer(Shares& answers, const std::string& owner, Bytes bytes) {
  Shares::Part memory = answers.For(owner);
  const auto taken = memory.TakeWithin(bytes, sandbox::OutputRoom::kPatience);
  if (taken != Shares::Taken::kYes) return Failure(sandbox::NoMemoryForAnswer(taken));
  return memory;
}

Result<void> RespondNothing(http::Exchange& exchange) {
  return exchange.Respond({.status = 204, .headers = {}, .body = {}});
}

std::string ExtendedValue(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string value = "UTF-8''";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || c == '.' || c == '-' || c == '_')) {
      value += c;
    } else {
      value += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return value;
}

std::string AttachmentNamed(std::string_view name) {
  return "attachment; filename*=" + ExtendedValue(ToUtf8Lossy(name));
}

}  // namespace cay::api
