// The schemas of openapi.json against what the server answers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/value.hpp>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api_schema.h"
#include "live_server.h"
#include "template/layers/test_layer_tar.h"

namespace cay::testing {
namespace {

namespace json = boost::json;

// The names of schemas that are mentioned, and those that are mentioned by them.
void Gather(const json::value& document, const json::value& from, std::set<std::string>& names) {
  if (const json::array* array = from.if_array()) {
    for (const json::value& item : *array) Gather(document, item, names);
  }
  const json::object* object = from.if_object();
  if (object == nullptr) return;
  for (const auto& [key, value] : *object) {
    if (key != "$ref") {
      Gather(document, value, names);
      continue;
    }
    const std::string_view path = value.as_string();
    const std::string name(path.substr(path.rfind('/') + 1));
    const json::object& schemas = document.at("components").at("schemas").as_object();
    if (names.insert(name).second) Gather(document, schemas.at(name), names);
  }
}

std::set<std::string> SchemasOfAnswers(const json::value& document) {
  std::set<std::string> names;
  for (const json::key_value_pair& path : document.at("paths").as_object()) {
    for (const json::key_value_pair& operation : path.value().as_object())
      Gather(document, operation.value().at("responses"), names);
  }
  return names;
}

class LiveSchemas : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    // Webhooks may come here, where nobody listens.
    std::ofstream(config_file_) << "[webhooks]\nallow_private = true\n";
    server_ = std::make_unique<LiveServer>(
        std::vector<std::string>{"--pool", "host=1", "--config", config_file_});
    server_->set_key(server_->MakeKey("admin"));
    description_ = server_->Call("GET", "/openapi.json");
  }
  void TearDown() override {
    server_.reset();
    ::unlink(config_file_.c_str());
  }
  Reply Get(const std::string& target) { return server_->Call("GET", target); }
  Reply Post(const std::string& target, const std::string& body = {}) {
    return server_->Call("POST", target, body);
  }

  void CheckSandboxes(const SchemaChecker& schema);
  void CheckNetworks(const SchemaChecker& schema);
  void CheckTemplates(const SchemaChecker& schema, const std::string& sandbox);
  void CheckVolumes(const SchemaChecker& schema);
  void CheckBuilds(const SchemaChecker& schema);
  void CheckProcesses(const SchemaChecker& schema, const std::string& path);
  void CheckFiles(const SchemaChecker& schema, const std::string& path);
  void CheckLegacy(const SchemaChecker& schema);
  void CheckServer(const SchemaChecker& schema);

  const std::string config_file_ =
      ::testing::TempDir() + "cay-schemas-" + std::to_string(::getpid()) + ".toml";
  std::unique_ptr<LiveServer> server_;
  Reply description_;
};

void LiveSchemas::CheckSandboxes(const SchemaChecker& schema) {
  const Reply created = Post("/api/sandboxes", R"({"name":"schema","project_name":"schema"})");
  const std::string path = "/api/sandboxes/" + created.Text("id");
  schema.Check("Sandbox", created.json());
  schema.Check("Sandbox", Get(path).json());
  schema.Check("SandboxPage", Get("/api/sandboxes").json());
  const Reply started = Post("/api/sandboxes", R"({"entrypoint":["sleep"],"cmd":["600"]})");
  schema.Check("Sandbox", started.json());
  server_->Call("DELETE", "/api/sandboxes/" + started.Text("id"));
  schema.Check("Stats", Get(path + "/stats").json());
  schema.Check("SandboxHealth", Get(path + "/health").json());
  CheckProcesses(schema, path);
  CheckFiles(schema, path);
  schema.Check("EventBatch", Get(path + "/events?wait=false").json());
  CheckLegacy(schema);
  CheckTemplates(schema, path);
  CheckVolumes(schema);
  CheckNetworks(schema);
  server_->Call("DELETE", path);
}

