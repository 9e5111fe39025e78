#include "network/intercept/http_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = HttpExchange::End::Kind;

const std::string kMine = "cay-secret-" + std::string(32, 'a');
const std::string kOther = "cay-secret-" + std::string(32, 'b');
const std::string kHost = "Host: api.example.com\r\n";

class HttpExchangeTest : public ::testing::Test {
 protected:
  HttpExchangeTest() {
    auto compiled = Credentials::Compile(
        {{.name = "mine", .hosts = {"api.example.com"}, .placeholder = kMine, .value = "v4lue"},
         {.name = "other", .hosts = {"b.example"}, .placeholder = kOther, .value = "0ther"}});
    EXPECT_TRUE(compiled);
    credentials_ = *std::move(compiled);
    Renew();
  }
  void Renew() { exchange_.emplace(credentials_, "api.example.com", uint16_t{443}); }
  // What goes to the server then.
  std::string Ask(std::string_view bytes) {
    exchange_->client_in += bytes;
    exchange_->Pump();
    return std::exchange(exchange_->upstream_out, {});
  }
  // What goes to the program then.
  std::string Answer(std::string_view bytes) {
    exchange_->upstream_in += bytes;
    exchange_->Pump();
    return std::exchange(exchange_->client_out, {});
  }
  std::string Reason() const { return exchange_->over() ? exchange_->end().reason : "goes on"; }

  Credentials credentials_;
  std::optional<HttpExchange> exchange_;
};

