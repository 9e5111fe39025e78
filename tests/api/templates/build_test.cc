// Builds of templates, over HTTP: how a request is read, who sees what, and events.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>

#include "../api_fixture.h"
#include "template/layers/test_layer_tar.h"

namespace cay::testing {
namespace {

using templates::LayerTar;
using ::testing::HasSubstr;

constexpr const char* kBuilds = "/api/templates/builds";
constexpr const char* kCopies = "FROM scratch\nCOPY greeting /greeting\n";

std::string Context(const std::string& dockerfile = kCopies) {
  return LayerTar().File("Dockerfile", dockerfile).File("greeting", "hello\n").Finish();
}

std::string Part(const std::string& name, const std::string& content) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n";
}

class Builds : public ApiFixture {
 protected:
  Reply Send(const std::string& body) {
    return Call("POST", kBuilds, body, {{"Content-Type", "multipart/form-data; boundary=B"}});
  }
  Reply Start(const std::string& options, const std::string& context = Context()) {
    return Send(Part("options", options) + Part("context", context) + "--B--\r\n");
  }
  // Follows it to its end.
  std::vector<SseEvent> Events(const std::string& id, const std::string& query = {}) {
    return ParseSse(Get(std::string(kBuilds) + "/" + id + "/events" + query).body);
  }
};

TEST_F(Builds, AContextBecomesATemplate) {
  const Reply started = Start(R"({"names":["api-built"],"labels":{"a":"b"}})");
  ASSERT_EQ(started.status, 202) << started.body;
  const std::string id = started.Text("id");
  EXPECT_EQ(started.Header("Location"), std::string(kBuilds) + "/" + id);
  const std::vector<SseEvent> events = Events(id);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type, "end");
  EXPECT_THAT(events.back().data, HasSubstr(R"("state":"done")"));
  EXPECT_EQ(events.front().id, "1");
  EXPECT_EQ(events.front().type, "began");
  EXPECT_EQ(Get("/api/templates/api-built").status, 200);
  const Reply list = Get(kBuilds);
  EXPECT_EQ(list.json().at("builds").at(0).at("id").as_string(), id);
  EXPECT_EQ(Call("DELETE", "/api/templates/api-built").status, 204);
  ExpectProblem(Call("DELETE", std::string(kBuilds) + "/" + id), 409, "illegal_state");
}

TEST_F(Builds, WhoComesBackGoesOnWhereItWas) {
  const std::string id = Start(R"({"names":["api-again"]})").Text("id");
  const std::vector<SseEvent> all = Events(id);
  ASSERT_GT(all.size(), 4U);
  const std::vector<SseEvent> rest = Events(id, "?after=2");
  ASSERT_EQ(rest.size(), all.size() - 2);
  EXPECT_EQ(rest.front().id, "3");
  EXPECT_EQ(Get(std::string(kBuilds) + "/" + id + "/events?after=x").status, 400);
  EXPECT_EQ(Call("DELETE", "/api/templates/api-again").status, 204);
}

TEST_F(Builds, WhatIsNoRequestForABuildIsRefused) {
  ExpectProblem(Post(kBuilds, "{}"), 400, "invalid_argument");
  EXPECT_THAT(ExpectProblem(Send(Part("options", "{}") + "--B--\r\n"), 400, "invalid_argument"),
              HasSubstr("context"));
  ExpectProblem(Send(Part("other", "x") + Part("context", Context()) + "--B--\r\n"), 400,
                "invalid_argument");
  EXPECT_THAT(ExpectProblem(Start(R"({"names":["x"],"no_such":1})"), 400, "invalid_argument"),
              HasSubstr("no_such"));
  ExpectProblem(Start("not json"), 400, "invalid_argument");
  ExpectProblem(Start(R"({"names":["x"]})", "not a tar"), 400, "invalid_argument");
  ExpectProblem(Start(R"({"names":["x"],"dockerfile":"other"})"), 404, "not_found");
  ExpectProblem(Start(R"({"names":["host/../x"]})"), 400, "invalid_argument");
  EXPECT_THAT(ExpectProblem(Start(R"({"names":["x"],"network":{"mode":"open","join":["n"]}})"), 422,
                            "invalid_argument"),
              HasSubstr("join"));
}

TEST_F(Builds, OptionsMayBeLeftOutAndTheContextCutShortIsNoBuild) {
  const Reply unnamed = Send(Part("context", Context()) + "--B--\r\n");
  ASSERT_EQ(unnamed.status, 202) << unnamed.body;
  const std::vector<SseEvent> events = Events(unnamed.Text("id"));
  EXPECT_THAT(events.back().data, HasSubstr(R"("name":"built-)"));
  const std::string whole = Part("context", Context());
  EXPECT_EQ(Send(whole.substr(0, whole.size() / 2)).status, 400);
}

TEST_F(Builds, AnotherOwnersAreNotThere) {
  const std::string body =
      Part("options", R"({"names":["mine"]})") + Part("context", Context()) + "--B--\r\n";
  const Reply started =
      Call("POST", kBuilds, body,
           {{"Content-Type", "multipart/form-data; boundary=B"}, {"X-Test-Owner", "somebody"}});
  ASSERT_EQ(started.status, 202) << started.body;
  const std::string path = std::string(kBuilds) + "/" + started.Text("id");
  EXPECT_EQ(started.json().at("names").at(0).as_string(), "@somebody/mine");
  EXPECT_EQ(CallAs("other", "GET", path).status, 404);
  EXPECT_EQ(CallAs("other", "GET", path + "/events").status, 404);
  EXPECT_EQ(CallAs("other", "DELETE", path).status, 404);
  EXPECT_TRUE(CallAs("other", "GET", kBuilds).json().at("builds").as_array().empty());
  EXPECT_EQ(Events(started.Text("id")).back().type, "end") << "an administrator sees them";
  EXPECT_EQ(CallAs("somebody", "DELETE", "/api/snapshots/mine").status, 204);
}

}  // namespace
}  // namespace cay::testing
