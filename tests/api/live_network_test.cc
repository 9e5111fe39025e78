// Networks of sandboxes under a running server: what is allowed is reached, and nothing else,
// whichever of the programs that it takes is killed.
#include <dirent.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fstream>
#include <thread>

#include "base/os/fd.h"
#include "live_server.h"

namespace cay::testing {
namespace {

namespace json = boost::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// On this machine: says "hello" to whoever connects.
class Greeter {
 public:
  Greeter() : socket_(Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), name, size), 0);
    EXPECT_EQ(::listen(socket_.get(), 16), 0);
    EXPECT_EQ(::getsockname(socket_.get(), name, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const int raw = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (raw < 0) return;
        const Fd client = Fd::Adopt(raw);
        (void)::send(client.get(), "hello\n", 6, MSG_NOSIGNAL);
      }
    });
  }
  ~Greeter() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string port() const { return std::to_string(port_); }
  std::string where() const { return "host.cay.internal:" + port(); }

 private:
  Fd socket_;
  uint16_t port_ = 0;
  std::thread thread_;
};

class LiveNetwork : public ::testing::Test {
 protected:
  LiveNetwork()
      : server_({"--set", "network.private_allowed=host.cay.internal", "--set",
                 "network.max_mode=allow"}) {}

  std::string Allowed() const { return R"({"network":{"allow":[")" + greeter_.where() + R"("]}})"; }
  // What a program inside gets that connects there.
  Reply Reach(const std::string& path, const std::string& host, const std::string& port) {
    return server_.Call(
        "POST", path + "/execute",
        R"({"command":["bash","-c","cat < /dev/tcp/)" + host + "/" + port + R"("],"timeout":20})");
  }
  std::string Reached(const std::string& path) {
    return Reach(path, "host.cay.internal", greeter_.port()).Text("stdout");
  }
  std::string State(const std::string& path) {
    return server_.Call("GET", path + "/network").Text("state");
  }
  // The relay is a child of the server's thread that started it.
  pid_t Relay() {
    const std::string tasks = "/proc/" + std::to_string(server_.program().pid()) + "/task";
    DIR* const directory = ::opendir(tasks.c_str());
    if (directory == nullptr) return -1;
    pid_t found = -1;
    while (const dirent* entry = ::readdir(directory)) {
      std::ifstream file(tasks + "/" + entry->d_name + "/children");
      for (pid_t pid = 0; file >> pid;) {
        std::string comm;
        std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> comm;
        if (comm == "cay-net") found = pid;
      }
    }
    ::closedir(directory);
    return found;
  }

  Greeter greeter_;
  LiveServer server_;
};

// The administrator permits every port of the machine, and not this one by that.
TEST_F(LiveNetwork, TheServersOwnApiIsNotReached) {
  const std::string port = std::to_string(server_.url().port);
  const std::string path =
      "/api/sandboxes/" + server_.Create(R"({"network":{"allow":["host.cay.internal"]}})");
  EXPECT_EQ(Reached(path), "hello\n");
  const Reply denied = Reach(path, "host.cay.internal", port);
  EXPECT_NE(denied.Number("exit_code"), 0);
  EXPECT_THAT(denied.body, HasSubstr("it is the server's own API"));
  EXPECT_THAT(Reach(path, "127.0.0.2", port).Text("stdout"), IsEmpty());
  const std::string check = path + "/network/check?host=host.cay.internal&port=";
  const Reply checked = server_.Call("GET", check + port);
  EXPECT_EQ(checked.json().at("allowed"), false);
  EXPECT_EQ(checked.Text("reason"), "it is the server's own API");
  EXPECT_EQ(server_.Call("GET", check + greeter_.port()).json().at("allowed"), true);
}

TEST_F(LiveNetwork, WithoutOneThereIsNoRelay) {
  const std::string path = "/api/sandboxes/" + server_.Create();
  EXPECT_EQ(State(path), "none");
  EXPECT_EQ(server_.Call("GET", path).Text("network"), "none");
  EXPECT_THAT(Reached(path), IsEmpty());
  EXPECT_EQ(Relay(), -1);
}

