// The description of the API (OpenAPI 3.1): openapi.json, which lies beside this file and is part
// of the program, with the schemas that are made of the lists of fields (schemas.h) in it. Tests
// compare it with the routes, and with what the server answers.
#pragma once

#include <string>

namespace cay::api {

// Put together by the first call. Thread-safe.
const std::string& OpenApiDocument();

}  // namespace cay::api
