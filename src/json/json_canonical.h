// What a client sent, as a text that is equal for equal requests: members sorted by name, those
// that are null left out (null is the same as not there, json_fields.h), no spaces. Values are as
// they were sent: "1g" is not 1073741824.
#pragma once

#include <string>

#include "json/json_value.h"

namespace cay {

std::string CanonicalJson(const JsonValue& value);

}  // namespace cay