TEST_F(LiveNetwork, WhatIsAllowedIsReachedAndTold) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  EXPECT_EQ(server_.Call("GET", path).Text("network"), "allow");
  EXPECT_EQ(State(path), "open");
  EXPECT_EQ(Reached(path), "hello\n");
  const Reply denied = Reach(path, "never.example", "80");
  EXPECT_NE(denied.Number("exit_code"), 0);
  const json::array& told = denied.json().at("network_denied").as_array();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.at(0).at("name"), "never.example");
  EXPECT_EQ(told.at(0).at("verdict"), "denied");
  const Reply flows = server_.Call("GET", path + "/flows");
  std::vector<std::string> verdicts;
  for (const json::value& flow : flows.json().at("flows").as_array())
    verdicts.emplace_back(flow.at("verdict").as_string());
  EXPECT_THAT(verdicts, Contains("allowed"));
  EXPECT_THAT(verdicts, Contains("denied"));
  const std::string next = std::to_string(flows.Number("next"));
  EXPECT_TRUE(
      server_.Call("GET", path + "/flows?after=" + next).json().at("flows").as_array().empty());
  EXPECT_THAT(server_.Call("GET", path + "/events?wait=false").body,
              HasSubstr("sandbox.network_denied"));
  EXPECT_THAT(server_.Call("GET", "/metrics").body,
              HasSubstr("cay_network_bytes_total{direction=\"received\"} 6"));
}

// What a client has that follows `target` until `enough` of it has come, or the stream ends.
std::vector<SseEvent> FollowUntil(const http::Url& url, const std::string& target,
                                  const std::function<bool(const std::string&)>& enough) {
  auto client = http::Client::Open(url);
  if (!client) return {};
  http::ClientRequest request;
  request.target = target;
  auto response = (*client)->Send(std::move(request));
  if (!response || (*response)->status() != 200) return {};
  std::string text;
  std::array<char, 4096> space;
  while (!enough(text)) {
    const auto got = (*response)->Read(space);
    if (!got || *got == 0) break;
    text.append(space.data(), *got);
  }
  return ParseSse(text);
}

json::value Of(const SseEvent& event, const char* member) {
  return json::parse(event.data).at(member);
}

TEST_F(LiveNetwork, FlowsAreFollowedAndAClientThatComesBackMissesNone) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  const auto has = [](std::string word) {
    return
        [word](const std::string& text) { return text.contains(word) && text.ends_with("\n\n"); };
  };
  std::vector<SseEvent> first;
  std::thread follower([&] {
    first = FollowUntil(server_.url(), path + "/flows/events?after=0", has("hello.example"));
  });
  EXPECT_EQ(Reached(path), "hello\n");
  Reach(path, "hello.example", "80");
  follower.join();
  ASSERT_GE(first.size(), 2U);
  EXPECT_EQ(first.front().type, "flow");
  EXPECT_EQ(Of(first.front(), "verdict"), "allowed");
  EXPECT_EQ(Of(first.front(), "received"), 6);
  EXPECT_EQ(Of(first.back(), "verdict"), "denied");
  EXPECT_EQ(first.back().id, std::to_string(Of(first.back(), "number").to_number<uint64_t>()));

  Reach(path, "meanwhile.example", "80");
  const std::string again = path + "/flows/events?after=" + first.back().id;
  const auto rest = FollowUntil(server_.url(), again, has("meanwhile.example"));
  ASSERT_FALSE(rest.empty());
  for (const SseEvent& event : rest) {
    EXPECT_EQ(event.type, "flow") << "nothing was dropped";
    EXPECT_EQ(Of(event, "name"), "meanwhile.example");
  }
}

