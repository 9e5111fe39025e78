// Schemas of requests and answers, made of the lists of fields (sandbox/fields.h): so what is
// described is what is read and written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cay::api {

struct Schema {
  std::string_view name;  // in components/schemas
  std::string json;       // JSON Schema (2020-12), an object
};

std::vector<Schema> FieldSchemas();

}  // namespace cay::api
