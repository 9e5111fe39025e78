#include "http/server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::http {
namespace {

using Captures = std::vector<std::pair<std::string, std::string>>;

Handler Nothing() {
  return [](Exchange&) {};
}

Router Example() {
  Router router;
  router.Add("GET", "/", Nothing());
  router.Add("GET", "/api/sandboxes", Nothing());
  router.Add("POST", "/api/sandboxes", Nothing());
  router.Add("GET", "/api/sandboxes/{id}", Nothing());
  router.Add("DELETE", "/api/sandboxes/{sandbox}", Nothing());
  router.Add("GET", "/api/sandboxes/{id}/files", Nothing());
  router.Add("GET", "/api/sandboxes/{id}/files/list", Nothing());
  router.Add("GET", "/api/sandboxes/mine/stats", Nothing());
  router.Add("*", "/api/sandboxes/{id}/ports/{port}/{rest...}", Nothing());
  return router;
}

TEST(Router, LiteralsComeBeforeCaptures) {
  const Router router = Example();
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/mine/stats").pattern, "/api/sandboxes/mine/stats");
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/x/files/list").pattern,
            "/api/sandboxes/{id}/files/list");
}

TEST(Router, GoesBackToACaptureWhenALiteralLeadsNowhere) {
  const auto match = Example().Find("GET", "/api/sandboxes/mine/files");
  EXPECT_EQ(match.status, 200);
  EXPECT_EQ(match.captures, (Captures{{"id", "mine"}}));
}

TEST(Router, APathThatStandsThereIsNoCapturesWithAnotherMethod) {
  Router router = Example();
  router.Add("POST", "/api/sandboxes/create", Nothing());
  const auto match = router.Find("DELETE", "/api/sandboxes/create");
  EXPECT_EQ(match.status, 405);
  EXPECT_EQ(match.allow, "POST");
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/create/files").captures,
            (Captures{{"id", "create"}}));
}

TEST(Router, EachMethodHasItsOwnNamesForCaptures) {
  const Router router = Example();
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/x").captures, (Captures{{"id", "x"}}));
  EXPECT_EQ(router.Find("DELETE", "/api/sandboxes/x").captures, (Captures{{"sandbox", "x"}}));
}

TEST(Router, IgnoresATrailingSlash) {
  const Router router = Example();
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/").status, 200);
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/x/").captures, (Captures{{"id", "x"}}));
  EXPECT_EQ(router.Find("GET", "/").status, 200);
  EXPECT_EQ(router.Find("GET", "/api/sandboxes//").status, 404);
}

TEST(Router, DecodesCapturesButNotTheRest) {
  const Router router = Example();
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/a%20b%2Fc").captures, (Captures{{"id", "a b/c"}}));
  EXPECT_EQ(router.Find("PATCH", "/api/sandboxes/x/ports/80/a%20b//c/").captures,
            (Captures{{"id", "x"}, {"port", "80"}, {"rest", "a%20b//c/"}}));
  EXPECT_EQ(router.Find("GET", "/api/sandboxes/x/ports/80").captures,
            (Captures{{"id", "x"}, {"port", "80"}, {"rest", ""}}));
}

TEST(Router, DoesNotTakeWhatIsNoEncoding) {
  EXPECT_EQ(Example().Find("GET", "/api/sandboxes/a%2").status, 404);
  EXPECT_EQ(Example().Find("GET", "/api/sandboxes/a%00").status, 404);
}

TEST(Router, GivesHeadToGet) {
  EXPECT_EQ(Example().Find("HEAD", "/api/sandboxes/x").pattern, "/api/sandboxes/{id}");
}

TEST(Router, NamesTheMethodsThatArePossible) {
  const auto match = Example().Find("PUT", "/api/sandboxes");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.status, 405);
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
  EXPECT_EQ(Example().Find("PUT", "/nowhere").status, 404);
  EXPECT_EQ(Example().Find("PUT", "*").status, 404);
}

TEST(RouterDeathTest, RefusesARouteTwice) {
  EXPECT_DEATH(
      {
        Router router = Example();
        router.Add("GET", "/api/sandboxes", Nothing());
      },
      "there already");
}

}  // namespace
}  // namespace cay::http
