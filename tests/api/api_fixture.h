// The REST face over real HTTP: a server, the manager, the keeper and the native engine in this
// process, on a state directory of its own. Made once for a test program; each test destroys the
// sandboxes that it makes.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"
#include "base/testing/test_eventually.h"
#include "http/client/client.h"

namespace cay::testing {

struct Reply {
  int status = 0;
  http::Headers headers;
  std::string body;

  // Null, and a failure of the test, when it is none. Valid as long as the reply.
  const boost::json::value& json() const;
  std::string Text(std::string_view name) const;  // of the object
  int64_t Number(std::string_view name) const;
  std::string Header(std::string_view name) const;

 private:
  mutable std::optional<boost::json::value> parsed_;
};

// One server-sent event.
struct SseEvent {
  std::string type;
  std::string id;
  std::string data;
};
std::vector<SseEvent> ParseSse(std::string_view text);

// All `text` or bytes of the events of that type, together.
std::string Joined(const std::vector<SseEvent>& events, std::string_view type);

// One request on a connection of its own. Fails the test when there is no answer.
Reply CallAt(const http::Url& url, http::ClientRequest request, const std::string& ca_file = {});

class ApiFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;
  void TearDown() override;

  Reply Call(const std::string& method, const std::string& target, const std::string& body = {},
             const http::Headers& headers = {});
  Reply Get(const std::string& target) { return Call("GET", target); }
  Reply Post(const std::string& target, const std::string& body = {}) {
    return Call("POST", target, body);
  }
  // As another owner, who is no administrator.
  Reply CallAs(const std::string& owner, const std::string& method, const std::string& target,
               const std::string& body = {});

  // Its id. Fails the test when it cannot be made.
  std::string Create(const std::string& body = "{}");
  // "/api/sandboxes/ID" of a new one.
  std::string CreatePath(const std::string& body = "{}") {
    return "/api/sandboxes/" + Create(body);
  }

  // Kills the sandbox's first process, as the kernel may.
  static void KillGuest(const std::string& id);

  static const http::Url& url();
  static const std::vector<api::Route>& routes();

  // The reply is a problem document of that status and code; its detail.
  static std::string ExpectProblem(const Reply& reply, int status, std::string_view code);

 private:
  std::vector<std::string> made_;
};

}  // namespace cay::testing
