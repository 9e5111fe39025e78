// An event as clients see it: in streams, lists and webhooks.
#pragma once

#include "json/json_writer.h"
#include "sandbox/types.h"

namespace cay::api {

// A whole object.
void WriteEvent(JsonWriter& json, const sandbox::Event& event);

}  // namespace cay::api
