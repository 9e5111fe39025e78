// The commands of earlier systems (docs/migration.md), as they stand.
#include <gmock/gmock.h>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class LegacyApi : public ApiFixture {
 protected:
  static std::string Upload(std::string_view name, std::string_view content) {
    return "--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
           std::string(name) + "\"\r\nContent-Type: text/plain\r\n\r\n" + std::string(content) +
           "\r\n--b0undary--\r\n";
  }
  Reply PostUpload(const std::string& project, const std::string& body) {
    return Call("POST", "/files/upload/" + project, body,
                {{"Content-Type", "multipart/form-data; boundary=b0undary"}});
  }
};

TEST_F(LegacyApi, TheFirstSystemsCommands) {
  const Reply created =
      Post("/api/sandboxes/", R"({"project_name":"demo","memory_limit":"1g","cpu_limit":"1.0"})");
  ASSERT_EQ(created.status, 201) << created.body;
  const std::string path = "/api/sandboxes/" + created.Text("id");
  EXPECT_THAT(Get("/api/sandboxes/").body, HasSubstr(created.Text("id")));
  EXPECT_EQ(Get(path).Text("project_name"), "demo");
  const Reply node =
      Post(path + "/execute", R"({"command":["node","--version"],"workdir":"/workspace"})");
  if (node.status == 200) {
    EXPECT_EQ(node.Text("stdout").front(), 'v');
  } else {
    ExpectProblem(node, 422, "command_not_found");  // a machine without it
  }
  EXPECT_EQ(Post(path + "/stop").Text("status"), "stopped");
  EXPECT_EQ(Post(path + "/start").Text("status"), "running");
  EXPECT_EQ(Call("DELETE", path).status, 204);
}

TEST_F(LegacyApi, TheSecondSystemsCommands) {
  const Reply host = Post("/sandbox/create", R"({"environment":"python-3","timeout":3600})");
  ASSERT_EQ(host.status, 201) << host.body;
  EXPECT_EQ(host.Text("status"), "ready");
  EXPECT_EQ(host.Text("environment"), "python-3");
  EXPECT_EQ(host.Number("timeout"), 3600);
  const std::string id = host.Text("sandbox_id");
  const Reply run = Post("/sandbox/" + id + "/execute",
                         R"json({"files":{"main.py":"print(6*7)"},"commands":["python3 main.py"],
                             "timeout":300})json");
  ASSERT_EQ(run.status, 200) << run.body;
  EXPECT_EQ(run.Text("stdout"), "42\n");
  EXPECT_EQ(Get("/sandbox/" + id + "/status").Number("executions"), 1);
  const Reply list = Get("/sandboxes");
  EXPECT_THAT(list.body, HasSubstr("\"sandbox_id\":\"" + id + "\""));
  EXPECT_THAT(list.body, HasSubstr("\"status\":\"ready\""));
  EXPECT_EQ(Call("DELETE", "/sandbox/" + id).Text("status"), "destroyed");
  ExpectProblem(Get("/sandbox/" + id + "/status"), 404, "not_found");
}

TEST_F(LegacyApi, AnEnvironmentThatIsNotInstalledNamesTheLineThatInstallsIt) {
  const Reply refused = Post("/sandbox/create", R"({"environment":"nodejs-4","timeout":3600})");
  EXPECT_THAT(ExpectProblem(refused, 404, "not_found"), HasSubstr("nodejs-4"));
  EXPECT_THAT(refused.Text("remedy"), HasSubstr("cay template import nodejs-4"));
}

TEST_F(LegacyApi, ASessionIsNamedByItsClient) {
  const Reply started = Post("/sandbox/my-session/start");
  ASSERT_EQ(started.status, 200) << started.body;
  EXPECT_EQ(started.Text("session_id"), "my-session");
  EXPECT_EQ(Post("/sandbox/my-session/start").Text("sandbox_id"), started.Text("sandbox_id"));
  Post("/sandbox/my-session/execute",
       R"({"command":"echo 1 > agent_workspace/a; echo 2 > outputs/b"})");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post("/sandbox/my-session/stop").Text("status"), "stopped");
  EXPECT_EQ(Get("/sandbox/my-session/status").Text("status"), "stopped");
  EXPECT_EQ(Post("/sandbox/my-session/start").Text("status"), "ready");
  EXPECT_EQ(
      Post("/sandbox/my-session/execute", R"({"command":"cat agent_workspace/a"})").Text("stdout"),
      "1\n");
  EXPECT_EQ(Post("/sandbox/my-session/reset").status, 200);
  EXPECT_EQ(
      Post("/sandbox/my-session/execute", R"({"command":"ls agent_workspace outputs | grep -c ."})")
          .Text("stdout"),
      "2\n");  // the two headings of ls; nothing below
  EXPECT_EQ(Call("DELETE", "/sandbox/my-session").status, 200);
  ExpectProblem(Post("/sandbox/bad%20name!/start"), 400, "invalid_argument");
}

TEST_F(LegacyApi, FilesOfAProjectAreInItsSandboxes) {
  const Reply first = PostUpload("proj", Upload("data.txt", "hello"));
  ASSERT_EQ(first.status, 201) << first.body;
  EXPECT_EQ(first.Text("filename"), "data.txt");
  EXPECT_EQ(first.Text("sha256"),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_TRUE(PostUpload("proj", Upload("data.txt", "hello")).json().at("duplicate").as_bool());
  EXPECT_EQ(PostUpload("proj", Upload("data.txt", "other")).Text("filename"), "data (1).txt");
  EXPECT_EQ(Get("/files/project/proj").json().at("files").as_array().size(), 2U);

  const std::string path = CreatePath(R"({"project_name":"proj"})");
  const Reply seen = Post(
      path + "/execute",
      R"({"command":"cat /workspace/project_files/data.txt; echo x > /workspace/project_files/new 2>/dev/null || echo read-only"})");
  EXPECT_EQ(seen.Text("stdout"), "helloread-only\n");
  Post(path + "/reset");
  EXPECT_EQ(Post(path + "/execute", R"({"command":"cat /workspace/project_files/data.txt"})")
                .Text("stdout"),
            "hello");

  const std::string id = first.Text("file_id");
  const Reply down = Get("/files/" + id + "/download");
  EXPECT_EQ(down.body, "hello");
  EXPECT_EQ(down.Header("Content-Disposition"), "attachment; filename*=UTF-8''data.txt");
  EXPECT_EQ(Call("GET", "/files/" + id + "/download", "", {{"Range", "bytes=1-2"}}).body, "el");
  EXPECT_EQ(Call("DELETE", "/files/" + id).status, 200);
  ExpectProblem(Get("/files/" + id + "/download"), 404, "not_found");
}

TEST_F(LegacyApi, AnUploadThatIsNotRightIsRefused) {
  ExpectProblem(Post("/files/upload/p", "x"), 400, "invalid_argument");
  ExpectProblem(PostUpload("p", "--b0undary--\r\n"), 400, "invalid_argument");
  ExpectProblem(PostUpload("p", "--b0undary\r\nContent-Disposition: form-data\r\n\r\nx"), 400,
                "invalid_argument");
  EXPECT_EQ(Get("/files/project/p").json().at("files").as_array().size(), 0U);
}

}  // namespace
}  // namespace cay::testing
