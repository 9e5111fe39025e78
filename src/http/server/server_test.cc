#include "http/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <semaphore>

#include "http/server/test_server.h"

namespace cay::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Says back what it got: "METHOD path body".
void Echo(Exchange& exchange) {
  const auto body = exchange.ReadWholeBody(1 * kMiB);
  std::string text = exchange.request().method + " " + exchange.request().path + " ";
  text += body ? *body : std::string(ErrorCodeName(body.error().code()));
  static_cast<void>(exchange.Respond({.status = 200, .headers = {}, .body = text}));
}

TEST(Server, AnswersAndKeepsTheConnection) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  for (int i = 0; i < 3; ++i) {
    const std::string response = client.Ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, AllOf(HasSubstr("Date: "), HasSubstr("X-Request-Id: "),
                                Not(HasSubstr("Connection:"))));
    EXPECT_THAT(response, EndsWith("GET /a "));
  }
  EXPECT_EQ(server->counters().connections_accepted, 1U);
  EXPECT_EQ(server->counters().requests, 3U);
}

TEST(Server, AnswersWhatWasSentAheadInItsOrder) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  ASSERT_TRUE(
      client.Send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
                  "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
                  "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nth\r\n3;ext=1\r\nree\r\n0\r\nTrailer: t\r\n\r\n"
                  "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const std::string all = client.ReadToEnd();
  size_t at = 0;
  for (const std::string_view text : {"POST /1 one", "GET /2 ", "POST /3 three", "GET /4 "}) {
    at = all.find(text, at);
    ASSERT_NE(at, std::string::npos) << text << " in\n" << all;
  }
  EXPECT_THAT(all, HasSubstr("Connection: close"));
}

TEST(Server, TakesARequestByteByByte) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  for (const char byte : std::string_view("\r\nPUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                          "chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n")) {
    ASSERT_TRUE(client.Send({&byte, 1}));
  }
  EXPECT_THAT(client.ReadResponse(), EndsWith("PUT /x wiki"));
}

TEST(Server, TakesAnEmptyChunkedBodyByteByByte) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  ASSERT_TRUE(client.Send("PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (const char byte : std::string_view("0\r\nA: b\r\n\r\n")) {
    ASSERT_TRUE(client.Send({&byte, 1}));
    ::poll(nullptr, 0, 1);  // mostly, each is read by itself
  }
  EXPECT_THAT(client.ReadResponse(), EndsWith("PUT /x "));
}

