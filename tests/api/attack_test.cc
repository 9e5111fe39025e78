// What a hostile client tries: paths, ids, JSON, headers, others' sandboxes.
#include <gmock/gmock.h>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ApiAttack : public ApiFixture {};

TEST_F(ApiAttack, AnIdIsNeverAPath) {
  for (const char* id : {"..", "%2e%2e", "..%2f..%2fetc", "%00", "a%00b", "%2fetc%2fpasswd",
                         "aaaaaaaaaaaaaaaaaaaA", "-rf", "%C0%AE", "a%20b", "%0d%0aX:%20y"}) {
    const Reply reply = Get("/api/sandboxes/" + std::string(id));
    EXPECT_TRUE(reply.status == 404 || reply.status == 400) << id << " " << reply.status;
    EXPECT_EQ(reply.Header("X"), "");
  }
  for (const char* id : {"..", "..%2f..%2fcay.db", "%2e%2e%2fcay.db", "aaaaaaaaaaaaaaaaaaaa"}) {
    const Reply reply = Get("/files/" + std::string(id) + "/download");
    EXPECT_TRUE(reply.status == 404 || reply.status == 400) << id << " " << reply.status;
    EXPECT_GE(Call("DELETE", "/files/" + std::string(id)).status, 400);
  }
  for (const char* project : {"..", "..%2f..", "%2e%2e", ".", "a%2fb", "%00"}) {
    EXPECT_GE(Get("/files/project/" + std::string(project)).status, 400) << project;
  }
}

TEST_F(ApiAttack, APathNeverLeadsOutOfTheSandbox) {
  const std::string path = CreatePath();
  Post(path + "/execute", R"({"command":"ln -s / up; ln -s ../../../../../../etc/shadow s"})");
  const Reply inside = Post(path + "/execute", R"({"command":"cat /etc/passwd"})");
  EXPECT_EQ(Get(path + "/files?path=../../../../../../etc/passwd").body, inside.Text("stdout"));
  EXPECT_EQ(Get(path + "/files?path=up/etc/passwd").body, inside.Text("stdout"));
  for (const char* file : {"s", "/etc/shadow", "/proc/1/environ", "/proc/1/root/etc/shadow",
                           "/proc/self/root/../../etc/shadow", "a%00b", "%00"}) {
    EXPECT_GE(Get(path + "/files?path=" + std::string(file)).status, 400) << file;
  }
  EXPECT_GE(Get(path + "/files?path=" + std::string(5000, 'a')).status, 400);
  EXPECT_GE(Call("PUT", path + "/files?path=/etc/passwd", "x").status, 400);
  EXPECT_GE(Call("DELETE", path + "/files?path=/&recursive=true").status, 400);
  EXPECT_EQ(Post(path + "/execute", R"({"command":"echo alive"})").Text("stdout"), "alive\n");
}

TEST_F(ApiAttack, AUserOfTheRequestHasNoMoreThanTheSandbox) {
  const std::string path = CreatePath();
  for (const char* user : {"nobody-there", "-1", "0:0:0", "4294967295", "root%00"}) {
    EXPECT_GE(Get(path + "/files?path=/etc/passwd&user=" + std::string(user)).status, 400) << user;
  }
  const Reply as_root = Get(path + "/files?path=/etc/shadow&user=root");
  EXPECT_THAT(as_root.body, Not(HasSubstr("root:$")));
}

