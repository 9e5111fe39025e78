// openapi.json in itself. Against the routes: live_routes_test.cc; against what the server answers:
// live_schema_test.cc.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api_fixture.h"

namespace cay::testing {
namespace {

namespace json = boost::json;

class OpenApi : public ApiFixture {
 protected:
  json::value Document() { return Get("/openapi.json").json(); }
};

TEST_F(OpenApi, EveryReferenceLeadsSomewhere) {
  const json::value document = Document();
  const std::string text = json::serialize(document);
  const json::object& schemas = document.at("components").at("schemas").as_object();
  constexpr std::string_view kPrefix = "#/components/schemas/";
  size_t found = 0;
  for (size_t at = text.find(kPrefix); at != std::string::npos; at = text.find(kPrefix, at + 1)) {
    const size_t begin = at + kPrefix.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(schemas.contains(name)) << name;
    ++found;
  }
  EXPECT_GT(found, 50U);
}

}  // namespace
}  // namespace cay::testing
