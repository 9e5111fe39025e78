// Sandboxes and their life.
#include <gmock/gmock.h>

#include <set>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class SandboxApi : public ApiFixture {};

TEST_F(SandboxApi, ACreateSaysWhatThereIsAndWhere) {
  const Reply reply = Post("/api/sandboxes", R"({"project_name":"demo","memory_limit":"256m",
      "cpu_limit":"0.5","pids_limit":64,"disk_limit":"64m","timeout":"10m","idle_timeout":300,
      "on_timeout":"stop","env":{"A":"b"},"metadata":{"team":"x"}})");
  ASSERT_EQ(reply.status, 201) << reply.body;
  const std::string id = reply.Text("id");
  EXPECT_EQ(reply.Header("Location"), "/api/sandboxes/" + id);
  EXPECT_EQ(reply.Text("state"), "running");
  EXPECT_EQ(reply.Text("project_name"), "demo");
  EXPECT_EQ(reply.Text("memory_limit"), "256m");
  EXPECT_EQ(reply.Text("cpu_limit"), "0.5");
  EXPECT_EQ(reply.Number("timeout"), 600);
  EXPECT_EQ(reply.Number("idle_timeout"), 300);
  EXPECT_EQ(reply.Text("on_timeout"), "stop");
  const Reply again = Get("/api/sandboxes/" + id + "/");
  EXPECT_EQ(again.Text("id"), id);
  EXPECT_EQ(Call("DELETE", "/api/sandboxes/" + id).status, 204);
  ExpectProblem(Get("/api/sandboxes/" + id), 404, "not_found");
}

TEST_F(SandboxApi, ABadCreateIsRefusedByName) {
  EXPECT_THAT(ExpectProblem(Post("/api/sandboxes", R"({"memory":"1g"})"), 400, "invalid_argument"),
              HasSubstr("unknown field \"memory\""));
  EXPECT_THAT(
      ExpectProblem(Post("/api/sandboxes", R"({"memory_limit":"64g"})"), 422, "limit_too_high"),
      HasSubstr("2g"));
  ExpectProblem(Post("/api/sandboxes", R"({"memory_limit":"much"})"), 400, "invalid_argument");
  ExpectProblem(Post("/api/sandboxes", R"({"template":"nope"})"), 404, "not_found");
  ExpectProblem(Post("/api/sandboxes", "{"), 400, "invalid_argument");
  ExpectProblem(Post("/api/sandboxes", "[]"), 400, "invalid_argument");
  EXPECT_THAT(
      ExpectProblem(Post("/api/sandboxes", R"({"network":"all"})"), 422, "invalid_argument"),
      HasSubstr("all"));
  EXPECT_GE(Post("/api/sandboxes", R"({"mounts":[{"source":"/etc","target":"/x"}]})").status, 400);
}

TEST_F(SandboxApi, ANameIsNobodysId) {
  const std::string id = Post("/api/sandboxes", "{}").Text("id");
  const std::string other = Post("/api/sandboxes", "{}").Text("id");
  const std::string body = R"({"name":")" + id + "\"}";
  ExpectProblem(Call("PATCH", "/api/sandboxes/" + other, body), 409, "already_exists");
  ExpectProblem(Post("/api/sandboxes", body), 409, "already_exists");
  EXPECT_EQ(Get("/api/sandboxes/" + id).Text("id"), id);
  Call("DELETE", "/api/sandboxes/" + id);
  Call("DELETE", "/api/sandboxes/" + other);
}

TEST_F(SandboxApi, TheSameKeyGivesTheSameSandbox) {
  const http::Headers key = {{"Idempotency-Key", "k-1"}};
  const Reply first = Call("POST", "/api/sandboxes", R"({"name":"idem"})", key);
  ASSERT_EQ(first.status, 201) << first.body;
  const Reply again = Call("POST", "/api/sandboxes", R"({"name":"idem"})", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.Text("id"), first.Text("id"));
  // What is sent is compared, and not how it is written.
  const Reply spaced = Call("POST", "/api/sandboxes", R"({ "user":null, "name" : "idem" })", key);
  EXPECT_EQ(spaced.Text("id"), first.Text("id"));
  ExpectProblem(Call("POST", "/api/sandboxes", R"({"name":"other"})", key), 409, "already_exists");
  Call("DELETE", "/api/sandboxes/idem");
  const Reply gone = Call("POST", "/api/sandboxes", R"({"name":"idem"})", key);
  EXPECT_THAT(ExpectProblem(gone, 409, "illegal_state"), HasSubstr(first.Text("id")));
  EXPECT_THAT(gone.Text("remedy"), HasSubstr("new key"));
}

