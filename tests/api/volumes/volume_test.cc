// Volumes over HTTP.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class Volumes : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void Make(const std::string& name) {
    const Reply made = Post("/api/volumes", R"({"name":")" + name + R"(","size":"16m"})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.Header("Location"), "/api/volumes/" + name);
  }
  std::string CreateWith(const std::string& volume, bool read_only) {
    return Create(R"({"volumes":[{"name":")" + volume + R"(","path":"/data","read_only":)" +
                  (read_only ? "true" : "false") + "}]}");
  }
  std::string Execute(const std::string& id, const std::string& command) {
    return Post("/api/sandboxes/" + id + "/execute", R"({"command":")" + command + R"("})")
        .Text("stdout");
  }
};

TEST_F(Volumes, AreMadeShownUsedAndRemoved) {
  Make("data");
  const Reply shown = Get("/api/volumes/data");
  EXPECT_EQ(shown.Text("name"), "data");
  EXPECT_EQ(shown.Number("size"), 16 << 20);
  EXPECT_TRUE(shown.json().at("used_by").as_array().empty());
  EXPECT_EQ(Get("/api/volumes").json().at("volumes").as_array().size(), 1U);
  EXPECT_EQ(Post("/api/volumes", R"({"name":"data"})").status, 409);

  const std::string id = CreateWith("data", false);
  const Reply sandbox = Get("/api/sandboxes/" + id);
  const auto& volumes = sandbox.json().at("volumes").as_array();
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_EQ(volumes.at(0).at("name").as_string(), "data");
  EXPECT_EQ(volumes.at(0).at("path").as_string(), "/data");
  EXPECT_FALSE(volumes.at(0).at("read_only").as_bool());
  EXPECT_EQ(Execute(id, "echo words > /data/kept; cat /data/kept"), "words\n");
  const Reply used = Get("/api/volumes/data");
  const auto& users = used.json().at("used_by").as_array();
  ASSERT_EQ(users.size(), 1U);
  EXPECT_EQ(users.at(0).at("sandbox").as_string(), id);

  const Reply second = Post("/api/sandboxes", R"({"volumes":[{"name":"data","path":"/d"}]})");
  EXPECT_EQ(second.status, 409);
  EXPECT_THAT(second.body, HasSubstr(id));
  EXPECT_EQ(Call("DELETE", "/api/volumes/data").status, 409);
  EXPECT_EQ(Get("/api/volumes/data/archive").status, 409);
  EXPECT_EQ(Call("DELETE", "/api/sandboxes/" + id).status, 204);
  EXPECT_EQ(Call("DELETE", "/api/volumes/data").status, 204);
  EXPECT_EQ(Get("/api/volumes/data").status, 404);
  EXPECT_EQ(Post("/api/sandboxes", R"({"volumes":[{"name":"data","path":"/d"}]})").status, 404);
}

TEST_F(Volumes, GoOutAndInAsArchives) {
  Make("data");
  const std::string id = CreateWith("data", false);
  EXPECT_EQ(Execute(id, "echo words > /data/kept; cat /data/kept"), "words\n");
  EXPECT_EQ(Call("DELETE", "/api/sandboxes/" + id).status, 204);
  for (const char* format : {"tar", "tar.gz", "tar.zst"}) {
    const Reply out = Get(std::string("/api/volumes/data/archive?format=") + format);
    ASSERT_EQ(out.status, 200) << out.body;
    EXPECT_THAT(out.Header("Content-Disposition"), HasSubstr(std::string("data.") + format));
    const Reply in = Call("PUT", "/api/volumes/copy/archive?size=16m", out.body,
                          {{"Content-Type", "application/x-tar"}});
    ASSERT_EQ(in.status, 201) << in.body;
    const std::string reader = CreateWith("copy", true);
    EXPECT_EQ(Execute(reader, "cat /data/kept"), "words\n");
    EXPECT_EQ(Call("DELETE", "/api/sandboxes/" + reader).status, 204);
    EXPECT_EQ(Call("DELETE", "/api/volumes/copy").status, 204);
  }
  EXPECT_EQ(Get("/api/volumes/data/archive?format=zip").status, 400);
  EXPECT_EQ(Call("PUT", "/api/volumes/data/archive", "").status, 409) << "it is there";
  EXPECT_EQ(Call("PUT", "/api/volumes/other/archive?size=16m", std::string(4096, 'x')).status, 400);
  EXPECT_EQ(Call("PUT", "/api/volumes/UPPER/archive?size=16m", "").status, 400);
  EXPECT_EQ(Get("/api/volumes/other").status, 404) << "nothing of it remains";
  EXPECT_EQ(Call("DELETE", "/api/volumes/data").status, 204);
}

TEST_F(Volumes, OfOthersAreNotThere) {
  Make("data");
  EXPECT_EQ(CallAs("stranger", "GET", "/api/volumes/data").status, 404);
  EXPECT_EQ(CallAs("stranger", "GET", "/api/volumes").json().at("volumes").as_array().size(), 0U);
  for (const char* path : {"/api/volumes/data", "/api/volumes/@local%2Fdata"}) {
    EXPECT_EQ(CallAs("stranger", "DELETE", path).status, 404);
    EXPECT_EQ(CallAs("stranger", "GET", std::string(path) + "/archive").status, 404);
  }
  EXPECT_EQ(
      CallAs("stranger", "POST", "/api/sandboxes", R"({"volumes":[{"name":"data","path":"/d"}]})")
          .status,
      404);
  EXPECT_EQ(Call("DELETE", "/api/volumes/data").status, 204);
}

TEST_F(Volumes, WhatNoVolumeCanBeIsRefused) {
  for (const char* body : {R"({})", R"({"name":"UPPER"})", R"({"name":"../x"})",
                           R"({"name":"x","size":"1k"})", R"({"name":"x","size":"100000t"})",
                           R"({"name":"x","size":17000001})", R"({"name":"x","more":1})"}) {
    EXPECT_THAT(Post("/api/volumes", body).status, AnyOf(400, 422)) << body;
  }
  for (const char* volumes :
       {R"([{"name":"x"}])", R"([{"path":"/x"}])", R"([{"name":"x","path":"x"}])",
        R"([{"name":"@local/x","path":"/x"}])", R"([{"name":"x","path":"/x","read_only":1}])",
        R"([{"name":"x","path":"/x"},{"name":"x","path":"/y"}])"}) {
    EXPECT_THAT(Post("/api/sandboxes", std::string(R"({"volumes":)") + volumes + "}").status,
                AnyOf(400, 422))
        << volumes;
  }
}

}  // namespace
}  // namespace cay::testing