TEST_F(LiveNetwork, WhatIsNoLongerKeptIsAGapAndTheStreamEndsWithTheSandbox) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  const std::string none = "/api/sandboxes/" + server_.Create();
  std::vector<SseEvent> events;
  std::vector<SseEvent> of_none;
  const auto never = [](const std::string& /*text*/) { return false; };
  std::thread follower(
      [&] { events = FollowUntil(server_.url(), path + "/flows/events?after=1", never); });
  std::thread other([&] { of_none = FollowUntil(server_.url(), none + "/flows/events", never); });
  Reach(path, "hello.example", "80");
  ASSERT_TRUE(Eventually(
      [&] { return server_.Call("GET", path + "/flows").body.contains("hello.example"); }));
  EXPECT_EQ(server_.Call("DELETE", path).status, 204);
  EXPECT_EQ(server_.Call("DELETE", none).status, 204);
  follower.join();
  other.join();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events.at(0).type, "gap");
  EXPECT_EQ(Of(events.at(0), "from"), 2);
  EXPECT_EQ(events.at(1).type, "flow");
  EXPECT_EQ(Of(events.at(1), "number").to_number<uint64_t>(),
            Of(events.at(0), "to").to_number<uint64_t>() + 1);
  EXPECT_EQ(events.back().type, "end");
  EXPECT_EQ(Of(events.back(), "reason"), "destroyed");
  ASSERT_EQ(of_none.size(), 1U);
  EXPECT_EQ(of_none.back().type, "end");
  EXPECT_EQ(server_.Call("GET", path + "/flows/events").status, 404);
}

TEST_F(LiveNetwork, AChangeHoldsAtOnce) {
  const std::string path = "/api/sandboxes/" + server_.Create();
  ASSERT_EQ(server_.Call("PATCH", path, Allowed()).status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
  ASSERT_EQ(server_.Call("PATCH", path, R"({"network":"none"})").status, 200);
  EXPECT_THAT(Reached(path), IsEmpty());
  EXPECT_EQ(State(path), "none");
  ASSERT_EQ(server_.Call("PATCH", path, Allowed()).status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
}

TEST_F(LiveNetwork, WhatTheAdministratorDoesNotPermitIsRefused) {
  EXPECT_EQ(server_.Call("POST", "/api/sandboxes", R"({"network":"open"})").status, 403);
  EXPECT_EQ(
      server_.Call("POST", "/api/sandboxes", R"({"network":{"allow":["10.0.0.1:80"]}})").status,
      403);
  EXPECT_EQ(server_.Call("POST", "/api/sandboxes", R"({"network":{"allow":["*"]}})").status, 422);
  EXPECT_EQ(Relay(), -1);
}

TEST_F(LiveNetwork, StoppedItIsClosedAndStartedItIsOpen) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  ASSERT_EQ(server_.Call("POST", path + "/pause").status, 200);
  EXPECT_EQ(State(path), "open");
  ASSERT_EQ(server_.Call("POST", path + "/resume").status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
  ASSERT_EQ(server_.Call("POST", path + "/stop").status, 200);
  EXPECT_EQ(State(path), "closed");
  ASSERT_EQ(server_.Call("POST", path + "/start").status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
  ASSERT_EQ(server_.Call("POST", path + "/reset").status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
}

TEST_F(LiveNetwork, ARelayThatIsKilledIsReplaced) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  const std::string other = "/api/sandboxes/" + server_.Create(Allowed());
  const pid_t before = Relay();
  ASSERT_GT(before, 0);
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] {
    const pid_t now = Relay();
    return now > 0 && now != before && State(path) == "open" && State(other) == "open";
  }));
  EXPECT_EQ(Reached(path), "hello\n");
  EXPECT_EQ(Reached(other), "hello\n");
  EXPECT_THAT(server_.Call("GET", "/metrics").body,
              HasSubstr("cay_network_relay_restarts_total 1"));
}