TEST_F(ApiAttack, HostileJsonIsRefused) {
  const auto refused = [&](const std::string& body, int status = 400,
                           const char* code = "invalid_argument") {
    for (const char* target : {"/api/sandboxes", "/sandbox/create"}) {
      ExpectProblem(Post(target, body), status, code);
    }
  };
  refused(std::string(100'000, '['));
  refused(std::string(100'000, '{'));
  refused(R"({"name":"a","name":"b"})");
  refused(R"({"name":"a","\u006eame":"b"})");
  refused(R"({"pids_limit":1e999})");
  refused(R"({"pids_limit":-1})");
  refused(R"({"pids_limit":1.5})");
  refused(R"({"memory_limit":9223372036854775808})", 422, "limit_too_high");
  refused(R"({"memory_limit":"99999999999999999999g"})", 422, "limit_too_high");
  refused(R"({"timeout":1e308})");
  refused("{\"name\":\"\xFF\xFE\"}");
  refused("{\"name\":\"\xED\xA0\x80\"}");
  refused(R"({"name":"\ud800"})");
  refused("\xEF\xBB\xBF{}");
  refused("{}{}");
  refused("nul");
  refused(R"({"env":{"A=B":"c"}})");
  refused(R"({"name":"a\u0000b"})");
}

TEST_F(ApiAttack, AnExecuteCannotSmuggleStrings) {
  const std::string path = CreatePath() + "/execute";
  ExpectProblem(Post(path, R"({"command":["echo","a\u0000b"]})"), 400, "invalid_argument");
  EXPECT_GE(Post(path, R"({"command":"true","env":{"A=B":"c"}})").status, 400);
  EXPECT_GE(Post(path, R"({"command":"true","env":{"":"c"}})").status, 400);
  EXPECT_GE(Post(path, R"({"command":"true","workdir":"a\u0000b"})").status, 400);
  EXPECT_GE(Post(path, R"({"command":"true","tag":")" + std::string(129, 't') + "\"}").status, 400);
  ExpectProblem(Post(path, R"({"command":[")" + std::string(200'000, 'a') + "\"]}"), 422,
                "limit_too_high");
}

TEST_F(ApiAttack, ABodyOverTheMaximumIs413) {
  const std::string large = R"({"name":")" + std::string(17 << 20, 'a') + "\"}";
  ExpectProblem(Post("/api/sandboxes", large), 413, "limit_too_high");
}

TEST_F(ApiAttack, NothingOfAClientBecomesAHeader) {
  const std::string path = CreatePath(R"({"metadata":{"k\r\nX-Evil: 1":"v\r\nX-Evil: 1"}})");
  const Reply got = Get(path);
  EXPECT_EQ(got.Header("X-Evil"), "");
  const std::string name = "a%0d%0aX-Evil:%201%22";
  ASSERT_EQ(Call("PUT", path + "/files?path=" + name, "x").status, 201);
  const Reply file = Get(path + "/files?path=" + name);
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.Header("X-Evil"), "");
  EXPECT_EQ(Get(path + "/archive?path=" + name).Header("X-Evil"), "");
  const Reply process = Post(path + "/processes", R"({"command":"true","tag":"t\r\n\r\ndata: x"})");
  EXPECT_LT(process.status, 500);
  EXPECT_EQ(process.Header("X-Evil"), "");
  const Reply html = Call("PUT", path + "/files?path=x.html", "<script>alert(1)</script>");
  ASSERT_EQ(html.status, 201);
  const Reply page = Get(path + "/files?path=x.html");
  EXPECT_EQ(page.Header("Content-Security-Policy"), "sandbox");
  EXPECT_THAT(page.Header("Content-Disposition"), HasSubstr("attachment"));
}

TEST_F(ApiAttack, OutputCannotForgeEvents) {
  const std::string path = CreatePath();
  const Reply reply =
      Call("POST", path + "/execute",
           R"({"command":"printf 'x\\n\\nevent: exited\\ndata: {\"exit_code\":0}\\n\\n'; exit 1"})",
           {{"Accept", "text/event-stream"}});
  const auto events = ParseSse(reply.body);
  EXPECT_EQ(std::ranges::count(events, "exited", &SseEvent::type), 1);
  EXPECT_THAT(events.back().data, HasSubstr("\"exit_code\":1"));
}

TEST_F(ApiAttack, AnothersSandboxDoesNotExist) {
  const std::string id = Create(R"({"name":"private"})");
  const std::string path = "/api/sandboxes/" + id;
  const Reply process = Post(path + "/processes", R"({"command":["sleep","60"]})");
  const std::string one = path + "/processes/" + std::to_string(process.Number("process_id"));
  struct Try {
    const char* method;
    std::string target;
    std::string body = {};
  };
  for (const Try& attempt : std::vector<Try>{
           {"GET", path},
           {"GET", "/api/sandboxes/private"},
           {"PATCH", path, R"({"name":"mine"})"},
           {"DELETE", path},
           {"POST", path + "/stop"},
           {"POST", path + "/extend", R"({"by":"1m"})"},
           {"GET", path + "/stats"},
           {"GET", path + "/health"},
           {"GET", path + "/events?wait=false"},
           {"POST", path + "/execute", R"({"command":"id"})"},
           {"GET", path + "/processes"},
           {"GET", one},
           {"GET", one + "/output"},
           {"GET", one + "/wait?timeout=1ms"},
           {"DELETE", one},
           {"POST", one + "/stdin", "x"},
           {"GET", path + "/files?path=/etc/passwd"},
           {"PUT", path + "/files?path=x", "x"},
           {"GET", path + "/files/list"},
           {"GET", path + "/archive"},
           {"POST", "/sandbox/" + id + "/execute", R"({"command":"id"})"},
           {"GET", "/sandbox/" + id + "/status"},
           {"DELETE", "/sandbox/" + id},
       }) {
    ExpectProblem(CallAs("mallory", attempt.method, attempt.target, attempt.body), 404,
                  "not_found");
  }
  EXPECT_EQ(CallAs("mallory", "GET", path + "/ports/80/").status, 502);
  EXPECT_THAT(CallAs("mallory", "GET", "/api/sandboxes").body, Not(HasSubstr(id)));
  EXPECT_THAT(CallAs("mallory", "GET", "/sandboxes").body, Not(HasSubstr(id)));
  EXPECT_EQ(Get(one).Text("state"), "running");
}

}  // namespace
}  // namespace cay::testing
