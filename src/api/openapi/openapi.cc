#include "api/openapi/openapi.h"

#include <boost/json.hpp>
#include <string_view>

#include "api/openapi/schemas.h"

// NOLINTBEGIN(readability-identifier-naming): symbols of the assembler
extern "C" {
extern const char cay_openapi_begin[];
extern const char cay_openapi_end[];
}
// NOLINTEND(readability-identifier-naming)

namespace cay::api {
namespace {

namespace json = boost::json;

std::string PutTogether() {
  const auto size = static_cast<size_t>(cay_openapi_end - cay_openapi_begin);
  json::value document = json::parse(json::string_view(cay_openapi_begin, size));
  json::object& schemas =
      document.as_object().at("components").as_object().at("schemas").as_object();
  for (const Schema& schema : FieldSchemas()) schemas[schema.name] = json::parse(schema.json);
  return json::serialize(document);
}

}  // namespace

const std::string& OpenApiDocument() {
  static const std::string document = PutTogether();
  return document;
}

}  // namespace cay::api