TEST_F(HttpExchangeTest, ARequestGetsItsSecretAndIsWrittenAnew) {
  EXPECT_EQ(Ask("GET /a?b=" + kMine + " HTTP/1.1\r\n" + kHost + "X-Key:   " + kMine +
                "  \r\nKeep-Alive: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"),
            "GET /a?b=" + kMine + " HTTP/1.1\r\n" + kHost + "X-Key: v4lue\r\n\r\n");
  EXPECT_EQ(Answer("HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nA: b\r\n\r\nok"),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(Reason(), "goes on");
}

TEST_F(HttpExchangeTest, WhateverPiecesItComesInItIsTheSameMessage) {
  const std::string asked =
      "POST / HTTP/1.1\r\n" + kHost + "A: " + kMine +
      "\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n";
  const std::string answered =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nhi\r\n0\r\n\r\n";
  std::string upstream;
  std::string client;
  for (const char c : asked) upstream += Ask({&c, 1});
  for (const char c : answered) client += Answer({&c, 1});
  EXPECT_EQ(upstream, "POST / HTTP/1.1\r\n" + kHost +
                          "A: v4lue\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_THAT(client, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(Reason(), "goes on");
}

TEST_F(HttpExchangeTest, RequestsThatComeTogetherAreAskedOneAfterTheOther) {
  const std::string one = "GET /1 HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string two = "GET /2 HTTP/1.1\r\n" + kHost + "\r\n";
  EXPECT_EQ(Ask(one + two), one);
  EXPECT_THAT(Answer("HTTP/1.1 204 No Content\r\n\r\n"), StartsWith("HTTP/1.1 204"));
  EXPECT_EQ(Ask(""), two);
}

TEST_F(HttpExchangeTest, TheBodyThatIsASecondRequestStaysABody) {
  const std::string inner = "GET /evil HTTP/1.1\r\n" + kHost + "X: " + kMine + "\r\n\r\n";
  const std::string sent =
      Ask("POST / HTTP/1.1\r\n" + kHost + "Content-Length: " + std::to_string(inner.size()) +
          "\r\n\r\n" + inner);
  EXPECT_THAT(sent, HasSubstr(kMine));
  EXPECT_THAT(sent, Not(HasSubstr("v4lue")));
}

struct Refused {
  const char* name;
  std::string bytes;
  int status;
};

TEST_F(HttpExchangeTest, WhatTwoServersCouldReadDifferentlyIsRefused) {
  const std::string get = "GET / HTTP/1.1\r\n" + kHost;
  const std::string post = "POST / HTTP/1.1\r\n" + kHost;
  const std::vector<Refused> cases = {
      {"length and chunks", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"a list of lengths", post + "Content-Length: 3, 3\r\n\r\nabc", 400},
      {"a signed length", post + "Content-Length: +3\r\n\r\nabc", 400},
      {"a hexadecimal length", post + "Content-Length: 0x3\r\n\r\nabc", 400},
      {"a length without end", post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"another coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {"identity", post + "Transfer-Encoding: identity\r\n\r\n", 400},
      {"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400},
      {"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {"a folded line", get + "A: b\r\n c\r\n\r\n", 400},
      {"a bare LF", "GET / HTTP/1.1\nHost: api.example.com\n\r\n\r\n", 400},
      {"a bare CR", get + "A: b\rC: d\r\n\r\n", 400},
      {"a NUL", get + "A: b" + std::string(1, '\0') + "\r\n\r\n", 400},
      {"a space before the colon", post + "Content-Length : 3\r\n\r\nabc", 400},
      {"a line without a colon", get + "Hello\r\n\r\n", 400},
      {"two hosts", get + kHost + "\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"another host", "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n", 421},
      {"another port", "GET / HTTP/1.1\r\nHost: api.example.com:80\r\n\r\n", 421},
      {"a target with a host", "GET https://b.example/ HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"this host in the target", "GET http://api.example.com/ HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"CONNECT", "CONNECT api.example.com:443 HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n" + kHost + "\r\n", 505},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"h2c", get + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400},
      {"a WebSocket with a body",
       get + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"a malformed chunk", post + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", 400},
      {"a chunk that ends in LF", post + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
       400},
      {"a chunk that is longer", post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
       400},
      {"a head without end", get + "A: " + std::string(HttpExchange::kMaxHead, 'a'), 431},
      {"another's placeholder in the target", "GET /" + kOther + " HTTP/1.1\r\n" + kHost + "\r\n",
       403},
      {"another's placeholder in a header", get + "A: " + kOther + "\r\n\r\n", 403},
      {"another's placeholder in a body", post + "Content-Length: 50\r\n\r\n" + kOther + "1234567",
       403},
      {"another's placeholder over chunks",
       post + "Transfer-Encoding: chunked\r\n\r\nb\r\ncay-secret-\r\n20\r\n" +
           std::string(32, 'b') + "\r\n0\r\n\r\n",
       403},
      {"not HTTP", std::string("\x16\x03\x01\r\n\r\n"), 400},
  };
  for (const Refused& one : cases) {
    Renew();
    const std::string sent = Ask(one.bytes);
    EXPECT_EQ(sent, "") << one.name;
    ASSERT_TRUE(exchange_->over()) << one.name;
    EXPECT_EQ(exchange_->end().kind, Kind::kRefused) << one.name;
    EXPECT_FALSE(exchange_->end().reason.empty()) << one.name;
    EXPECT_THAT(exchange_->client_out, StartsWith("HTTP/1.1 " + std::to_string(one.status)))
        << one.name;
  }
}

TEST_F(HttpExchangeTest, AfterARefusalNothingOfWhatFollowsIsRead) {
  const std::string next = "GET / HTTP/1.1\r\n" + kHost + "A: " + kMine + "\r\n\r\n";
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n" + next), "");
  EXPECT_EQ(Ask(next), "");
}

TEST_F(HttpExchangeTest, AnswersThatCouldBeReadDifferentlyAreNotPassedOn) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\nA: b\r\n\r\n"), std::string("HTTP/1.1 101 Go\r\n\r\n"),
        std::string("hello\r\n\r\n"), "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'a')}) {
    Renew();
    Ask("GET / HTTP/1.1\r\n" + kHost + "\r\n");
    EXPECT_THAT(Answer(bytes), StartsWith("HTTP/1.1 502"));
    EXPECT_EQ(exchange_->end().kind, Kind::kFailed);
  }
}

TEST_F(HttpExchangeTest, ALengthAfterAHeadIsNoBody) {
  Ask("HEAD / HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n" + kHost + "\r\n"), StartsWith("GET"));
}

TEST_F(HttpExchangeTest, ABodyUntilTheEndIsWrittenInChunksAndABrokenOneIsNotEnded) {
  for (const bool in_order : {true, false}) {
    Renew();
    Ask("GET / HTTP/1.1\r\n" + kHost + "\r\n");
    std::string got = Answer("HTTP/1.1 200 OK\r\n\r\nabc");
    exchange_->UpstreamEnded(in_order);
    got += Answer("");
    EXPECT_EQ(got.ends_with("3\r\nabc\r\n0\r\n\r\n"), in_order) << got;
    EXPECT_EQ(exchange_->end().kind, in_order ? Kind::kDone : Kind::kFailed);
  }
}

TEST_F(HttpExchangeTest, AWebSocketIsPassedOnAfterTheServersWord) {
  const std::string sent =
      Ask("GET /w HTTP/1.1\r\n" + kHost +
          "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nA: " + kMine + "\r\n\r\nearly");
  EXPECT_THAT(sent, HasSubstr("A: v4lue\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
  EXPECT_THAT(sent, Not(HasSubstr("early")));
  EXPECT_THAT(Answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello"),
              HasSubstr("\r\n\r\nhello"));
  EXPECT_TRUE(exchange_->tunnel());
  EXPECT_EQ(Ask(" " + kMine), "early " + kMine);
}

TEST_F(HttpExchangeTest, AServerThatDoesNotSwitchIsAskedTheNextInOrder) {
  Ask("GET /w HTTP/1.1\r\n" + kHost + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
      "GET /next HTTP/1.1\r\n" + kHost + "\r\n");
  Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(exchange_->tunnel());
  EXPECT_THAT(Ask(""), HasSubstr(""));
  EXPECT_EQ(Reason(), "goes on");
}

TEST_F(HttpExchangeTest, WhatASlowSideDoesNotTakeIsNotRead) {
  Ask("POST / HTTP/1.1\r\n" + kHost + "Content-Length: 10000000\r\n\r\n");
  for (int i = 0; i < 100 && exchange_->WantsClient(); ++i) {
    exchange_->client_in += std::string(16'384, 'x');
    exchange_->Pump();
  }
  EXPECT_FALSE(exchange_->WantsClient());
  EXPECT_LE(exchange_->upstream_out.size() + exchange_->client_in.size(),
            HttpExchange::kMaxQueued + HttpExchange::kMaxHead + 16'384);
}

TEST_F(HttpExchangeTest, WithoutAServerTheRequestIsAnswered) {
  exchange_->RefuseAll(502, "its certificate is not accepted");
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\n" + kHost + "A: " + kMine + "\r\n\r\n"), "");
  EXPECT_THAT(exchange_->client_out, StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(exchange_->client_out, HasSubstr("its certificate is not accepted"));
}

TEST_F(HttpExchangeTest, WhatAServerSaysUnaskedEndsIt) {
  exchange_->upstream_in = "HTTP/1.1 200 OK\r\n\r\n";
  exchange_->Pump();
  ASSERT_TRUE(exchange_->over());
  EXPECT_EQ(exchange_->end().kind, Kind::kFailed);
  EXPECT_EQ(exchange_->client_out, "");
}

}  // namespace
}  // namespace cay::network
