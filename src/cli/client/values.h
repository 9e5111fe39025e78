// The server's JSON (json_members.h) as people read it: names, cells, times, ages. Pure: the
// callers of ages say what time it is.
//
//   Cell(sandbox, "state")           -> "running", or "-"
//   ParseTime("2026-01-31T12:00:00.250Z")  -> unix milliseconds
//   FormatAge(185'000)               -> "3m"
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "json/json_members.h"

namespace cay::cli {

// A name, or a path, which may be any bytes: KEY_base64 where that is there. And back: a string, or
// {"base64": …}.
std::string Name(const boost::json::object& object, std::string_view key);
boost::json::value NameValue(std::string_view bytes);
// A request's body. kInvalidArgument for a string that is not UTF-8, which JSON cannot hold.
Result<std::string> JsonBody(const boost::json::value& body);
// For a cell: one line; "-" when it is not there.
std::string NameCell(const boost::json::object& object, std::string_view key);

// For a cell: one line, "-" for what is not there. Numbers and flags in their JSON form; of a list
// its elements with spaces between.
std::string Cell(const boost::json::object& object, std::string_view key);
// The same of a number of bytes ("1.5 GiB").
std::string BytesCell(const boost::json::object& object, std::string_view key);

// RFC 3339 with "Z" and any number of decimals, to milliseconds since 1970. Nothing for what is
// none.
std::optional<int64_t> ParseTime(std::string_view text);

// 12s, 5m, 3h, 2d: one unit is enough to find a thing by. What lies ahead is 0s.
std::string FormatAge(int64_t age_ms);
// The age of the time in a field, or the time until it; "-" when it has none.
std::string AgeCell(const boost::json::object& object, std::string_view key, int64_t now_ms);
std::string UntilCell(const boost::json::object& object, std::string_view key, int64_t now_ms);

// kProtocol when the server's text is no JSON, or not of this shape.
Result<boost::json::value> ParseJson(std::string_view text);
Result<boost::json::object> ParseJsonObject(std::string_view text);

// On several lines, for people: two spaces a level, a newline at the end; or on one. Control
// characters that JSON lets pass (DEL, U+0080 to U+009F) are escaped: it may be a terminal that
// reads it.
std::string PrettyJson(const boost::json::value& value);
std::string LineJson(const boost::json::value& value);

// The number of "SIGKILL" or "KILL", or of a decimal number up to 64. Nothing for what is none.
std::optional<int> ParseSignal(std::string_view text);

}  // namespace cay::cli
