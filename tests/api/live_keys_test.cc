// Keys of a running server: what goes on under one ends with it.
#include <gmock/gmock.h>

#include "http/server/test_server.h"
#include "live_server.h"

namespace cay::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Two pieces, of which the second never comes.
constexpr const char* kSlowServer = R"(
import socket, threading
def serve(c):
    c.recv(65536)
    c.sendall(b'HTTP/1.1 200 OK\r\n\r\nfirst')
    threading.Event().wait()
s = socket.socket()
s.bind(('127.0.0.1', 3000))
s.listen(16)
print('listening', flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
)";

std::string IdOf(const std::string& key) { return key.substr(4, key.find('_', 4) - 4); }

// A response that is being read in a thread of its own.
class Stream {
 public:
  Stream(const http::Url& url, const std::string& target, const std::string& key) {
    client_ = http::Client::Open(url).value();
    http::ClientRequest request{.target = target};
    if (!key.empty()) request.headers.Set("X-API-Key", key);
    response_ = client_->Send(std::move(request)).value();
    EXPECT_EQ(response_->status(), 200) << target;
  }
  // All of it, also of what was cut.
  std::string ReadToEnd() {
    std::string body;
    std::string space(65536, '\0');
    for (;;) {
      const auto got = response_->Read(space);
      if (!got || *got == 0) return body;
      body.append(space, 0, *got);
    }
  }

 private:
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::ClientResponse> response_;
};

void ExpectDenied(const std::string& body) {
  const auto events = ParseSse(body);
  ASSERT_FALSE(events.empty()) << body;
  EXPECT_EQ(events.back().type, "error") << body;
  EXPECT_THAT(events.back().data, HasSubstr("\"permission_denied\""));
}

class LiveKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    server_.emplace();
  }
  void Revoke(const std::string& key) {
    EXPECT_EQ(server_->Call("DELETE", "/api/keys/" + IdOf(key)).status, 204);
  }
  Stream Open(const std::string& target, const std::string& key) {
    return {server_->url(), target, key};
  }

  std::optional<LiveServer> server_;
};

TEST_F(LiveKeys, WhatStreamsUnderAKeyEndsWhenItIsRevoked) {
  const std::string admin = server_->MakeKey("admin");
  const std::string guest = server_->MakeKey("admin");
  server_->set_key(admin);
  const std::string id = server_->Create();
  const std::string path = "/api/sandboxes/" + id;
  server_->StartPython(id, kSlowServer);
  const Reply process =
      server_->Call("POST", path + "/processes", R"({"command":["sleep","600"]})");
  const std::string one = path + "/processes/" + std::to_string(process.Number("process_id"));
  std::vector<Stream> streams;
  for (const std::string& target :
       {std::string("/api/events"), path + "/events", one + "/output", path + "/files/watch"}) {
    streams.push_back(Open(target, guest));
  }
  Stream port = Open(path + "/ports/3000/", guest);
  Stream own = Open(path + "/events", admin);
  const auto client = http::Client::Open(server_->url()).value();
  const auto terminal =
      client->OpenWebSocket(path + "/terminal?command=sleep%20600", {{"X-API-Key", guest}});
  ASSERT_TRUE(terminal) << terminal.error().ToString();
  Revoke(guest);
  for (Stream& stream : streams) ExpectDenied(stream.ReadToEnd());
  EXPECT_EQ(port.ReadToEnd(), "first");
  auto message = (*terminal)->Read();
  while (message && *message) message = (*terminal)->Read();
  // What another key streams, and what runs, go on.
  EXPECT_EQ(server_->Call("GET", one).Text("state"), "running");
  EXPECT_EQ(server_->Call("DELETE", path).status, 204);
  EXPECT_EQ(ParseSse(own.ReadToEnd()).back().type, "end");
}

TEST_F(LiveKeys, ARequestWhoseBodyComesAfterItsKeyWasRevokedIsRefused) {
  const std::string admin = server_->MakeKey("admin");
  const std::string guest = server_->MakeKey("admin");
  server_->set_key(admin);
  const std::string path = "/api/sandboxes/" + server_->Create();
  http::RawClient slow(server_->url().port);
  ASSERT_TRUE(slow.Send("DELETE " + path + " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + guest +
                        "\r\nContent-Length: 2\r\n\r\n{"));
  // Its head has been looked at, and long enough ago to be asked again.
  EXPECT_EQ(server_->Call("POST", path + "/execute", R"({"command":"sleep 1"})").status, 200);
  Revoke(guest);
  EXPECT_THAT(slow.Ask("}"),
              AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("\"permission_denied\"")));
  EXPECT_EQ(server_->Call("GET", path).status, 200);
}

TEST_F(LiveKeys, TheLastKeyOfAnAdministratorIsNotRevokedHere) {
  const std::string first = server_->MakeKey("admin");
  const std::string second = server_->MakeKey("admin");
  server_->set_key(first);
  Revoke(second);
  const Reply refused = server_->Call("DELETE", "/api/keys/" + IdOf(first));
  EXPECT_EQ(refused.status, 409) << refused.body;
  EXPECT_EQ(refused.Text("code"), "illegal_state");
  EXPECT_THAT(refused.Text("remedy"), HasSubstr("cay keys revoke --local"));
  EXPECT_EQ(server_->Call("GET", "/api/keys").status, 200);
}

TEST_F(LiveKeys, AWaitUnderAKeyEndsWhenItExpires) {
  server_->set_key(server_->MakeKey("admin"));
  const std::string path = "/api/sandboxes/" + server_->Create();
  const Reply process =
      server_->Call("POST", path + "/processes", R"({"command":["sleep","600"]})");
  const std::string wait =
      path + "/processes/" + std::to_string(process.Number("process_id")) + "/wait?timeout=10m";
  // Scope admin: it is not the one that made the sandbox.
  const std::string brief = server_->MakeKey("admin", {"--expires-in", "10s"});
  const Reply reply = server_->Call("GET", wait, "", {{"X-API-Key", brief}});
  EXPECT_EQ(reply.status, 403) << reply.body;
  EXPECT_EQ(reply.Text("code"), "permission_denied");
}

TEST_F(LiveKeys, WhatStreamsUnderAKeyEndsWhenItExpires) {
  server_->set_key(server_->MakeKey("admin"));
  const std::string brief = server_->MakeKey("read", {"--expires-in", "10s"});
  ExpectDenied(Open("/api/events", brief).ReadToEnd());
}

TEST_F(LiveKeys, WhatStreamsWithoutAKeyEndsWithTheFirstOne) {
  Stream events = Open("/api/events", "");
  server_->set_key(server_->MakeKey("admin"));
  ExpectDenied(events.ReadToEnd());
}

}  // namespace
}  // namespace cay::testing
