// Schemas of requests and answers, made of the lists of fields (base/field.h): so what is described
// is what is read and written.
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

// Those of them that are about …
std::vector<Schema> SandboxSchemas();
std::vector<Schema> ProcessSchemas();
std::vector<Schema> SystemSchemas();
std::vector<Schema> LegacySchemas();
std::vector<Schema> AccessSchemas();  // keys, the audit, webhooks

}  // namespace cay::api
