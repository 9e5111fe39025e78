// A PostgreSQL in one sandbox and its clients in others and on this machine, under a running server
// of root's and of an ordinary user's.
#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>

#include "live_server.h"

namespace cay::testing {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Where initdb and postgres are; empty without.
std::string Programs() {
  std::error_code error;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", error)) {
    if (fs::exists(version.path() / "bin/initdb")) return version.path() / "bin/";
  }
  return {};
}

// What a command of this machine writes, both streams.
std::string OnThisMachine(const std::string& command) {
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string all;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) all.push_back(static_cast<char>(c));
  ::pclose(pipe);
  return all;
}

class LiveDatabase : public ::testing::TestWithParam<uid_t> {
 protected:
  LiveDatabase() : programs_(Programs()), server_({}, GetParam()) {}

  void SetUp() override {
    if (programs_.empty()) GTEST_SKIP() << "postgresql is not installed";
  }

  static std::string Path(const std::string& id) { return "/api/sandboxes/" + id; }
  Reply Execute(const std::string& id, const std::string& command) {
    const json::object request{{"command", command}, {"timeout", 60}};
    return server_.Call("POST", Path(id) + "/execute", json::serialize(request));
  }
  void StartDatabase(const std::string& id) {
    const json::object request{
        {"command", json::array{programs_ + "postgres", "-D", "data", "-k", "/tmp"}}};
    ASSERT_EQ(server_.Call("POST", Path(id) + "/processes", json::serialize(request)).status, 201);
  }
  std::string Database() {
    const std::string id = server_.Create(
        R"({"name":"db","network":{"join":["app"],"aliases":["database"],"publish":["0:5432"]}})");
    const Reply made = Execute(id, programs_ + "initdb -D data -U app --auth=trust --no-sync");
    EXPECT_EQ(made.Number("exit_code"), 0) << made.body;
    StartDatabase(id);
    return id;
  }
  // In that sandbox, once the database there answers.
  std::string Ask(const std::string& id, const std::string& host, const std::string& query) {
    const Reply reply = Execute(id, "for i in $(seq 150); do pg_isready -q -h " + host +
                                        " && break; sleep 0.2; done; psql -XAtq -h " + host +
                                        " -U app postgres -c \"" + query + "\"");
    return reply.Text("stdout") + reply.Text("stderr");
  }

  std::string programs_;
  LiveServer server_;
};

std::string NameOf(const ::testing::TestParamInfo<uid_t>& info) {
  return info.param == 0 ? "Root" : "OrdinaryUser";
}

INSTANTIATE_TEST_SUITE_P(Users, LiveDatabase, ::testing::Values(uid_t{0}, uid_t{65534}), NameOf);

TEST_P(LiveDatabase, AnswersItsPeersByNameAndAlias) {
  Database();
  const std::string code = server_.Create(R"({"name":"code","network":{"join":["app"]}})");
  EXPECT_EQ(Ask(code, "db", "create table kept (value text)"), "");
  EXPECT_EQ(Ask(code, "database", "insert into kept values ('from a peer')"), "");
  EXPECT_EQ(Ask(code, "db", "select value from kept"), "from a peer\n");
  const Reply copied = Execute(
      code,
      "psql -XAtq -h db -U app postgres -c 'copy (select generate_series(1, 500000)) to stdout' | "
      "md5sum; seq 500000 | md5sum");
  const std::string sums = copied.Text("stdout");
  ASSERT_EQ(sums.size(), 72U) << copied.body;
  EXPECT_EQ(sums.substr(0, 36), sums.substr(36));
  // Nobody else reaches it.
  const std::string apart = server_.Create(R"({"network":{"join":["other"]}})");
  EXPECT_THAT(Execute(apart, "psql -h db -U app postgres -c 'select 1'").Text("stderr"),
              HasSubstr("could not translate host name"));
}

TEST_P(LiveDatabase, OneThatHasNotStartedIsConnectedToAndDoesNotAnswer) {
  server_.Create(R"({"name":"db","network":{"join":["app"]}})");
  const std::string code = server_.Create(R"({"network":{"join":["app"]}})");
  const Reply connected = Execute(code, "exec 3<>/dev/tcp/db/5432 && echo connected");
  EXPECT_THAT(connected.Text("stdout"), StartsWith("connected")) << connected.body;
  const Reply asked = Execute(code, "pg_isready -h db");
  EXPECT_EQ(asked.Text("stdout"), "db:5432 - no response\n") << asked.body;
}

TEST_P(LiveDatabase, ItsPublishedPortAnswersAndOutlivesTheServer) {
  const std::string db = Database();
  const std::string code = server_.Create(R"({"network":{"join":["app"]}})");
  EXPECT_EQ(Ask(code, "db", "create table kept (value text)"), "");
  const auto port = [&] {
    const Reply network = server_.Call("GET", Path(db) + "/network");
    return std::to_string(network.json().at("publish").as_array().at(0).at("host_port").as_int64());
  };
  const std::string psql = "psql -XAtq -h 127.0.0.1 -U app postgres -p ";
  EXPECT_EQ(OnThisMachine(psql + port() + " -c \"insert into kept values ('from outside')\""), "");
  EXPECT_EQ(Ask(code, "db", "select value from kept"), "from outside\n");
  server_.Restart();
  EXPECT_EQ(Ask(code, "db", "select value from kept"), "from outside\n");
  EXPECT_EQ(OnThisMachine(psql + port() + " -c 'select value from kept'"), "from outside\n");
}

}  // namespace
}  // namespace cay::testing
