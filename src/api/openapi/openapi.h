// openapi.json, which lies beside this file and is part of the program: the description of the API (OpenAPI 3.1).
// Tests hold it against the routes, and against what the server answers.
#pragma once

#include <string_view>

namespace cay::api {

std::string_view OpenApiDocument();

}  // namespace cay::api