TEST(Server, StreamsInChunks) {
  const auto server = StartServer([](Exchange& exchange) {
    ASSERT_TRUE(exchange.Begin(200, {{"Content-Type", "text/plain"}}));
    EXPECT_TRUE(exchange.started());
    for (const std::string_view piece : {"one ", "", "two"}) ASSERT_TRUE(exchange.Write(piece));
    ASSERT_TRUE(exchange.Finish());
    EXPECT_EQ(exchange.bytes_written(), 7U);
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_EQ(client.ReadUntil("0\r\n\r\n"), "4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n");
  // An older client gets the bytes, and the end of the connection as theirs.
  ASSERT_TRUE(client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const std::string response = client.ReadToEnd();
  EXPECT_THAT(response, AllOf(EndsWith("\r\n\r\none two"), Not(HasSubstr("chunked"))));
}

TEST(Server, KeepsTheConnectionOfAnOlderClientThatAsks) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(client.Ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                HasSubstr("Connection: keep-alive"));
  }
}

TEST(Server, SendsNoBodyForHead) {
  const auto server = StartServer([](Exchange& exchange) {
    if (exchange.request().path == "/whole") {
      EXPECT_TRUE(exchange.Respond({.status = 200, .headers = {}, .body = "12345"}));
      return;
    }
    EXPECT_TRUE(exchange.Begin(200, {}, 5));
    EXPECT_TRUE(exchange.Write("12345"));
    EXPECT_TRUE(exchange.Finish());
  });
  RawClient client(*server);
  for (const std::string path : {"/whole", "/pieces", "/whole"}) {
    ASSERT_TRUE(client.Send("HEAD " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 5\r\n"));
  }
}

TEST(Server, SaysContinueWhenTheHandlerReads) {
  const auto server = StartServer(Echo);
  RawClient client(*server);
  ASSERT_TRUE(
      client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.Send("ok"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("POST / ok"));
}

TEST(Server, ClosesWhenABodyThatWaitsForContinueIsNotWanted) {
  const auto server = StartServer([](Exchange& exchange) {
    EXPECT_TRUE(exchange.Respond({.status = 403, .headers = {}, .body = "no"}));
  });
  RawClient client(*server);
  ASSERT_TRUE(
      client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  EXPECT_THAT(client.ReadToEnd(), AllOf(HasSubstr("403"), HasSubstr("Connection: close")));
}

TEST(Server, ReadsOverASmallBodyThatIsNotWanted) {
  const auto server = StartServer([](Exchange& exchange) {
    EXPECT_TRUE(exchange.Respond({.status = 200, .headers = {}, .body = exchange.request().path}));
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("/1"));
  EXPECT_THAT(client.Ask("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"), EndsWith("/2"));
}

TEST(Server, AnswersForAHandlerThatDoesNot) {
  const auto server = StartServer([](Exchange& exchange) {
    if (exchange.request().path == "/throw") throw std::runtime_error("on purpose");
  });
  for (const std::string path : {"/nothing", "/throw"}) {
    RawClient client(*server);
    ASSERT_TRUE(client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_THAT(client.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("request_id")));
  }
}

TEST(Server, TellsHandlersThatItEnds) {
  std::binary_semaphore begun{0};
  const auto server = StartServer([&](Exchange& exchange) {
    EXPECT_FALSE(exchange.Ending());
    begun.release();
    pollfd ending{exchange.ending_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ending, 1, 20'000), 1);
    EXPECT_TRUE(exchange.Ending());
    static_cast<void>(exchange.Respond({.status = 200, .body = "ends"}));
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  begun.acquire();
  server->Drain(Millis(60'000));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("ends"));
}

TEST(Server, CutsAStreamThatItsHandlerDidNotFinish) {
  const auto server = StartServer([](Exchange& exchange) {
    EXPECT_TRUE(exchange.Begin(200, {}));
    EXPECT_TRUE(exchange.Write("half"));
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("4\r\nhalf\r\n"));
}

TEST(Server, DoesNotSendAHeaderThatEndsItsLine) {
  const auto server = StartServer([](Exchange& exchange) {
    const auto sent = exchange.Respond(
        {.status = 200, .headers = {{"X-Name", "a\r\nSet-Cookie: b"}}, .body = ""});
    EXPECT_EQ(sent.error().code(), ErrorCode::kInternal);
    EXPECT_FALSE(exchange.started());
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("Cookie"))));
}

TEST(Server, RefusesABodyOverTheLimit) {
  ServerLimits limits;
  limits.max_body_bytes = 4;
  const auto server = StartServer(Echo, limits);
  for (const std::string_view body :
       {"Content-Length: 5\r\n\r\n12345",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"}) {
    RawClient client(*server);
    ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: x\r\n" + std::string(body)));
    EXPECT_THAT(client.ReadToEnd(),
                AllOf(EndsWith("POST / limit_too_high"), HasSubstr("Connection: close")));
  }
}

TEST(Server, ServesWhileHandlersWait) {
  std::counting_semaphore<64> waiting(0);
  std::counting_semaphore<64> go(0);
  const auto server = StartServer([&](Exchange& exchange) {
    if (exchange.request().path == "/wait") {
      waiting.release();
      go.acquire();
    }
    EXPECT_TRUE(exchange.Respond({.status = 200, .headers = {}, .body = "ok"}));
  });
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(clients.emplace_back(*server).Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  for (int i = 0; i < 20; ++i) waiting.acquire();
  RawClient other(*server);
  EXPECT_THAT(other.Ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), EndsWith("ok"));
  EXPECT_TRUE(Eventually([&] { return server->counters().requests_active == 20; }));
  go.release(20);
  for (RawClient& client : clients) EXPECT_THAT(client.ReadResponse(), EndsWith("ok"));
}

}  // namespace
}  // namespace cay::http