TEST_F(SandboxApi, APageMayBeLong) {
  constexpr size_t kCount = 55;
  for (size_t i = 0; i < kCount; ++i) {
    Create(R"({"metadata":{"tag":"long-page"}})");
  }
  const std::string list = "/api/sandboxes?metadata.tag=long-page";
  const Reply all = Get(list);
  const auto& sandboxes = all.json().at("sandboxes").as_array();
  ASSERT_EQ(sandboxes.size(), kCount);
  std::set<std::string> ids;
  for (const auto& sandbox : sandboxes) ids.emplace(sandbox.at("id").as_string());
  EXPECT_EQ(ids.size(), kCount);
  EXPECT_TRUE(all.json().at("next_cursor").is_null());
  const Reply page = Get(list + "&limit=52");
  EXPECT_EQ(page.json().at("sandboxes").as_array().size(), 52U);
  const Reply rest = Get(list + "&cursor=" + page.Text("next_cursor"));
  EXPECT_EQ(rest.json().at("sandboxes").as_array().size(), 3U);
}

TEST_F(SandboxApi, TheListFiltersAndPages) {
  const std::string tag = "list-test";
  for (int i = 0; i < 3; ++i) {
    Create(R"({"metadata":{"tag":"list-test","i":")" + std::to_string(i) + R"("}})");
  }
  const Reply all = Get("/api/sandboxes?metadata.tag=" + tag);
  EXPECT_EQ(all.json().at("sandboxes").as_array().size(), 3U);
  EXPECT_TRUE(all.json().at("next_cursor").is_null());
  const Reply one = Get("/api/sandboxes/?metadata.tag=list-test&metadata.i=1");
  EXPECT_EQ(one.json().at("sandboxes").as_array().size(), 1U);
  const Reply page = Get("/api/sandboxes?metadata.tag=list-test&limit=2");
  EXPECT_EQ(page.json().at("sandboxes").as_array().size(), 2U);
  const Reply rest =
      Get("/api/sandboxes?metadata.tag=list-test&limit=2&cursor=" + page.Text("next_cursor"));
  EXPECT_EQ(rest.json().at("sandboxes").as_array().size(), 1U);
  EXPECT_EQ(Get("/api/sandboxes?state=stopped&metadata.tag=list-test")
                .json()
                .at("sandboxes")
                .as_array()
                .size(),
            0U);
  ExpectProblem(Get("/api/sandboxes?state=odd"), 400, "invalid_argument");
  ExpectProblem(Get("/api/sandboxes?colour=red"), 400, "invalid_argument");
  ExpectProblem(Get("/api/sandboxes?limit=0"), 400, "invalid_argument");
  ExpectProblem(Get("/api/sandboxes?limit=100000"), 400, "invalid_argument");
}

TEST_F(SandboxApi, AChangeAppliesAtOnce) {
  const std::string path = CreatePath();
  const Reply changed = Call("PATCH", path, R"({"memory_limit":"300m","metadata":{"a":"b"},
      "name":"renamed","on_timeout":"pause"})");
  ASSERT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(changed.Text("memory_limit"), "300m");
  EXPECT_EQ(Get("/api/sandboxes/renamed").Text("on_timeout"), "pause");
  ExpectProblem(Call("PATCH", path, R"({"disk_limit":"1g"})"), 400, "invalid_argument");
  ExpectProblem(Call("PATCH", path, R"({"memory_limit":"64g"})"), 422, "limit_too_high");
}

TEST_F(SandboxApi, StatesFollowTheStateMachine) {
  const std::string path = CreatePath();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post(path + "/pause").Text("state"), "paused");
  ExpectProblem(Post(path + "/start"), 409, "illegal_state");
  const Reply paused = Post(path + "/execute", R"({"command":"true"})");
  ExpectProblem(paused, 409, "illegal_state");
  EXPECT_NE(paused.Text("remedy"), "");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post(path + "/resume").Text("state"), "running");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post(path + "/stop").Text("state"), "stopped");
  ExpectProblem(Post(path + "/pause"), 409, "illegal_state");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post(path + "/start").Text("state"), "running");
  EXPECT_EQ(Post(path + "/reset").Text("state"), "running");
  ExpectProblem(Post(path + "/start", R"({"x":1})"), 400, "invalid_argument");
  ExpectProblem(Post("/api/sandboxes/zzzzzzzzzzzzzzzzzzzz/start"), 404, "not_found");
}