TEST_F(LiveNetwork, APausedOneWhoseRelayIsKilledHasItsNetworkWhenItIsResumed) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  ASSERT_EQ(server_.Call("POST", path + "/pause").status, 200);
  ASSERT_EQ(::kill(Relay(), SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return State(path) == "unavailable"; }));
  ASSERT_EQ(server_.Call("POST", path + "/resume").status, 200);
  EXPECT_EQ(Reached(path), "hello\n");
  EXPECT_EQ(State(path), "open");
}

TEST_F(LiveNetwork, TheNextServerServesWhatRuns) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  const std::string none = "/api/sandboxes/" + server_.Create();
  server_.Restart();
  EXPECT_EQ(Reached(path), "hello\n");
  EXPECT_THAT(Reached(none), IsEmpty());
  EXPECT_EQ(State(path), "open");
}

// With the launcher too: what runs is taken over, and nothing is let through meanwhile.
TEST_F(LiveNetwork, AfterACrashTheNextServerServesWhatRuns) {
  const std::string path = "/api/sandboxes/" + server_.Create(Allowed());
  server_.program().KillWithChildren();
  server_.Restart();
  EXPECT_EQ(Reached(path), "hello\n");
}

// What cay.toml says for a template, and for all.
class LiveTemplateNetwork : public ::testing::Test {
 protected:
  LiveTemplateNetwork()
      : server_({"--set", "network.private_allowed=host.cay.internal", "--set",
                 "network.max_mode=allow", "--set", "network.max_connections=5", "--set",
                 "templates.networks=host.network.allow=" + greeter_.where(), "--set",
                 "templates.networks=host.network.limits.idle=5m"}) {}
  Reply Network(const std::string& id) {
    return server_.Call("GET", "/api/sandboxes/" + id + "/network");
  }
  std::string Reached(const std::string& id) {
    return server_
        .Call("POST", "/api/sandboxes/" + id + "/execute",
              R"({"command":["bash","-c","cat < /dev/tcp/host.cay.internal/)" + greeter_.port() +
                  R"("],"timeout":20})")
        .Text("stdout");
  }

  Greeter greeter_;
  LiveServer server_;
};

TEST_F(LiveTemplateNetwork, ASandboxThatAsksForNoneHasTheTemplates) {
  const std::string id = server_.Create();
  EXPECT_EQ(Network(id).Text("mode"), "allow");
  EXPECT_EQ(Reached(id), "hello\n");
  const json::value limits = Network(id).json().at("limits");
  EXPECT_EQ(limits.at("idle"), 300);
  EXPECT_EQ(limits.at("connections"), 5) << "the maximum";
}

TEST_F(LiveTemplateNetwork, ASandboxThatAsksHasWhatItAskedForWithinTheMaxima) {
  const std::string none = server_.Create(R"({"network":"none"})");
  EXPECT_EQ(Network(none).Text("mode"), "none");
  EXPECT_THAT(Reached(none), IsEmpty());
  const std::string other = server_.Create(R"({"network":{"presets":["pypi"]}})");
  EXPECT_THAT(Network(other).json().at("allow").as_array(), IsEmpty());
  EXPECT_EQ(Network(other).json().at("limits").at("idle"), 3600) << "none of the template's";
  const Reply open = server_.Call("POST", "/api/sandboxes", R"({"network":"open"})");
  EXPECT_EQ(open.status, 403);
  const Reply many =
      server_.Call("POST", "/api/sandboxes", R"({"network":{"limits":{"connections":6}}})");
  EXPECT_EQ(many.status, 422);
  EXPECT_THAT(many.body, HasSubstr("network.max_connections"));
  EXPECT_EQ(
      server_
          .Call("PATCH", "/api/sandboxes/" + other, R"({"network":{"limits":{"connections":6}}})")
          .status,
      422);
  EXPECT_EQ(server_.Call("PATCH", "/api/sandboxes/" + other, R"({"network":"none"})").status, 200);
  EXPECT_EQ(Network(other).Text("mode"), "none");
}

}  // namespace
}  // namespace cay::testing
