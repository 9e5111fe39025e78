// The API's words for what can be done about an error: requests.
#pragma once

#include <string_view>

#include "base/remedy.h"

namespace cay::api {

std::string_view RequestFor(Action action);

}  // namespace cay::api
