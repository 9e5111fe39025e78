// Schemas of what clients send and are told, made of the lists of fields (sandbox/fields.h): what
// is read and written is what is described.
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