TEST_F(SandboxApi, LifeCanBeExtended) {
  const std::string path = CreatePath(R"({"timeout":"1m"})");
  const std::string before = Get(path).Text("expires_at");
  const Reply extended = Post(path + "/extend", R"({"by":"10m"})");
  EXPECT_GT(extended.Text("expires_at"), before);
  ExpectProblem(Post(path + "/extend", "{}"), 400, "invalid_argument");
  EXPECT_GE(Post(path + "/extend", R"({"by":"99999h"})").status, 400);
}

TEST_F(SandboxApi, WhoIsIdleIsPausedAndGoesOnWhereItWas) {
  const std::string path = CreatePath(R"({"idle_timeout":1,"on_timeout":"pause"})");
  ASSERT_EQ(Call("PUT", path + "/files?path=kept", "x").status, 201);
  ASSERT_TRUE(Eventually([&] { return Get(path).Text("state") == "paused"; }));
  EXPECT_EQ(Get(path).Text("reason"), "idle_timeout");
  EXPECT_EQ(Post(path + "/resume").Text("state"), "running");
  EXPECT_EQ(Post(path + "/execute", R"({"command":"cat kept"})").Text("stdout"), "x");
}

TEST_F(SandboxApi, WhoIsIdleIsStoppedAndKeepsItsFiles) {
  const std::string path = CreatePath(R"({"idle_timeout":1,"on_timeout":"stop"})");
  ASSERT_EQ(Call("PUT", path + "/files?path=kept", "x").status, 201);
  ASSERT_TRUE(Eventually([&] { return Get(path).Text("state") == "stopped"; }));
  EXPECT_EQ(Get(path).Text("reason"), "idle_timeout");
  EXPECT_EQ(Post(path + "/start").Text("state"), "running");
  EXPECT_EQ(Post(path + "/execute", R"({"command":"cat kept"})").Text("stdout"), "x");
}

TEST_F(SandboxApi, FiguresAndHealthComeFromTheSandbox) {
  const std::string path = CreatePath();
  const Reply stats = Get(path + "/stats");
  ASSERT_EQ(stats.status, 200) << stats.body;
  EXPECT_GT(stats.Number("memory_limit_bytes"), 0);
  const Reply health = Get(path + "/health");
  ASSERT_EQ(health.status, 200) << health.body;
  EXPECT_EQ(health.Text("status"), "ok");
  EXPECT_GT(health.Number("disk_free_bytes"), 0);
  Post(path + "/stop");
  EXPECT_GE(Get(path + "/health").status, 400);
}

TEST_F(SandboxApi, TheSystemSaysItsLimits) {
  const Reply reply = Get("/api/system");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Text("engine"), "native");
  EXPECT_NE(reply.Text("state_dir"), "");
  const Reply other = CallAs("somebody", "GET", "/api/system");
  EXPECT_EQ(other.body.find("state_dir"), std::string::npos);
  EXPECT_EQ(other.body.find("reconciled"), std::string::npos);
}

TEST_F(SandboxApi, TemplatesAreListedImportedAndRemoved) {
  EXPECT_THAT(Get("/api/templates").body, HasSubstr("\"host\""));
  EXPECT_EQ(Get("/api/templates/host").Text("source"), "built in");
  const std::string path = CreatePath();
  Post(path + "/execute", R"({"command":"mkdir -p t/etc t/usr/bin && echo hello > t/etc/motd"})");
  const Reply tar = Get(path + "/archive?path=t&contents=true&format=tar.gz");
  ASSERT_EQ(tar.status, 200);
  const Reply imported = Call("PUT", "/api/templates/motd", tar.body);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.Text("source"), "uploaded");
  ExpectProblem(Call("PUT", "/api/templates/motd", tar.body), 409, "already_exists");
  EXPECT_EQ(Call("PUT", "/api/templates/motd?replace=true", tar.body).status, 201);
  EXPECT_EQ(Call("DELETE", "/api/templates/motd").status, 204);
  ExpectProblem(Get("/api/templates/motd"), 404, "not_found");
  EXPECT_GE(Call("PUT", "/api/templates/Bad%2FName", tar.body).status, 400);
  EXPECT_GE(Call("PUT", "/api/templates/junk", "no archive at all").status, 400);
  EXPECT_GE(Call("DELETE", "/api/templates/host").status, 400);
}

}  // namespace
}  // namespace cay::testing
