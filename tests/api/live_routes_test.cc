// openapi.json against every route that the program has: of all its lists, as it says them itself
// when it starts.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <map>
#include <sstream>

#include "live_server.h"

namespace cay::testing {
namespace {

namespace json = boost::json;

// What is known of an operation, by "method path".
struct Operation {
  std::string scope;
  std::string name;
  bool operator==(const Operation&) const = default;
};
using Operations = std::map<std::string, Operation>;

void PrintTo(const Operation& operation, std::ostream* out) {
  *out << operation.scope << " " << operation.name;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// A route that takes every method is described for each, with the method at the end of its name.
void AddRouted(Operations& routed, const std::string& method, std::string path,
               const Operation& operation) {
  if (const size_t rest = path.find("{rest...}"); rest != std::string::npos) {
    path = path.substr(0, rest) + "{rest}";
  }
  if (method != "*") {
    routed[Lower(method) + " " + path] = operation;
    return;
  }
  for (const char* each : {"Get", "Head", "Post", "Put", "Patch", "Delete", "Options"}) {
    routed[Lower(each) + " " + path] = {operation.scope, operation.name + each};
  }
}

Operations Routed(const std::string& said) {
  Operations routed;
  std::istringstream lines(said);
  const std::string kMark = "debug: route ";
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(kMark);
    if (at == std::string::npos) continue;
    std::istringstream words(line.substr(at + kMark.size()));
    std::string method, path;
    Operation operation;
    words >> method >> path >> operation.scope >> operation.name;
    AddRouted(routed, method, path, operation);
  }
  return routed;
}

Operations Described(const json::value& document) {
  Operations described;
  for (const auto& [path, operations] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : operations.as_object()) {
      described[std::string(method) + " " + std::string(path)] = {
          std::string(operation.at("x-cay-scope").as_string()),
          std::string(operation.at("operationId").as_string())};
    }
  }
  return described;
}

TEST(LiveRoutes, EveryOneIsDescribedAndNothingElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  LiveServer server({"--log-level", "debug"});
  const Operations routed = Routed(server.program().said());
  const Operations described = Described(server.Call("GET", "/openapi.json").json());
  for (const char* some :
       {"get /health", "get /metrics", "post /api/keys", "get /api/webhooks",
        "get /api/sandboxes/{id}/terminal", "put /api/sandboxes/{id}/ports/{port}/{rest}"}) {
    EXPECT_TRUE(routed.contains(some)) << some;
  }
  for (const auto& [what, operation] : routed) {
    EXPECT_TRUE(described.contains(what)) << what << " is not described";
  }
  EXPECT_EQ(described, routed);
}

TEST(LiveRoutes, WhatOnlyReadsChangesNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  LiveServer server({"--log-level", "debug"});
  for (const auto& [what, operation] : Routed(server.program().said())) {
    if (operation.scope == "read" || operation.scope == "public") {
      EXPECT_TRUE(what.starts_with("get ")) << what;
    }
  }
}

}  // namespace
}  // namespace cay::testing
