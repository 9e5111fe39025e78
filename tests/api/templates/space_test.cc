// What takes space, over HTTP: who may know, what is said, and what is removed.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "../api_fixture.h"
#include "template/layers/test_layer_tar.h"

namespace cay::testing {
namespace {

namespace json = boost::json;
using templates::LayerTar;
using ::testing::HasSubstr;

class Space : public ApiFixture {
 protected:
  void Import(const std::string& name) {
    LayerTar tar;
    tar.Directory("usr").Directory("etc").File("usr/content", std::string(100'000, 'x'));
    ASSERT_EQ(Call("PUT", "/api/templates/" + name + "?replace=true", tar.Finish()).status, 201);
  }
  static json::object Row(const Reply& reply, std::string_view kind) {
    const json::value space = reply.json();
    for (const json::value& row : space.at("rows").as_array())
      if (row.at("kind").as_string() == kind) return row.as_object();
    ADD_FAILURE() << "no row " << kind << " in " << reply.body;
    return {};
  }
};

TEST_F(Space, EachKindHasARow) {
  Import("space-one");
  const Reply reply = Get("/api/system/df");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json().at("rows").as_array().size(), 10U);
  const json::object row = Row(reply, "templates");
  EXPECT_GE(row.at("count").to_number<uint64_t>(), 1U);
  EXPECT_GE(row.at("disk_bytes").to_number<uint64_t>(), 100'000U);
  EXPECT_TRUE(row.at("items").as_array().empty());
  EXPECT_GE(reply.Number("used_bytes"), 100'000);
  EXPECT_GT(reply.Number("disk_size"), reply.Number("disk_free"));
  const Reply verbose = Get("/api/system/df?verbose=true");
  EXPECT_THAT(verbose.body, HasSubstr("\"space-one\""));
  EXPECT_EQ(Get("/api/system/df?verbose=perhaps").status, 400);
  EXPECT_EQ(Call("DELETE", "/api/templates/space-one").status, 204);
}

TEST_F(Space, WhatSomebodyMadeGoesOnlyWhenThatIsSaid) {
  Import("space-two");
  const Reply looked = Post("/api/system/prune", R"({"dry_run":true,"all":true})");
  ASSERT_EQ(looked.status, 200) << looked.body;
  EXPECT_THAT(looked.body, HasSubstr("\"space-two\""));
  EXPECT_EQ(Get("/api/templates/space-two").status, 200);
  ASSERT_EQ(Post("/api/system/prune").status, 200);
  EXPECT_EQ(Get("/api/templates/space-two").status, 200);
  ASSERT_EQ(Post("/api/system/prune", R"({"all":true,"older_than":"1h"})").status, 200);
  EXPECT_EQ(Get("/api/templates/space-two").status, 200);
  const Reply pruned = Post("/api/system/prune", R"({"all":true})");
  ASSERT_EQ(pruned.status, 200) << pruned.body;
  EXPECT_GE(pruned.Number("freed_bytes"), 100'000);
  EXPECT_EQ(Get("/api/templates/space-two").status, 404);
}

TEST_F(Space, WhatIsNoRequestIsRefused) {
  EXPECT_THAT(ExpectProblem(Post("/api/system/prune", R"({"al":true})"), 400, "invalid_argument"),
              HasSubstr("al"));
  ExpectProblem(Post("/api/system/prune", R"({"older_than":"soon"})"), 400, "invalid_argument");
}

TEST_F(Space, ItIsAnAdministratorsToKnow) {
  size_t seen = 0;
  for (const api::Route& route : routes()) {
    if (route.name != "getSpace" && route.name != "pruneSpace") continue;
    EXPECT_EQ(route.scope, api::Scope::kAdmin) << route.name;
    ++seen;
  }
  EXPECT_EQ(seen, 2U);
}

}  // namespace
}  // namespace cay::testing
