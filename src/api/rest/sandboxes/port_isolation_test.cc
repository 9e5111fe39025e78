#include "api/rest/sandboxes/port_isolation.h"

#include <gtest/gtest.h>

namespace cay::api::rest {
namespace {

TEST(PortIsolation, KeepsTheAnswersOwnFieldsAndAddsThePolicy) {
  http::Headers answer = {{"Content-Type", "text/html"},
                          {"Content-Security-Policy", "default-src 'self'"},
                          {"Accept-Ranges", "bytes"},
                          {"X-App", "yes"}};
  ConfineToNoOrigin(answer);
  const std::vector<http::Headers::Field> wanted = {
      {"Content-Type", "text/html"},
      {"Content-Security-Policy", "default-src 'self'"},
      {"Accept-Ranges", "bytes"},
      {"X-App", "yes"},
      {"Content-Security-Policy",
       "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"}};
  EXPECT_EQ(answer.fields(), wanted);
}

TEST(PortIsolation, TakesWhatActsOnTheOrigin) {
  for (const char* name :
       {"Set-Cookie", "SET-COOKIE", "Service-Worker-Allowed", "service-worker-allowed",
        "Access-Control-Allow-Origin", "access-control-allow-credentials", "Clear-Site-Data",
        "Strict-Transport-Security", "Alt-Svc", "NEL", "Report-To"}) {
    http::Headers answer = {{name, "x"}, {name, "y"}};
    ConfineToNoOrigin(answer);
    EXPECT_FALSE(answer.Find(name)) << name;
    EXPECT_EQ(answer.fields().size(), 1U) << name;
  }
}

TEST(PortIsolation, KnowsTheRequestForAServiceWorker) {
  const auto asks = [](const http::Headers& headers) {
    http::Request request;
    request.headers = headers;
    return AsksForServiceWorker(request);
  };
  EXPECT_TRUE(asks({{"Service-Worker", "script"}}));
  EXPECT_TRUE(asks({{"service-worker", "Script"}}));
  EXPECT_TRUE(asks({{"Sec-Fetch-Dest", "serviceworker"}}));
  EXPECT_FALSE(asks({{"Sec-Fetch-Dest", "script"}}));
  EXPECT_FALSE(asks({}));
}

}  // namespace
}  // namespace cay::api::rest
