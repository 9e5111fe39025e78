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
  EXPECT_THAT(refused.Text("remedy"), HasSubstr("PUT /api/templates/nodejs-4"));
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

TEST_F(LegacyApi, TheListShowsWhatWasMadeByItsOwnFaceOnly) {
  const std::string path = CreatePath(R"({"name":"of-the-api"})");
  ASSERT_EQ(Post("/sandbox/of-a-session/start").status, 200);
  const Reply made = Post("/sandbox/create", R"({"environment":"python3","timeout":600})");
  ASSERT_EQ(made.status, 201) << made.body;
  const Reply list = Get("/sandboxes");
  const auto& listed = list.json().at("sandboxes").as_array();
  ASSERT_EQ(listed.size(), 1U) << list.body;
  // The loop of its users: all that is listed goes, and nothing else.
  for (const auto& one : listed) {
    EXPECT_EQ(Call("DELETE", "/sandbox/" + std::string(one.at("sandbox_id").as_string())).status,
              200);
  }
  EXPECT_EQ(Get("/sandboxes").json().at("sandboxes").as_array().size(), 0U);
  EXPECT_EQ(Get(path).status, 200);
  EXPECT_EQ(Call("DELETE", "/sandbox/of-a-session").status, 200);
  EXPECT_EQ(Call("DELETE", path).status, 204);
}

TEST_F(LegacyApi, AStatusSaysWhatIsUsedOfWhatThereIs) {
  ASSERT_EQ(Post("/sandbox/busy/start", R"({"memory_limit":"64m"})").status, 200);
  const Reply status = Get("/sandbox/busy/status");
  const auto& memory = status.json().at("memory");
  EXPECT_EQ(memory.at("limit_bytes").as_int64(), 64 << 20);
  if (!memory.at("bytes").is_null()) {
    EXPECT_GT(memory.at("bytes").to_number<int64_t>(), 0);
    EXPECT_GT(memory.at("percent").to_number<double>(), 0);
    EXPECT_THAT(status.Text("health"), HasSubstr("HEALTHY: Memory"));
  }
  EXPECT_EQ(status.json().at("cpu").at("limit").as_string(), "1");
  const Reply health = Get("/api/sandboxes/busy/health");
  EXPECT_THAT(health.Text("health"), HasSubstr("HEALTHY"));
  EXPECT_TRUE(health.json().as_object().contains("cpu_percent"));
  EXPECT_EQ(Post("/sandbox/busy/stop").status, 200);
  EXPECT_TRUE(Get("/sandbox/busy/status").json().at("health").is_null());
  EXPECT_EQ(Call("DELETE", "/sandbox/busy").status, 200);
}

TEST_F(LegacyApi, AnEnvironmentHasATypeAndAConfiguration) {
  const Reply started = Post("/sandbox/typed/start", R"({"environment_type":"python3",
      "environment_config":{"packages":[],"env_vars":{"DEBUG":"1"}},"project_id":"typed"})");
  ASSERT_EQ(started.status, 200) << started.body;
  EXPECT_EQ(started.Text("environment"), "python3");
  EXPECT_EQ(Post("/sandbox/typed/execute", R"({"command":"echo $DEBUG"})").Text("stdout"), "1\n");
  EXPECT_EQ(Call("DELETE", "/sandbox/typed").status, 200);
  const Reply refused = Post("/sandbox/packed/start", R"({"environment_type":"python3",
      "environment_config":{"packages":["tensorflow"]}})");
  EXPECT_THAT(ExpectProblem(refused, 501, "not_supported"), HasSubstr("packages"));
  ExpectProblem(Get("/sandbox/packed/status"), 404, "not_found");
}

TEST_F(LegacyApi, TheRootOfASessionIsItsWorkingDirectory) {
  ASSERT_EQ(Post("/sandbox/rooted/start").status, 200);
  const Reply written = Call("PUT", "/sandbox/rooted/files?path=/test.txt", "Hello, sandbox!");
  ASSERT_EQ(written.status, 201) << written.body;
  EXPECT_EQ(written.Text("path"), "/workspace/test.txt");
  EXPECT_EQ(Get("/sandbox/rooted/files?path=/test.txt").body, "Hello, sandbox!");
  EXPECT_THAT(Get("/sandbox/rooted/files/list?path=/").body, HasSubstr("\"test.txt\""));
  EXPECT_EQ(Post("/sandbox/rooted/execute",
                 R"({"files":{"/.env":"A=secret"},"command":". ./.env; echo $A; cat test.txt"})")
                .Text("stdout"),
            "secret\nHello, sandbox!");
  EXPECT_EQ(Call("DELETE", "/sandbox/rooted/files?path=/test.txt").status, 204);
  EXPECT_EQ(Get("/sandbox/rooted/files?path=/test.txt").status, 404);
  // Cay's own paths mean what they say.
  EXPECT_EQ(Call("PUT", "/api/sandboxes/rooted/files?path=/test.txt", "x").status, 403);
  EXPECT_EQ(Call("DELETE", "/sandbox/rooted").status, 200);
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
