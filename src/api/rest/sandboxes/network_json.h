// The network of a sandbox, as it is asked for.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "json/json_fields.h"
#include "sandbox/types.h"

namespace cay::api::rest {

// An object with the fields of a network; or, as it was before there were others, a text: "none",
// "open", or names of presets with commas between them. Nothing when it is not there.
// kInvalidArgument names the field.
Result<std::optional<sandbox::NetworkSpec>> ReadNetwork(JsonFields& fields, std::string_view name);

}  // namespace cay::api::rest
