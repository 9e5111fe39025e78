// Owners of a running server: what belongs to one is there for all of its keys, and for nobody
// else's.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>

#include "base/testing/test_eventually.h"
#include "live_server.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::string IdOf(const std::string& key) { return key.substr(4, key.find('_', 4) - 4); }

class LiveOwners : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    server_.emplace();
    admin_ = server_->MakeKey("admin", {"--owner", "ops"});
    first_ = server_->MakeKey("use", {"--owner", "team-a"});
    server_->set_key(admin_);
  }
  Reply As(const std::string& key, const std::string& method, const std::string& target,
           const std::string& body = {}) {
    return server_->Call(method, target, body, {{"X-API-Key", key}});
  }
  std::vector<std::string> NamesSeenBy(const std::string& key, const std::string& query = "") {
    const Reply list = As(key, "GET", "/api/sandboxes" + query);
    EXPECT_EQ(list.status, 200) << list.body;
    std::vector<std::string> names;
    for (const auto& one : list.json().at("sandboxes").as_array()) {
      names.emplace_back(one.at("owner").as_string().c_str() + std::string("/") +
                         one.at("name").as_string().c_str());
    }
    return names;
  }
  std::string Make(const std::string& key, const std::string& body) {
    const Reply made = As(key, "POST", "/api/sandboxes", body);
    EXPECT_EQ(made.status, 201) << made.body;
    return made.Text("id");
  }

  std::optional<LiveServer> server_;
  std::string admin_;
  std::string first_;  // of team-a, scope use
};

TEST_F(LiveOwners, AReadKeySeesItsOwnersSandboxesAndARotatedKeyKeepsThem) {
  const std::string id = Make(first_, R"({"name":"web","project_name":"p"})");
  const std::string read = server_->MakeKey("read", {"--owner", "team-a"});
  EXPECT_THAT(NamesSeenBy(read), UnorderedElementsAre("team-a/web"));
  EXPECT_EQ(As(read, "GET", "/api/sandboxes/web").Text("id"), id);
  const std::string second = server_->MakeKey("use", {"--owner", "team-a"});
  EXPECT_EQ(As(admin_, "DELETE", "/api/keys/" + IdOf(first_)).status, 204);
  EXPECT_EQ(As(first_, "GET", "/api/sandboxes/web").status, 401);
  const Reply executed =
      As(second, "POST", "/api/sandboxes/web/execute", R"({"command":"echo here"})");
  EXPECT_EQ(executed.Text("stdout"), "here\n") << executed.body;
  EXPECT_EQ(As(second, "DELETE", "/api/sandboxes/web").status, 204);
}

TEST_F(LiveOwners, AnIdempotencyKeyIsTheOwnersAndNotTheKeys) {
  const std::string second = server_->MakeKey("use", {"--owner", "team-a"});
  const std::string other = server_->MakeKey("use", {"--owner", "team-b"});
  const auto make = [&](const std::string& key) {
    return server_
        ->Call("POST", "/api/sandboxes", "{}", {{"X-API-Key", key}, {"Idempotency-Key", "same"}})
        .Text("id");
  };
  const std::string id = make(first_);
  EXPECT_EQ(make(second), id);
  EXPECT_NE(make(other), id);
}

TEST_F(LiveOwners, TheNumberOfSandboxesIsTheOwners) {
  const std::string second = server_->MakeKey("use", {"--owner", "team-a", "--max-sandboxes", "1"});
  Make(first_, "{}");
  for (const std::string& key : {first_, second}) {
    const Reply refused = As(key, "POST", "/api/sandboxes", "{}");
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_EQ(refused.Text("code"), "resource_exhausted");
  }
}

TEST_F(LiveOwners, AnAdministratorNamesOthersByOwnerAndName) {
  const std::string other = server_->MakeKey("use", {"--owner", "team-b"});
  const std::string id = Make(first_, R"({"name":"web"})");
  const std::string theirs = Make(other, R"({"name":"web"})");
  EXPECT_EQ(As(admin_, "GET", "/api/sandboxes/team-a%2Fweb").Text("id"), id);
  EXPECT_EQ(As(admin_, "GET", "/sandbox/team-b%2Fweb/status").Text("sandbox_id"), theirs);
  const Reply own = As(admin_, "GET", "/api/sandboxes/web");
  EXPECT_EQ(own.status, 404);
  EXPECT_THAT(own.Text("remedy"), HasSubstr("team-a/web"));
  EXPECT_THAT(NamesSeenBy(admin_), UnorderedElementsAre("team-a/web", "team-b/web"));
  EXPECT_THAT(NamesSeenBy(admin_, "?owner=team-b"), UnorderedElementsAre("team-b/web"));
  // Its own is named so as well; another's does not exist, under whatever name.
  EXPECT_EQ(As(first_, "GET", "/api/sandboxes/team-a%2Fweb").Text("id"), id);
  const Reply hidden = As(first_, "GET", "/api/sandboxes/team-b%2Fweb");
  EXPECT_EQ(hidden.status, 404);
  EXPECT_THAT(hidden.body, ::testing::Not(HasSubstr(theirs)));
  EXPECT_EQ(As(first_, "GET", "/api/sandboxes?owner=team-b").status, 403);
  EXPECT_EQ(As(first_, "GET", "/api/events?wait=false&owner=team-b").status, 403);
  EXPECT_EQ(As(admin_, "DELETE", "/api/sandboxes/team-a%2Fweb").status, 204);
  EXPECT_TRUE(Eventually([&] {  // its history is written a moment later
    const Reply gone = As(admin_, "GET", "/api/sandboxes/team-a%2Fweb");
    return gone.status == 404 && gone.Text("detail").find("was destroyed") != std::string::npos;
  }));
}

TEST_F(LiveOwners, TheAuditSaysOwnerAndKey) {
  Make(first_, "{}");
  ASSERT_TRUE(Eventually([&] {
    return !As(admin_, "GET", "/api/audit?owner=team-a").json().at("entries").as_array().empty();
  }));
  const Reply audit = As(admin_, "GET", "/api/audit?owner=team-a");
  const auto& entry = audit.json().at("entries").at(0);
  EXPECT_EQ(entry.at("owner").as_string(), "team-a");
  EXPECT_EQ(entry.at("key_id").as_string(), IdOf(first_));
  EXPECT_EQ(entry.at("operation").as_string(), "createSandbox");
}

TEST_F(LiveOwners, KeysSayWhoseTheyAre) {
  const Reply made = As(admin_, "POST", "/api/keys", R"({"name":"n","owner":"ann@example.org"})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Text("owner"), "ann@example.org");
  const Reply alone = As(admin_, "POST", "/api/keys", R"({"name":"n"})");
  EXPECT_EQ(alone.Text("owner"), alone.Text("id"));
  EXPECT_EQ(As(admin_, "POST", "/api/keys", R"({"name":"n","owner":"a/b"})").status, 400);
}

TEST_F(LiveOwners, AKeyThatIsRevokedBesideTheServerEndsAtOnce) {
  CayProgram revoke(server_->directory(), {"keys", "revoke", "--local", "--state-dir",
                                           server_->directory() + "/state", IdOf(first_)});
  EXPECT_EQ(revoke.Wait(), 0) << revoke.said();
  EXPECT_EQ(As(first_, "GET", "/api/sandboxes").status, 401);
}

}  // namespace
}  // namespace cay::testing
