// Serialize: heads of messages as bytes, and what goes into them. Pure, except for the clock.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace cay::http {

// Whether it can name a field (a token: RFC 9110, 5.6.2), or stand in a line: any bytes except
// control characters other than tabs.
bool IsFieldName(std::string_view text);
bool IsFieldText(std::string_view text);

// kInternal when a name or a value could end its line (response splitting): the program put
// something of a client's or a guest's into it unchecked.
Result<void> CheckHeaders(const Headers& headers);

// "HTTP/1.1 200 OK\r\nA: b\r\n…", without the empty line, so that fields can be added.
std::string StatusLineAndHeaders(int status, const Headers& headers);
// "GET / HTTP/1.1\r\nA: b\r\n…", the same way.
std::string RequestLineAndHeaders(std::string_view method, std::string_view target,
                                  const Headers& headers);
void AppendHeader(std::string& head, std::string_view name, std::string_view value);

// "Sat, 21 Nov 2026 16:00:00 GMT" (RFC 9110, 5.6.7), of this second.
std::string_view DateNow();

// A problem document (RFC 9457). `detail` is the program's own: no quotes in it.
std::string ProblemBody(int status, std::string_view detail, std::string_view request_id);

// The whole answer to a request that no handler sees: a problem document, with
// "Connection: close".
std::string ProblemResponse(int status, std::string_view detail, std::string_view request_id);

// 16 hexadecimal digits, different for each request of this process, and of another with
// overwhelming likelihood.
std::string NewRequestId();
// Whether a client's own X-Request-Id may be used: [A-Za-z0-9._-]{1,64}.
bool IsRequestId(std::string_view text);

}  // namespace cay::http
