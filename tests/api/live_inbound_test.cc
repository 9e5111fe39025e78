// Connections into sandboxes under a running server: from the peers of a network, and to published
// ports. Who is none reaches nothing, whatever ends meanwhile.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <thread>

#include "base/os/fd.h"
#include "live_server.h"

namespace cay::testing {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Says who it is to whoever connects, on loopback alone, and answers what it is told.
std::string Greeter(const std::string& text, uint16_t port = 5432) {
  return R"(
import socket, threading
server = socket.create_server(("127.0.0.1", )" +
         std::to_string(port) + R"())
print("listening", flush=True)
def serve(client):
    client.sendall(b")" +
         text + R"(\n")
    while data := client.recv(65536):
        client.sendall(data)
    client.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
)";
}

class LiveInbound : public ::testing::Test {
 protected:
  explicit LiveInbound(std::vector<std::string> arguments = {}) : server_(std::move(arguments)) {}

  static std::string Path(const std::string& id) { return "/api/sandboxes/" + id; }
  // What a program inside gets that connects there, sends and ends its half.
  std::string Reach(const std::string& id, const std::string& host, const std::string& port) {
    const std::string program =
        "import socket,sys\ntry:\n s=socket.create_connection(('" + host + "'," + port +
        "),10)\n s.sendall(b'ping')\n s.shutdown(socket.SHUT_WR)\n out=b''\n while d:=s.recv(99): "
        "out+=d\n print(out.decode())\nexcept OSError as e: print('error', e)";
    json::object request{{"command", json::array{"python3", "-c", program}}, {"timeout", 20}};
    return server_.Call("POST", Path(id) + "/execute", json::serialize(request)).Text("stdout");
  }
  std::string Database(const std::string& network = R"({"join":["app"],"aliases":["postgres"]})") {
    const std::string id = server_.Create(R"({"name":"db","network":)" + network + "}");
    server_.StartPython(id, Greeter("database"));
    return id;
  }
  std::string Member(const std::string& name) {
    return server_.Create(R"({"name":")" + name + R"(","network":{"join":["app"]}})");
  }
  json::array Published(const std::string& id) {
    return server_.Call("GET", Path(id) + "/network").json().at("publish").as_array();
  }
  uint16_t HostPort(const std::string& id) {
    const json::array ports = Published(id);
    return ports.empty() ? 0 : static_cast<uint16_t>(ports.at(0).at("host_port").as_int64());
  }
  // What somebody on this machine gets; "(reset)", "(refused)".
  static std::string Knock(uint16_t port, const std::string& sends = "ping") {
    const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      return errno == ECONNRESET ? "(reset)" : "(refused)";  // the reset may come that early
    // A reset is told once, by whichever call comes first.
    if (::send(socket.get(), sends.data(), sends.size(), MSG_NOSIGNAL) < 0) return "(reset)";
    if (::shutdown(socket.get(), SHUT_WR) < 0) return "(reset)";
    std::string all;
    std::array<char, 4096> space;
    for (;;) {
      const ssize_t got = ::recv(socket.get(), space.data(), space.size(), 0);
      if (got == 0) return all;
      if (got < 0) return all + (errno == ECONNRESET ? "(reset)" : "(nothing)");
      all.append(space.data(), static_cast<size_t>(got));
    }
  }
  // A process that was killed holds its sockets for a moment.
  static bool IsRefusedSoon(uint16_t port) {
    for (int i = 0; i < 500; ++i) {
      if (Knock(port) == "(refused)") return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  LiveServer server_;
};

TEST_F(LiveInbound, APeerIsReachedByNameAndAlias) {
  const std::string db = Database();
  const std::string web = Member("web");
  EXPECT_EQ(Reach(web, "db", "5432"), "database\nping\n");
  EXPECT_EQ(Reach(web, "postgres", "5432"), "database\nping\n");
  EXPECT_EQ(Reach(web, "DB", "5432"), "database\nping\n");
  EXPECT_THAT(Reach(web, "db", "5433"), HasSubstr("error")) << "nothing listens there";
  EXPECT_THAT(Reach(web, "example.com", "443"), HasSubstr("error")) << "and nothing else is there";
  const Reply flows = server_.Call("GET", Path(web) + "/flows");
  EXPECT_THAT(flows.body, HasSubstr(R"("rule":"peer )" + db));
  EXPECT_THAT(flows.body, HasSubstr("nothing listens on port 5433"));
  const Reply network = server_.Call("GET", Path(web) + "/network");
  EXPECT_THAT(network.body, HasSubstr(R"({"name":"postgres","sandbox":")" + db));
  EXPECT_EQ(network.Text("mode"), "none");
  EXPECT_EQ(network.Text("state"), "open");
}

TEST_F(LiveInbound, ACheckKnowsPeers) {
  const std::string db = Database();
  const std::string web = Member("web");
  for (const char* name : {"db", "DB", "postgres", "db."}) {
    const Reply check =
        server_.Call("GET", Path(web) + "/network/check?port=5432&host=" + std::string(name));
    EXPECT_EQ(check.json().at("allowed"), true) << name;
    EXPECT_EQ(check.Text("reason"), "peer, by network app") << name;
    EXPECT_EQ(check.Text("rule"), "peer " + db) << name;
  }
  const Reply own = server_.Call("GET", Path(web) + "/network/check?port=5432&host=web");
  EXPECT_EQ(own.json().at("allowed"), false) << "it is no peer of itself";
}

TEST_F(LiveInbound, NobodyElseReachesIt) {
  (void)Database();
  const std::string apart = server_.Create(R"({"network":{"join":["other"]}})");
  const std::string open = server_.Create(R"({"network":"open"})");
  const std::string none = server_.Create();
  for (const std::string& id : {apart, open, none})
    EXPECT_THAT(Reach(id, "db", "5432"), HasSubstr("error"));
}

TEST_F(LiveInbound, AnotherOwnersNetworkOfThatNameIsAnother) {
  server_.set_key(server_.MakeKey("admin", {"--owner", "one"}));
  Database();
  server_.set_key(server_.MakeKey("admin", {"--owner", "two"}));
  const std::string web = Member("web");
  EXPECT_THAT(Reach(web, "db", "5432"), HasSubstr("error"));
  EXPECT_THAT(server_.Call("GET", Path(web) + "/network").json().at("peers").as_array(), IsEmpty());
  server_.Call("DELETE", Path(web));
}

TEST_F(LiveInbound, PeersAreWhoTheyAreNow) {
  const std::string db = Database();
  const std::string web = Member("web");
  ASSERT_EQ(server_.Call("PATCH", Path(db), R"({"name":"store"})").status, 200);
  EXPECT_THAT(Reach(web, "db", "5432"), HasSubstr("error"));
  EXPECT_EQ(Reach(web, "store", "5432"), "database\nping\n");
  ASSERT_EQ(server_.Call("POST", Path(db) + "/stop").status, 200);
  EXPECT_THAT(Reach(web, "store", "5432"), HasSubstr("error"));
  ASSERT_EQ(server_.Call("POST", Path(db) + "/start").status, 200);
  server_.StartPython(db, Greeter("again"));
  EXPECT_EQ(Reach(web, "store", "5432"), "again\nping\n");
  ASSERT_EQ(server_.Call("PATCH", Path(db), R"({"network":"none"})").status, 200);
  EXPECT_THAT(Reach(web, "store", "5432"), HasSubstr("error"));
  ASSERT_EQ(server_.Call("PATCH", Path(db), R"({"network":{"join":["app"]}})").status, 200);
  EXPECT_EQ(Reach(web, "store", "5432"), "again\nping\n");
  ASSERT_EQ(server_.Call("DELETE", Path(db)).status, 204);
  EXPECT_THAT(Reach(web, "store", "5432"), HasSubstr("error"));
}

TEST_F(LiveInbound, PeersOutliveTheServer) {
  (void)Database();
  const std::string web = Member("web");
  server_.program().KillWithChildren();
  server_.Restart();
  EXPECT_EQ(Reach(web, "db", "5432"), "database\nping\n");
}

TEST_F(LiveInbound, APublishedPortLeadsInside) {
  const std::string db = Database(R"({"publish":["0:5432"]})");
  const uint16_t port = HostPort(db);
  ASSERT_GE(port, 1024);
  EXPECT_EQ(Knock(port), "database\nping");
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(Knock(port, large).size(), large.size() + 9);
  ASSERT_EQ(server_.Call("POST", Path(db) + "/stop").status, 200);
  EXPECT_EQ(Knock(port), "(reset)");
  ASSERT_EQ(server_.Call("POST", Path(db) + "/start").status, 200);
  EXPECT_EQ(Knock(port), "(reset)") << "nothing listens inside";
  server_.StartPython(db, Greeter("again"));
  EXPECT_EQ(Knock(port), "again\nping");
  ASSERT_EQ(server_.Call("PATCH", Path(db), R"({"network":"none"})").status, 200);
  EXPECT_EQ(Knock(port), "(refused)");
}

// Its network is "none": what comes from outside is told nevertheless.
TEST_F(LiveInbound, WhoConnectedToAPublishedPortIsAFlowAndCounted) {
  const std::string db =
      server_.Create(R"({"network":{"publish":["0:5432"],"limits":{"connections":1}}})");
  const uint16_t port = HostPort(db);
  EXPECT_EQ(Knock(port), "(reset)") << "nothing listens inside";
  server_.StartPython(db, Greeter("database"));
  const Fd first = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(first.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::array<char, 9> greeting;
  ASSERT_EQ(::recv(first.get(), greeting.data(), greeting.size(), MSG_WAITALL), 9);
  EXPECT_EQ(Knock(port), "(reset)") << "one at a time";
  const auto counts = [&] {
    return server_.Call("GET", Path(db) + "/network").json().at("counts").as_object();
  };
  EXPECT_EQ(counts().at("open"), 1);
  EXPECT_EQ(counts().at("sent"), 9);
  ASSERT_EQ(::shutdown(first.get(), SHUT_WR), 0);
  EXPECT_TRUE(Eventually([&] { return counts().at("open") == 0; }));

  const Reply told = server_.Call("GET", Path(db) + "/flows");
  const json::array& flows = told.json().at("flows").as_array();
  ASSERT_EQ(flows.size(), 3U) << told.body;
  for (const json::value& flow : flows) {
    EXPECT_EQ(flow.at("direction"), "inbound");
    EXPECT_EQ(flow.at("address"), "127.0.0.1");
    EXPECT_EQ(flow.at("port"), 5432);
    EXPECT_EQ(std::string(flow.at("rule").as_string()),
              "127.0.0.1:" + std::to_string(port) + ":5432");
  }
  EXPECT_EQ(flows.at(0).at("verdict"), "failed");
  EXPECT_THAT(std::string(flows.at(0).at("reason").as_string()),
              HasSubstr("nothing listens on port 5432"));
  EXPECT_EQ(flows.at(1).at("verdict"), "denied");
  EXPECT_THAT(std::string(flows.at(1).at("reason").as_string()), HasSubstr("limit of 1"));
  EXPECT_EQ(flows.at(2).at("verdict"), "allowed");
  EXPECT_EQ(flows.at(2).at("sent"), 9);
  EXPECT_EQ(flows.at(2).at("received"), 0);
  EXPECT_EQ(counts().at("connections"), 3);
  EXPECT_EQ(counts().at("inbound"), 3);
  EXPECT_EQ(counts().at("denied"), 1);
  EXPECT_EQ(counts().at("failed"), 1);
  EXPECT_THAT(server_.Call("GET", Path(db) + "/events?wait=false").body,
              ::testing::Not(HasSubstr("network_denied")))
      << "it is not the sandbox that was denied something";
}

TEST_F(LiveInbound, InboundFlowsAreBesideThoseOfItsOwnNetwork) {
  const std::string db = Database(R"({"publish":["0:5432"]})");
  EXPECT_EQ(Knock(HostPort(db)), "database\nping");
  const auto inbound = [&] {
    const Reply network = server_.Call("GET", Path(db) + "/network");
    return network.json().at("counts").at("inbound").as_int64();
  };
  EXPECT_EQ(inbound(), 1);
  ASSERT_EQ(server_
                .Call("PATCH", Path(db),
                      R"({"network":{"allow":["nowhere.example"],"publish":[")" +
                          std::to_string(HostPort(db)) + R"(:5432"]}})")
                .status,
            200);
  Reach(db, "never.example", "80");
  EXPECT_EQ(Knock(HostPort(db)), "database\nping");
  EXPECT_TRUE(Eventually([&] {
    const std::string body = server_.Call("GET", Path(db) + "/flows").body;
    return body.contains("outbound") && body.contains("inbound");
  }));
  EXPECT_EQ(inbound(), 2);
}

TEST_F(LiveInbound, APublishedPortIsTheSameAfterACrash) {
  const std::string db = Database(R"({"publish":["0:5432"]})");
  const uint16_t port = HostPort(db);
  server_.program().KillWithChildren();
  EXPECT_TRUE(IsRefusedSoon(port));
  server_.Restart();
  EXPECT_EQ(HostPort(db), port);
  EXPECT_EQ(Knock(port), "database\nping");
  ASSERT_EQ(server_.Call("DELETE", Path(db)).status, 204);
  EXPECT_EQ(Knock(port), "(refused)");
}

// Another program has it when the server comes back, and gives it back.
TEST_F(LiveInbound, APortThatIsTakenMeanwhileIsToldAndTriedAgain) {
  const std::string db = Database(R"({"publish":["0:5432"]})");
  const uint16_t port = HostPort(db);
  std::optional<Fd> thief;
  server_.Restart([&] {
    thief.emplace(Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    const int on = 1;
    ::setsockopt(thief->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(thief->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(thief->get(), 1), 0);
  });
  const json::array ports = Published(db);
  ASSERT_EQ(ports.size(), 1U);
  EXPECT_EQ(ports.at(0).at("listening"), false);
  EXPECT_THAT(std::string(ports.at(0).at("reason").as_string()), HasSubstr("another program"));
  EXPECT_THAT(server_.Call("GET", Path(db) + "/events?wait=false").body,
              HasSubstr("sandbox.publish_failed"));
  thief.reset();
  EXPECT_TRUE(Eventually([&] { return Knock(port) == "database\nping"; }));
}

TEST_F(LiveInbound, WhoHasAPortIsTold) {
  const std::string db = Database(R"({"publish":["0:5432"]})");
  const std::string port = std::to_string(HostPort(db));
  const std::string same = R"({"network":{"publish":[")" + port + R"(:80"]}})";
  const Reply taken = server_.Call("POST", "/api/sandboxes", same);
  EXPECT_EQ(taken.status, 409);
  EXPECT_THAT(taken.Text("detail"), HasSubstr("the sandbox db (" + db + ")"));
  const std::string other = server_.Create();
  EXPECT_EQ(server_.Call("PATCH", Path(other), same).status, 409);
  EXPECT_THAT(Published(other), IsEmpty());
  // Its own is no conflict.
  EXPECT_EQ(
      server_.Call("PATCH", Path(db), R"({"network":{"publish":[")" + port + R"(:81"]}})").status,
      200);
  EXPECT_EQ(std::to_string(HostPort(db)), port);
  EXPECT_EQ(Published(db).at(0).at("port"), 81);
}

TEST_F(LiveInbound, OnlyLoopbackUnlessTheAdministratorSaysSo) {
  const auto status = [&](const std::string& rule) {
    return server_.Call("POST", "/api/sandboxes", R"({"network":{"publish":[")" + rule + R"("]}})")
        .status;
  };
  EXPECT_EQ(status("0.0.0.0:0:80"), 403);
  EXPECT_EQ(status("[::]:0:80"), 403);
  EXPECT_EQ(status("80:80"), 422);
  EXPECT_EQ(status("http"), 422);
  EXPECT_EQ(server_.Call("POST", "/api/sandboxes", R"({"network":{"join":["-"]}})").status, 422);
}

class LiveInboundAnywhere : public LiveInbound {
 protected:
  LiveInboundAnywhere() : LiveInbound({"--set", "network.publish_addresses=0.0.0.0"}) {}
};

TEST_F(LiveInboundAnywhere, WhereTheAdministratorListsAnAddressItIsListenedOn) {
  const std::string db = Database(R"({"publish":["0.0.0.0:0:5432"]})");
  EXPECT_EQ(Knock(HostPort(db)), "database\nping");
  EXPECT_EQ(
      server_.Call("POST", "/api/sandboxes", R"({"network":{"publish":["[::]:0:80"]}})").status,
      403);
}

}  // namespace
}  // namespace cay::testing
