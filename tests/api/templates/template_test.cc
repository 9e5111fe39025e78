// Templates over HTTP: what is told of one, what they take, and what is exported and pushed.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "../api_fixture.h"
#include "template/layers/test_layer_tar.h"

namespace cay::testing {
namespace {

using templates::LayerTar;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kOne = "/api/templates/api-one";

class Templates : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    LayerTar tar;
    tar.Directory("etc").File("etc/motd", "hello\n").Directory("usr").Directory("usr/bin");
    ASSERT_EQ(Call("PUT", std::string(kOne) + "?replace=true", tar.Finish()).status, 201);
  }
  void TearDown() override {
    Call("DELETE", kOne);
    ApiFixture::TearDown();
  }
  // Follows it to its end.
  std::vector<SseEvent> Events(const std::string& id, const std::string& query = {}) {
    return ParseSse(Get("/api/pushes/" + id + "/events" + query).body);
  }
};

TEST_F(Templates, TheWholeOfOneIsTold) {
  const Reply whole = Get(kOne);
  ASSERT_EQ(whole.status, 200) << whole.body;
  const auto& chain = whole.json().at("chain").as_array();
  ASSERT_EQ(static_cast<int64_t>(chain.size()), whole.Number("layers"));
  EXPECT_FALSE(chain.at(0).as_object().contains("disk_bytes"));
  EXPECT_TRUE(whole.json().at("image").is_null());
  EXPECT_GT(
      Get(std::string(kOne) + "?sizes=true").json().at("chain").at(0).at("disk_bytes").as_int64(),
      0);
  ExpectProblem(Get(std::string(kOne) + "?sizes=perhaps"), 400, "invalid_argument");
  EXPECT_TRUE(Get("/api/templates/host").json().at("chain").as_array().empty());
}

TEST_F(Templates, SumsOfWhatTheyTakeAreAnAdministratorsToKnow) {
  const Reply all = Get("/api/templates/df");
  EXPECT_THAT(all.body, HasSubstr("\"api-one\""));
  EXPECT_GT(all.Number("total_bytes"), 0);
  const Reply some = CallAs("somebody", "GET", "/api/templates/df");
  EXPECT_THAT(some.body, HasSubstr("\"api-one\""));
  EXPECT_THAT(some.body, Not(HasSubstr("total_bytes")));
}

TEST_F(Templates, APruneSaysWhatWouldGoAndTakesNothingElse) {
  const Reply would = Post("/api/templates/prune", R"({"unused_for":"0s","dry_run":true})");
  ASSERT_EQ(would.status, 200) << would.body;
  EXPECT_THAT(would.body, HasSubstr("\"api-one\""));
  EXPECT_EQ(Get(kOne).status, 200);
  ExpectProblem(Post("/api/templates/prune", R"({"unused":1})"), 400, "invalid_argument");
}

TEST_F(Templates, AnExportIsAnArchiveOfAnImage) {
  const std::string path = std::string(kOne) + "/export";
  const Reply oci = Get(path + "?tag=team/app:1.2&compression=zstd");
  ASSERT_EQ(oci.status, 200);
  EXPECT_EQ(oci.Header("Content-Type"), "application/x-tar");
  EXPECT_THAT(oci.Header("Content-Disposition"), HasSubstr("app.tar"));
  EXPECT_THAT(oci.Header("Docker-Content-Digest"), HasSubstr("sha256:"));
  EXPECT_THAT(oci.body, HasSubstr("oci-layout"));
  EXPECT_THAT(oci.body, HasSubstr("team/app:1.2"));
  EXPECT_THAT(Get(path + "?format=docker").body, HasSubstr("api-one:latest"));
  EXPECT_EQ(Call("HEAD", path).status, 200);
  EXPECT_EQ(Call("HEAD", path).body, "");
  ExpectProblem(Get(path + "?format=zip"), 400, "invalid_argument");
  ExpectProblem(Get(path + "?compression=xz"), 400, "invalid_argument");
  ExpectProblem(Get(path + "?format=docker&compression=gzip"), 400, "invalid_argument");
  ExpectProblem(Get(path + "?tag=UPPER"), 400, "invalid_argument");
  ExpectProblem(Get("/api/templates/host/export"), 422, "invalid_argument");
  ExpectProblem(Get("/api/templates/api-none/export"), 404, "not_found");
}

TEST_F(Templates, APushIsFollowedAndRemembered) {
  // Nobody listens there.
  const Reply push =
      Post(std::string(kOne) + "/push",
           R"({"image":"127.0.0.1:9/team/app:1","username":"a","password":"hidden"})");
  ASSERT_EQ(push.status, 202) << push.body;
  EXPECT_EQ(push.Header("Location"), "/api/pushes/" + push.Text("id"));
  EXPECT_EQ(push.Text("template"), "api-one");
  const std::vector<SseEvent> events = Events(push.Text("id"));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type, "end");
  EXPECT_THAT(events.back().data, HasSubstr(R"("state":"failed")"));
  EXPECT_EQ(Events(push.Text("id"), "?after=1000000").size(), 1U);
  EXPECT_THAT(Get("/api/pushes").body, HasSubstr(push.Text("id")));
  EXPECT_THAT(Get("/api/pushes").body, Not(HasSubstr("hidden")));
  ExpectProblem(Call("DELETE", "/api/pushes/" + push.Text("id")), 409, "illegal_state");
  EXPECT_EQ(CallAs("other", "GET", "/api/pushes/" + push.Text("id")).status, 404);
  EXPECT_TRUE(CallAs("other", "GET", "/api/pushes").json().at("pushes").as_array().empty());
}

TEST_F(Templates, WhatIsNoRequestForAPushIsRefused) {
  const std::string path = std::string(kOne) + "/push";
  ExpectProblem(Post(path, "{}"), 400, "invalid_argument");
  ExpectProblem(Post(path, R"({"image":""})"), 400, "invalid_argument");
  ExpectProblem(Post(path, R"({"image":"a:1","compression":"xz"})"), 400, "invalid_argument");
  ExpectProblem(Post(path, R"({"image":"a:1","username":"a:b","password":"c"})"), 400,
                "invalid_argument");
  ExpectProblem(Post(path, R"({"image":"a:1","token":"c"})"), 400, "invalid_argument");
  ExpectProblem(Post("/api/templates/api-none/push", R"({"image":"a:1"})"), 404, "not_found");
  ExpectProblem(Post("/api/templates/host/push", R"({"image":"a:1"})"), 422, "invalid_argument");
  ExpectProblem(CallAs("somebody", "POST", path, R"({"image":"a:1"})"), 403, "permission_denied");
  ExpectProblem(CallAs("somebody", "POST", "/api/templates/@other%2Fx/push", R"({"image":"a:1"})"),
                404, "not_found");
}

}  // namespace
}  // namespace cay::testing
