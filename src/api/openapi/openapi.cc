#include "api/openapi/openapi.h"

// NOLINTBEGIN(readability-identifier-naming): symbols of the assembler
extern "C" {
extern const char cay_openapi_begin[];
extern const char cay_openapi_end[];
}
// NOLINTEND(readability-identifier-naming)

namespace cay::api {

std::string_view OpenApiDocument() {
  return {cay_openapi_begin, static_cast<size_t>(cay_openapi_end - cay_openapi_begin)};
}

}  // namespace cay::api