void LiveSchemas::CheckTemplates(const SchemaChecker& schema, const std::string& sandbox) {
  schema.Check("TemplateList", Get("/api/templates").json());
  schema.Check("TemplateDetails", Get("/api/templates/host").json());
  schema.Check("Template", Post(sandbox + "/snapshots", R"({"name":"schema"})").json());
  schema.Check("Template", Get("/api/snapshots/schema").json());
  schema.Check("TemplateList", Get("/api/snapshots").json());
  schema.Check("TemplateList", Get(sandbox + "/snapshots").json());
  schema.Check("Sandbox", Post(sandbox + "/restore", R"({"snapshot":"schema"})").json());
  // Nobody listens there: it fails, and is described all the same.
  const Reply pull = Post("/api/pulls", R"({"image":"127.0.0.1:9/nobody:1"})");
  schema.Check("Pull", pull.json());
  schema.Check("Pull", Get("/api/pulls/" + pull.Text("id")).json());
  schema.Check("PullList", Get("/api/pulls").json());
  CheckBuilds(schema);
  schema.Check("TemplateDetails", Get("/api/templates/schema?sizes=true").json());
  schema.Check("TemplatesUsage", Get("/api/templates/df").json());
  schema.Check("TemplatePruneReport", Post("/api/templates/prune", R"({"dry_run":true})").json());
  // Nor there.
  server_->Call("PUT", "/api/templates/schema-push",
                templates::LayerTar().Directory("etc").Directory("usr").Finish());
  const Reply push = Post("/api/templates/schema-push/push", R"({"image":"127.0.0.1:9/nobody:1"})");
  schema.Check("Push", push.json());
  schema.Check("Push", Get("/api/pushes/" + push.Text("id")).json());
  schema.Check("PushList", Get("/api/pushes").json());
  schema.Check("Space", Get("/api/system/df?verbose=true").json());
  schema.Check("PruneReport", Post("/api/system/prune", R"({"dry_run":true,"all":true})").json());
}

// One that is done, and one that fails.
void LiveSchemas::CheckBuilds(const SchemaChecker& schema) {
  for (const char* dockerfile :
       {"FROM scratch\nCOPY Dockerfile /\n", "FROM nothing-of-that-name@\n"}) {
    const std::string body =
        "--B\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n{\"names\":[\"schema\"]}"
        "\r\n--B\r\nContent-Disposition: form-data; name=\"context\"\r\n\r\n" +
        templates::LayerTar().File("Dockerfile", dockerfile).Finish() + "\r\n--B--\r\n";
    const Reply build = server_->Call("POST", "/api/templates/builds", body,
                                      {{"Content-Type", "multipart/form-data; boundary=B"}});
    schema.Check("Build", build.json());
    const std::string path = "/api/templates/builds/" + build.Text("id");
    ASSERT_TRUE(Eventually([&] { return !Get(path).json().at("ended_at").is_null(); }));
    schema.Check("Build", Get(path).json());
  }
  schema.Check("BuildList", Get("/api/templates/builds").json());
}

void LiveSchemas::CheckVolumes(const SchemaChecker& schema) {
  schema.Check("Volume", Post("/api/volumes", R"({"name":"schema","size":"16m"})").json());
  const Reply created =
      Post("/api/sandboxes", R"({"volumes":[{"name":"schema","path":"/data","read_only":true}]})");
  schema.Check("Sandbox", created.json());
  schema.Check("Volume", Get("/api/volumes/schema").json());
  schema.Check("VolumeList", Get("/api/volumes").json());
  const Reply archive = Get("/api/volumes/schema/archive");
  schema.Check("Volume",
               server_->Call("PUT", "/api/volumes/other/archive?size=16m", archive.body).json());
  server_->Call("DELETE", "/api/sandboxes/" + created.Text("id"));
}

void LiveSchemas::CheckNetworks(const SchemaChecker& schema) {
  server_->Call("PUT", "/api/secrets/named", R"({"value":"v4lue","hosts":["example.com"]})");
  const Reply created =
      Post("/api/sandboxes",
           R"({"network":{"allow":["example.com:443"],"presets":["pypi"],"secrets":["named"]}})");
  schema.Check("Sandbox", created.json());
  const std::string path = "/api/sandboxes/" + created.Text("id");
  schema.Check("Execution",
               Post(path + "/execute", R"({"command":"getent hosts never.example"})").json());
  schema.Check("Network", Get(path + "/network").json());
  schema.Check("FlowPage", Get(path + "/flows").json());
  schema.Check("NetworkCheck", Get(path + "/network/check?host=10.1.2.3&port=5432").json());
  server_->Call("DELETE", path);
}

