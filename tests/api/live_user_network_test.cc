// Networks under an ordinary user's server: what is allowed is reached, and nothing else, whichever
// of the programs that it takes is killed.
#include <gmock/gmock.h>
#include <signal.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>

#include "base/os/file.h"
#include "base/text.h"
#include "live_server.h"

namespace cay::testing {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

constexpr std::string_view kGreeter = R"(
import socket
server = socket.create_server(("127.0.0.1", 8000))
print("listening", flush=True)
while True:
    client = server.accept()[0]
    client.sendall(b"hello\n")
    client.close()
)";

// A sandbox `site` that greets: on a port of this machine, and in the network `app`.
class LiveUserNetwork : public ::testing::Test {
 protected:
  LiveUserNetwork()
      : server_({"--set", "network.private_allowed=host.cay.internal"}, kNobody),
        site_(
            server_.Create(R"({"name":"site","network":{"join":["app"],"publish":["0:8000"]}})")) {
    server_.StartPython(site_, std::string(kGreeter));
  }

  static std::string Path(const std::string& id) { return "/api/sandboxes/" + id; }
  std::string Port() {
    const Reply network = server_.Call("GET", Path(site_) + "/network");
    const json::value& ports = network.json().at("publish");
    return std::to_string(ports.as_array().at(0).at("host_port").as_int64());
  }
  std::string Client() {
    return server_.Create(R"({"network":{"allow":["host.cay.internal:)" + Port() + R"("]}})");
  }
  std::string Member() { return server_.Create(R"({"network":{"join":["app"]}})"); }
  std::string State(const std::string& id) {
    return server_.Call("GET", Path(id) + "/network").Text("state");
  }
  // What a program inside gets that connects there.
  Reply Reach(const std::string& id, const std::string& host, const std::string& port) {
    const std::string command = "cat < /dev/tcp/" + host + "/" + port;
    const json::object request{{"command", json::array{"bash", "-c", command}}, {"timeout", 20}};
    return server_.Call("POST", Path(id) + "/execute", json::serialize(request));
  }
  std::string Reached(const std::string& id) {
    return Reach(id, "host.cay.internal", Port()).Text("stdout");
  }
  std::string ReachedByName(const std::string& id) {
    return Reach(id, "site", "8000").Text("stdout");
  }
  // What a program of this machine gets at the published port.
  std::string Published() {
    const std::string command = "bash -c 'cat < /dev/tcp/127.0.0.1/" + Port() + "' 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::string all;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) all.push_back(static_cast<char>(c));
    ::pclose(pipe);
    return all;
  }
  // A child of the server; -1 without one.
  pid_t Relay() {
    const std::string tasks = "/proc/" + std::to_string(server_.program().pid()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      const std::string children = cay::ReadFile(task.path() / "children").value_or("");
      for (const std::string_view child : Split(children, ' ')) {
        const std::string name = "/proc/" + std::string(child) + "/comm";
        const auto pid = ParseUnsigned(child);
        if (pid && cay::ReadFile(name).value_or("") == "cay-net\n") return static_cast<pid_t>(*pid);
      }
    }
    return -1;
  }

  LiveServer server_;
  std::string site_;
};

TEST_F(LiveUserNetwork, WhatIsAllowedIsReachedAndNothingElse) {
  const std::string client = Client();
  EXPECT_EQ(State(client), "open");
  EXPECT_EQ(Reached(client), "hello\n");
  const Reply denied = Reach(client, "never.example", "80");
  EXPECT_NE(denied.Number("exit_code"), 0);
  EXPECT_THAT(denied.body, HasSubstr(R"("name":"never.example")"));
  EXPECT_THAT(denied.body, HasSubstr("no rule allows it"));
  EXPECT_EQ(ReachedByName(client), "") << "it has not joined";
  const std::string none = server_.Create();
  EXPECT_EQ(Reached(none), "");
  EXPECT_EQ(State(none), "none");
}

TEST_F(LiveUserNetwork, PeersAndThisMachineReachWhatListens) {
  const std::string member = Member();
  EXPECT_EQ(ReachedByName(member), "hello\n");
  EXPECT_EQ(Reached(member), "") << "to join opens nothing else";
  EXPECT_EQ(Published(), "hello\n");
  ASSERT_EQ(server_.Call("PATCH", Path(member), R"({"network":"none"})").status, 200);
  EXPECT_EQ(ReachedByName(member), "");
}

TEST_F(LiveUserNetwork, TheNextServerServesWhatRuns) {
  const std::string client = Client();
  const std::string member = Member();
  const std::string port = Port();
  server_.Restart();
  EXPECT_EQ(Port(), port);
  EXPECT_EQ(Reached(client), "hello\n");
  EXPECT_EQ(ReachedByName(member), "hello\n");
  EXPECT_EQ(Published(), "hello\n");
}

TEST_F(LiveUserNetwork, ARelayThatIsKilledIsReplaced) {
  const std::string client = Client();
  const std::string member = Member();
  const pid_t before = Relay();
  ASSERT_GT(before, 0);
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] {
    const pid_t now = Relay();
    return now > 0 && now != before && State(client) == "open" && State(member) == "open" &&
           State(site_) == "open";
  }));
  EXPECT_EQ(Reached(client), "hello\n");
  EXPECT_EQ(ReachedByName(member), "hello\n");
  EXPECT_EQ(Published(), "hello\n");
}

TEST_F(LiveUserNetwork, AfterACrashTheNextServerServesWhatRuns) {
  const std::string client = Client();
  const std::string member = Member();
  server_.program().KillWithChildren();
  server_.Restart();
  EXPECT_EQ(Reached(client), "hello\n");
  EXPECT_EQ(ReachedByName(member), "hello\n");
  EXPECT_EQ(Published(), "hello\n");
  EXPECT_EQ(ReachedByName(client), "");
}

}  // namespace
}  // namespace cay::testing
