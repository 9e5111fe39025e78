// Ports of sandboxes as a browser and as programs reach them: by path, by host name, through `cay
// port`.
#include <gmock/gmock.h>

#include <csignal>

#include "live_server.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A hostile application: every answer has the fields that act on an origin, and says what it was
// sent. An upgrade becomes a WebSocket that answers each message with the same.
constexpr const char* kApplication = R"(
import base64, hashlib, socket, threading
def exactly(c, n):
    b = b''
    while len(b) < n:
        p = c.recv(n - len(b))
        if not p: raise EOFError
        b += p
    return b
def echo(c):
    while True:
        first, second = exactly(c, 2)
        n = second & 127
        if n == 126: n = int.from_bytes(exactly(c, 2), 'big')
        mask = exactly(c, 4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(exactly(c, n)))
        size = bytes([n]) if n < 126 else bytes([126]) + n.to_bytes(2, 'big')
        c.sendall(bytes([first]) + size + data)
        if first & 15 == 8: return
HOSTILE = ('Set-Cookie: app=1; Path=/\r\nService-Worker-Allowed: /\r\nAccess-Control-Allow-Origin: *\r\n'
           'Access-Control-Allow-Credentials: true\r\nClear-Site-Data: "*"\r\nX-App: yes\r\n').encode()
def serve(c):
    head = b''
    while b'\r\n\r\n' not in head:
        piece = c.recv(65536)
        if not piece: return
        head += piece
    fields = dict(l.split(': ', 1) for l in head.decode().split('\r\n')[1:] if ': ' in l)
    if fields.get('Upgrade') == 'websocket':
        key = fields['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        c.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' + HOSTILE +
                  b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n')
        echo(c)
    else:
        c.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n' + HOSTILE +
                  b'Content-Length: %d\r\nConnection: close\r\n\r\n' % len(head) + head)
    c.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 3000))
s.listen(16)
print('listening', flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
)";

constexpr const char* kPolicy =
    "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads";

class LivePort : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    server_.emplace();
    id_ = server_->Create();
    ASSERT_FALSE(id_.empty());
    server_->StartPython(id_, kApplication);
    path_ = "/api/sandboxes/" + id_ + "/ports/3000";
    host_ = "3000-" + id_ + ".localhost";
  }

  Reply Call(const std::string& target, const http::Headers& headers = {}) {
    return server_->Call("GET", target, "", headers);
  }

  // Says a small and a large message, and expects them back.
  static void ExpectEcho(const http::Url& url, const std::string& target,
                         const http::Headers& headers) {
    auto client = http::Client::Open(url);
    ASSERT_TRUE(client) << client.error().ToString();
    auto socket = (*client)->OpenWebSocket(target, headers);
    ASSERT_TRUE(socket) << socket.error().ToString();
    for (const std::string& text : {std::string("hello"), std::string(20'000, 'x')}) {
      ASSERT_TRUE((*socket)->Send(http::WebSocket::Kind::kText, text));
      const auto back = (*socket)->Read();
      ASSERT_TRUE(back && *back);
      EXPECT_EQ((*back)->bytes, text);
    }
    (*socket)->Close(1000, "");
  }

  std::optional<LiveServer> server_;
  std::string id_;
  std::string path_;
  std::string host_;
};

void ExpectOwnOrigin(const Reply& reply) {
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("Set-Cookie"), "app=1; Path=/");
  EXPECT_EQ(reply.Header("Service-Worker-Allowed"), "/");
  EXPECT_EQ(reply.Header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(reply.Header("Content-Security-Policy"), "");
}

TEST_F(LivePort, ByPathAPageHasNothingOfTheOriginOfTheApi) {
  for (const char* rest : {"", "/", "/deep/page.html?q=1"}) {
    const Reply reply = Call(path_ + rest, {{"Cookie", "session=1"}, {"X-Mine", "kept"}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.Header("Content-Security-Policy"), kPolicy);
    EXPECT_EQ(reply.Header("X-App"), "yes");
    for (const char* name : {"Set-Cookie", "Service-Worker-Allowed", "Access-Control-Allow-Origin",
                             "Access-Control-Allow-Credentials", "Clear-Site-Data"}) {
      EXPECT_EQ(reply.Header(name), "") << name;
    }
    EXPECT_THAT(reply.body, HasSubstr("X-Mine: kept"));
    EXPECT_THAT(reply.body, Not(HasSubstr("session=1")));
  }
}

TEST_F(LivePort, ByPathThereIsNoServiceWorker) {
  const Reply reply = Call(path_ + "/sw.js", {{"Service-Worker", "script"}});
  EXPECT_EQ(reply.status, 403) << reply.body;
  EXPECT_EQ(reply.Text("code"), "permission_denied");
  EXPECT_EQ(Call(path_ + "/sw.js").status, 200);
}

TEST_F(LivePort, AConfinedPageCannotReachTheApi) {
  // What its browser sends: a document of no origin is "null".
  EXPECT_EQ(Call("/api/sandboxes", {{"Origin", "null"}}).status, 403);
  EXPECT_EQ(Call("/api/sandboxes", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
}

TEST_F(LivePort, ByHostNameAPortIsAnOriginOfItsOwn) {
  const Reply reply = Call("/page?q=1", {{"Host", host_}, {"Cookie", "app=1"}});
  ExpectOwnOrigin(reply);
  EXPECT_THAT(reply.body, HasSubstr("GET /page?q=1 HTTP/1.1\r\n"));
  EXPECT_THAT(reply.body, HasSubstr("app=1"));
  EXPECT_THAT(reply.body, HasSubstr("Host: " + host_));
  ExpectOwnOrigin(Call("/sw.js", {{"Host", host_ + ":8888"}, {"Service-Worker", "script"}}));
  // The application's own paths, not the API's.
  EXPECT_THAT(Call("/api/sandboxes", {{"Host", host_}}).body, HasSubstr("GET /api/sandboxes "));
  EXPECT_EQ(Call("/", {{"Host", "3001-" + id_ + ".localhost"}}).status, 502);
  EXPECT_EQ(Call("/", {{"Host", "3000-aaaaaaaaaaaaaaaaaaaa.localhost"}}).status, 502);
  EXPECT_EQ(Call("/", {{"Host", "3000-" + id_ + ".example.com"}}).status, 421);
}

TEST_F(LivePort, AWebSocketGoesThroughByPathAndByName) {
  ExpectEcho(server_->url(), path_ + "/socket", {});
  ExpectEcho(server_->url(), "/socket", {{"Host", host_}});
}

TEST_F(LivePort, CayPortIsAnOriginOfItsOwn) {
  const auto forward = server_->Cay({"port", id_, "3000", "0"});
  const auto url = http::Url::Parse("http://" + forward->WaitForWordAfter("http://"));
  ASSERT_TRUE(url) << url.error().ToString();
  const Reply reply = CallAt(*url, {.target = "/page", .headers = {{"Cookie", "app=1"}}});
  ExpectOwnOrigin(reply);
  EXPECT_THAT(reply.body, HasSubstr("app=1"));
  EXPECT_THAT(reply.body, Not(HasSubstr("X-Cay-Own-Origin")));
  ExpectOwnOrigin(CallAt(*url, {.target = "/sw.js", .headers = {{"Service-Worker", "script"}}}));
  ExpectEcho(*url, "/socket", {});
  forward->Signal(SIGTERM);
  EXPECT_EQ(forward->Wait(), 0) << forward->said();
}

}  // namespace
}  // namespace cay::testing
