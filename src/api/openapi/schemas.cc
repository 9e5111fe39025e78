#include "api/openapi/schemas.h"

namespace cay::api {

std::vector<Schema> FieldSchemas() {
  std::vector<Schema> all;
  for (const auto& some :
       {SandboxSchemas(), ProcessSchemas(), SystemSchemas(), AccessSchemas(), LegacySchemas()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace cay::api
