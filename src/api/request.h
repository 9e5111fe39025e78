// What handlers read from a request beside its JSON, and how they answer.
#pragma once

#include <optional>
#include <string_view>

#include "api/route.h"
#include "base/result.h"
#include "base/units.h"
#include "http/exchange.h"
#include "json/json_value.h"
#include "json/json_writer.h"

namespace cay::api {

// The body as JSON; an empty one is {}. 413 when it is over the maximum.
Result<JsonValue> ReadJsonBody(http::Exchange& exchange, Bytes max_bytes = kMaxJsonBody);

// An error of ReadBody as the client shall see it: what is over a limit is 413.
Error BodyError(const Error& error, Bytes max_bytes);

// Parameters of the query: kInvalidArgument names the one that is wrong; nothing when it is not
// there.
Result<bool> QueryBool(const http::Request& request, std::string_view name, bool otherwise);
Result<std::optional<uint64_t>> QueryNumber(const http::Request& request, std::string_view name,
                                            uint64_t max);
Result<std::optional<Millis>> QueryDuration(const http::Request& request, std::string_view name);
Result<std::optional<uint32_t>> QueryMode(const http::Request& request, std::string_view name);

Result<void> RespondJson(http::Exchange& exchange, int status, JsonWriter json,
                         http::Headers headers = {});
// The parameter "owner" of a list: whose entries are wanted. Empty: those of all owners that the
// caller may see. kPermissionDenied for another owner when the caller is no administrator.
Result<std::string> QueryOwner(const http::Request& request, const sandbox::Caller& caller);

// Takes so much of `answers`, for the entries of a list, and waits for it as for output.
// kResourceExhausted when there is none.
Result<Shares::Part> MemoryForAnswer(Shares& answers, const std::string& owner, Bytes bytes);
Result<void> RespondNothing(http::Exchange& exchange);  // 204

// A value of a header, from text that may be anything: percent-encoded as RFC 8187's ext-value.
std::string ExtendedValue(std::string_view text);
// `attachment` with that file name, as far as it is UTF-8: RFC 8187 has no bytes.
std::string AttachmentNamed(std::string_view name);

}  // namespace cay::api
