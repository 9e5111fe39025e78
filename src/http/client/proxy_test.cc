#include "http/client/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "http/client/client.h"
#include "http/server/test_server.h"

namespace cay::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// The upstream's end of the socket, in the hands of the test.
class Upstream {
 public:
  explicit Upstream(Fd fd) : fd_(std::move(fd)) {}

  std::string ReadUntil(std::string_view end) {
    std::string text;
    char byte = 0;
    while (!text.ends_with(end) && ::recv(fd_.get(), &byte, 1, 0) == 1) text += byte;
    return text;
  }
  void Send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void CloseWrite() { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  Fd fd_;
};

using Script = std::function<void(Upstream)>;

// A server that hands every request to an upstream, which does what the test says.
class ProxyTest : public testing::Test {
 protected:
  void Serve(Script script) {
    server_ = StartServer([this, script = std::move(script)](Exchange& exchange) {
      auto pair = MakeSocketPair(SOCK_STREAM);
      ASSERT_TRUE(pair);
      std::thread upstream(script, Upstream(std::move(pair->second)));
      const auto done = Proxy(exchange, std::move(pair->first),
                              {.target = "/inside?q",
                               .host = "localhost:80",
                               .prefix = "/ports/80",
                               .drop = {"Authorization"}});
      error_ = done ? "" : done.error().message();
      upstream.join();
    });
    client_.emplace(*server_);
  }
  std::string Ask(std::string_view bytes) {
    EXPECT_TRUE(client_->Send(bytes));
    return client_->ReadResponse();
  }

  // Read them after the server has ended.
  std::string error_;  // what Proxy said
  std::string seen_;   // what the upstream read
  std::optional<RawClient> client_;
  std::unique_ptr<Server> server_;
};

TEST_F(ProxyTest, PassesEndToEndFieldsOnAndKeepsTheOthers) {
  Serve([&](Upstream upstream) {
    seen_ = upstream.ReadUntil("\r\n\r\n");
    upstream.Send(
        "HTTP/1.1 203 Fine\r\nContent-Length: 2\r\nX-Up: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        "Keep-Alive: timeout=5\r\n\r\nok");
  });
  const std::string response =
      Ask("GET /outside HTTP/1.1\r\nHost: outer\r\nAuthorization: Bearer secret\r\n"
          "Connection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nCookie: a=b\r\nX-Forwarded-For: "
          "liar\r\n\r\n");
  EXPECT_THAT(response,
              AllOf(StartsWith("HTTP/1.1 203 "), HasSubstr("X-Up: 1\r\n"), Not(HasSubstr("X-Hop")),
                    Not(HasSubstr("Keep-Alive")), EndsWith("\r\n\r\nok")));
  EXPECT_THAT(seen_,
              AllOf(StartsWith("GET /inside?q HTTP/1.1\r\n"), HasSubstr("Host: localhost:80\r\n"),
                    HasSubstr("Cookie: a=b\r\n"), HasSubstr("X-Forwarded-For: 127.0.0.1\r\n"),
                    HasSubstr("X-Forwarded-Host: outer\r\n"),
                    HasSubstr("X-Forwarded-Prefix: /ports/80\r\n"), Not(HasSubstr("secret")),
                    Not(HasSubstr("X-Mine")), Not(HasSubstr("liar")), Not(HasSubstr("TE:"))));
}

TEST_F(ProxyTest, StreamsBodiesBothWays) {
  Serve([&](Upstream upstream) {
    seen_ = upstream.ReadUntil("0\r\n\r\n");
    upstream.Send(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    upstream.Send("3\r\ntwo\r\n0\r\n\r\n");
  });
  ASSERT_TRUE(
      client_->Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "4\r\nwiki\r\n"));
  ASSERT_TRUE(client_->Send("0\r\n\r\n"));
  EXPECT_THAT(client_->ReadUntil("0\r\n\r\n"), AllOf(HasSubstr("one"), HasSubstr("two")));
  EXPECT_THAT(seen_, EndsWith("\r\n\r\n4\r\nwiki\r\n0\r\n\r\n"));
}

TEST_F(ProxyTest, PassesAnAnswerOnThatComesBeforeTheBodyHasEnded) {
  for (const char* begun : {"Content-Length: 1000000\r\n\r\nbegin",
                            "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n"}) {
    Serve([](Upstream upstream) {
      upstream.ReadUntil("begin");
      upstream.Send("HTTP/1.1 413 No\r\nContent-Length: 5\r\n\r\nlarge");
    });
    EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\n" + std::string(begun)),
                AllOf(StartsWith("HTTP/1.1 413 "), EndsWith("large")));
  }
}

// Between two chunks the end of the first has been read, or not: nothing is there either way.
TEST_F(ProxyTest, NoticesThatTheClientHasGoneBetweenTwoChunks) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    upstream.ReadUntil("the end");
  });
  ASSERT_TRUE(client_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client_->ReadUntil("one\r\n"), HasSubstr("one"));
  client_.reset();
  EXPECT_TRUE(Eventually([&] { return server_->counters().connections_open == 0; }));
}

// Each costs the server more than the upstream, and there would be no end of them.
TEST_F(ProxyTest, GivesAnUpstreamUpThatNeverComesToItsAnswer) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    std::string continues;
    for (int i = 0; i < 4000; ++i) continues += "HTTP/1.1 100 Continue\r\n\r\n";
    upstream.Send(continues);
    upstream.ReadUntil("nothing more");
  });
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 502 "));
}

