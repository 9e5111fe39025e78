// openapi.json in itself, and its schemas against what the server answers. Against the routes:
// live_routes_test.cc.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api_fixture.h"
#include "api_schema.h"

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

TEST_F(OpenApi, AnswersAreAsDescribed) {
  const SchemaChecker schema(Document());
  const Reply created = Post("/api/sandboxes", R"({"name":"schema","project_name":"schema"})");
  const std::string path = "/api/sandboxes/" + created.Text("id");
  schema.Check("Sandbox", created.json());
  schema.Check("Sandbox", Get(path).json());
  schema.Check("SandboxPage", Get("/api/sandboxes").json());
  schema.Check("Stats", Get(path + "/stats").json());
  schema.Check("SandboxHealth", Get(path + "/health").json());
  schema.Check("Execution", Post(path + "/execute", R"({"command":"printf '\\377'"})").json());
  schema.Check("Executions", Post(path + "/execute", R"({"commands":["echo 1","false"]})").json());
  const Reply process = Post(path + "/processes", R"({"command":["true"]})");
  schema.Check("Process", process.json());
  const std::string one = path + "/processes/" + std::to_string(process.Number("process_id"));
  schema.Check("Process", Get(one + "/wait").json());
  schema.Check("ProcessList", Get(path + "/processes").json());
  schema.Check("LeftoversKilled", Post(one + "/kill_leftovers").json());
  schema.Check("File", Call("PUT", path + "/files?path=f", "x").json());
  schema.Check("File", Get(path + "/files/stat?path=f").json());
  schema.Check("File", Call("PUT", path + "/files?path=raw%FF/f%FE", "x").json());
  schema.Check("FileList", Get(path + "/files/list?path=raw%FF").json());
  schema.Check("FileList", Get(path + "/files/list").json());
  schema.Check("ArchiveDone",
               Call("PUT", path + "/archive?path=o", Get(path + "/archive?path=f").body).json());
  schema.Check("EventBatch", Get(path + "/events?wait=false").json());
  schema.Check("TemplateList", Get("/api/templates").json());
  schema.Check("System", Get("/api/system").json());
  schema.Check("Problem", Get("/api/sandboxes/none").json());
  schema.Check("LegacyStatus", Get("/sandbox/schema/status").json());
  schema.Check("LegacyList", Get("/sandboxes").json());
  const Reply upload =
      Call("POST", "/files/upload/schema",
           "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--b--",
           {{"Content-Type", "multipart/form-data; boundary=b"}});
  schema.Check("Upload", upload.json());
  schema.Check("ProjectFileList", Get("/files/project/schema").json());
  Call("DELETE", path);
}

}  // namespace
}  // namespace cay::testing