void LiveSchemas::CheckProcesses(const SchemaChecker& schema, const std::string& path) {
  schema.Check("Execution", Post(path + "/execute", R"({"command":"printf '\\377'"})").json());
  schema.Check("Execution",
               Post(path + "/execute", R"({"command":"seq 99","max_output":"9b"})").json());
  schema.Check("Executions", Post(path + "/execute", R"({"commands":["echo 1","false"]})").json());
  const Reply process = Post(path + "/processes", R"({"command":["true"]})");
  schema.Check("Process", process.json());
  const std::string one = path + "/processes/" + std::to_string(process.Number("process_id"));
  schema.Check("Process", Get(one + "/wait").json());
  schema.Check("ProcessList", Get(path + "/processes").json());
  schema.Check("LeftoversKilled", Post(one + "/kill_leftovers").json());
}

void LiveSchemas::CheckFiles(const SchemaChecker& schema, const std::string& path) {
  schema.Check("File", server_->Call("PUT", path + "/files?path=f", "x").json());
  schema.Check("File", Get(path + "/files/stat?path=f").json());
  schema.Check("File", Get(path + "/files/stat?path=/proc/self&follow=false").json());
  schema.Check("File", server_->Call("PUT", path + "/files?path=raw%FF/f%FE", "x").json());
  schema.Check("FileList", Get(path + "/files/list?path=raw%FF").json());
  schema.Check("FileList", Get(path + "/files/list").json());
  const std::string archive = Get(path + "/archive?path=f").body;
  schema.Check("ArchiveDone", server_->Call("PUT", path + "/archive?path=o", archive).json());
}

void LiveSchemas::CheckLegacy(const SchemaChecker& schema) {
  schema.Check("LegacyStatus", Get("/sandbox/schema/status").json());
  schema.Check("LegacySandbox", Post("/sandbox/create").json());
  schema.Check("LegacyList", Get("/sandboxes").json());
  const Reply upload =
      server_->Call("POST", "/files/upload/schema",
                    "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--b--",
                    {{"Content-Type", "multipart/form-data; boundary=b"}});
  schema.Check("Upload", upload.json());
  schema.Check("ProjectFileList", Get("/files/project/schema").json());
}

void LiveSchemas::CheckServer(const SchemaChecker& schema) {
  schema.Check("System", Get("/api/system").json());
  schema.Check("OrphanList", Get("/api/orphans").json());
  const std::string secret = R"({"value":"v4lue","hosts":["example.com"]})";
  schema.Check("Secret", server_->Call("PUT", "/api/secrets/schema", secret).json());
  schema.Check("Secret", Get("/api/secrets/schema").json());
  schema.Check("SecretList", Get("/api/secrets").json());
  schema.Check("Problem", Get("/api/sandboxes/none").json());
  schema.Check("NewKey", Post("/api/keys", R"({"name":"schema"})").json());
  schema.Check("Key", Get("/api/keys").json().at("keys").at(0));
  schema.Check("Webhook", Post("/api/webhooks", R"({"url":"http://127.0.0.1:9/"})").json());
  const json::value hook = Get("/api/webhooks").json().at("webhooks").at(0);
  schema.Check("Webhook", hook);
  const std::string id(hook.at("id").as_string());
  Post("/api/sandboxes", R"({"name":"told"})");
  const std::string deliveries = "/api/webhooks/" + id + "/deliveries";
  ASSERT_TRUE(
      Eventually([&] { return !Get(deliveries).json().at("deliveries").as_array().empty(); }));
  schema.Check("Delivery", Get(deliveries).json().at("deliveries").at(0));
  ASSERT_TRUE(
      Eventually([&] { return !Get("/api/audit").json().at("entries").as_array().empty(); }));
  schema.Check("AuditEntry", Get("/api/audit").json().at("entries").at(0));
}

TEST_F(LiveSchemas, EveryAnswerIsAsDescribed) {
  const SchemaChecker schema(description_.json());
  CheckSandboxes(schema);
  CheckServer(schema);
  std::set<std::string> wanted = SchemasOfAnswers(description_.json());
  // There are none; made of their lists as the others are. ImageHealth is of images alone.
  for (const char* name : {"Orphan", "PulledLayer", "PushedLayer", "FailedStep", "ImageHealth"})
    wanted.erase(name);
  for (const std::string& name : wanted) {
    EXPECT_TRUE(schema.checked().contains(name)) << name << " is described, and never looked at";
  }
}

}  // namespace
}  // namespace cay::testing
