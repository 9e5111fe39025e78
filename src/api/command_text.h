// CommandText: a command as clients give it in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json_fields.h"
#include "json/json_value.h"

namespace cay::api {

// What a client gave as a command.
struct CommandText {
  std::vector<std::string> argv;  // of an array; or …
  std::string shell;              // … a line for `sh -c`
};

// A string or an array of strings, each of which may be {"base64": "…"}. `what`: its name in
// messages.
Result<CommandText> CommandOf(const JsonValue& value, std::string_view what);

// A member that is a command; nothing when it is not there.
Result<std::optional<CommandText>> ReadCommand(JsonFields& fields, std::string_view name);

}  // namespace cay::api