TEST_F(ProxyTest, PassesABodyOnThatEndsWithItsConnection) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send("HTTP/1.0 200 OK\r\n\r\nto the end");
  });
  ASSERT_TRUE(client_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client_->ReadUntil("0\r\n\r\n"), HasSubstr("to the end"));
}

TEST_F(ProxyTest, TellsTheLengthForHead) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
  });
  ASSERT_TRUE(client_->Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client_->ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 77\r\n"));
}

TEST_F(ProxyTest, CutsABodyThatItsUpstreamCut) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  });
  ASSERT_TRUE(client_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client_->ReadToEnd(), EndsWith("3\r\none\r\n"));
}

class HostileUpstream : public ProxyTest, public testing::WithParamInterface<std::string> {};

TEST_P(HostileUpstream, IsABadGateway) {
  Serve([](Upstream upstream) {
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send(GetParam());
    upstream.CloseWrite();
    upstream.ReadUntil("never");
  });
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 502 "), HasSubstr("application/problem+json"),
                    Not(HasSubstr("Evil"))));
  server_.reset();
  EXPECT_THAT(error_, Not(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileUpstream,
    testing::Values("", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nEvil: x",
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nX: a\r\n Evil: b\r\n\r\n", "HTTP/1.1 200 OK\nEvil: b\n\n",
                    "HTTP/1.1 200 OK\r\nX: a\rEvil: b\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
                    "HTTP/1.1 101 Evil\r\nUpgrade: websocket\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')));

TEST_F(ProxyTest, DoesNotSendATargetThatWouldEndItsLine) {
  server_ = StartServer([](Exchange& exchange) {
    auto pair = MakeSocketPair(SOCK_STREAM);
    ASSERT_TRUE(pair);
    EXPECT_FALSE(Proxy(exchange, std::move(pair->first),
                       {.target = "/ HTTP/1.1\r\nX: y", .host = "h", .prefix = "", .drop = {}}));
  });
  client_.emplace(*server_);
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(ProxyTest, RelaysAfterASwitchOfProtocols) {
  Serve([&](Upstream upstream) {
    seen_ = upstream.ReadUntil("\r\n\r\n");
    upstream.Send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n"
        "X-Accept: y\r\n\r\nfirst words");
    const std::string got = upstream.ReadUntil("!");
    upstream.Send("you said " + got);
    upstream.CloseWrite();
    upstream.ReadUntil("never");
  });
  ASSERT_TRUE(
      client_->Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"));
  EXPECT_THAT(client_->ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 101 "), HasSubstr("Upgrade: other\r\n"),
                    HasSubstr("Connection: Upgrade\r\n"), HasSubstr("X-Accept: y\r\n")));
  EXPECT_EQ(client_->ReadExactly(11), "first words");
  ASSERT_TRUE(client_->Send("hello!"));
  EXPECT_EQ(client_->ReadToEnd(), "you said hello!");
  client_->CloseWrite();
  server_.reset();
  EXPECT_EQ(error_, "");
  EXPECT_THAT(seen_, AllOf(HasSubstr("Connection: Upgrade\r\n"), HasSubstr("Upgrade: other\r\n")));
}

// The upstream sends far more than the sockets and the relay hold, to a client that speaks first.
TEST_F(ProxyTest, RelaysMuchInBothDirectionsAtOnce) {
  constexpr size_t kBytes = 32 * kMiB;
  Serve([](Upstream upstream) {
    const std::string much(kBytes, 'x');
    upstream.ReadUntil("\r\n\r\n");
    upstream.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n");
    upstream.Send(much);
    upstream.CloseWrite();
    EXPECT_EQ(upstream.ReadUntil("!").size(), 6U);
  });
  ASSERT_TRUE(
      client_->Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"));
  client_->ReadUntil("\r\n\r\n");
  ASSERT_TRUE(client_->Send("hello!"));
  client_->CloseWrite();
  EXPECT_EQ(client_->ReadExactly(kBytes).size(), kBytes);
}

TEST(ProxyWebSocket, GoesThrough) {
  const auto inner = StartServer([](Exchange& exchange) {
    const auto socket = exchange.AcceptWebSocket();
    ASSERT_TRUE(socket);
    const auto message = (*socket)->Read();
    ASSERT_TRUE(message && *message);
    EXPECT_TRUE((*socket)->Send(WebSocket::Kind::kText, "echo " + (*message)->bytes));
    EXPECT_FALSE(*(*socket)->Read());
  });
  const auto outer = StartServer([&](Exchange& exchange) {
    RawClient upstream(*inner);
    Fd fd = Fd::Adopt(::dup(upstream.fd()));
    EXPECT_TRUE(
        Proxy(exchange, std::move(fd), {.target = "/", .host = "inner", .prefix = "", .drop = {}}));
  });
  const auto client = *Client::Open(*Url::Parse("http://" + outer->addresses().front().ToString()));
  const auto socket = client->OpenWebSocket("/ws", {});
  ASSERT_TRUE(socket) << socket.error().ToString();
  ASSERT_TRUE((*socket)->Send(WebSocket::Kind::kText, "x"));
  const auto message = (*socket)->Read();
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->bytes, "echo x");
  (*socket)->Close(1000, "");
  EXPECT_FALSE(*(*socket)->Read());
}

}  // namespace
}  // namespace cay::http
