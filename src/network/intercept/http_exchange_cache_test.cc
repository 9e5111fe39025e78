#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/cache/test_cache_directory.h"
#include "network/intercept/http_exchange.h"

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = HttpExchange::End::Kind;

class CachedExchangeTest : public ::testing::Test {
 protected:
  CachedExchangeTest() { Renew(); }
  // Another connection.
  void Renew() {
    exchange_.emplace(credentials_, "registry.example", uint16_t{443});
    exchange_->UseCache(
        {.directory = &cache_,
         .place = {.owner = "ann", .scheme = "https", .name = "registry.example", .port = 443}});
  }
  void Pump() {
    do exchange_->Pump();
    while (exchange_->busy());
  }
  // What goes to the server then.
  std::string Ask(std::string_view target, std::string_view fields = "",
                  std::string_view method = "GET") {
    exchange_->client_in += std::string(method) + " " + std::string(target) +
                            " HTTP/1.1\r\nHost: registry.example\r\n" + std::string(fields) +
                            "\r\n";
    Pump();
    return std::exchange(exchange_->upstream_out, {});
  }
  // What goes to the program then.
  std::string Answer(std::string_view bytes) {
    exchange_->upstream_in += bytes;
    Pump();
    return Heard();
  }
  std::string Heard() { return std::exchange(exchange_->client_out, {}); }
  void Keep(std::string_view target = "/a", std::string_view fields = "") {
    EXPECT_THAT(Ask(target, fields), StartsWith("GET "));
    EXPECT_THAT(Answer(kGood), HasSubstr("body"));
  }
  std::string Reason() const { return exchange_->over() ? exchange_->end().reason : "goes on"; }

  static constexpr std::string_view kGood =
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nETag: \"a\"\r\nContent-Length: 4\r\n\r\n"
      "body";

  Credentials credentials_;
  TestCacheDirectory files_;
  CacheDirectory cache_{files_.Open(), {.bytes = 64 << 20}};
  std::optional<HttpExchange> exchange_;
};

TEST_F(CachedExchangeTest, WhatIsKeptIsGivenWithoutTheServer) {
  Keep();
  Renew();
  EXPECT_EQ(Ask("/a"), "");
  const std::string heard = Heard();
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"));
  EXPECT_THAT(heard, HasSubstr("\r\nAge: 0\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_EQ(exchange_->from_cache(), 1U);
  EXPECT_EQ(Ask("/a"), "");
  EXPECT_THAT(Heard(), HasSubstr("body"));
  EXPECT_EQ(Reason(), "goes on");
}

TEST_F(CachedExchangeTest, TheServerIsAskedByTheCache) {
  EXPECT_EQ(Ask("/a", "User-Agent: me\r\nAccept: x\r\nnpm-scope: y\r\n"),
            "GET /a HTTP/1.1\r\nHost: registry.example\r\nUser-Agent: cay-package-cache\r\n"
            "Accept: x\r\n\r\n");
}

TEST_F(CachedExchangeTest, AChunkedAnswerIsKeptAndGivenWithItsLength) {
  (void)Ask("/a");
  (void)Answer(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nbo\r\n");
  (void)Answer("2\r\ndy\r\n0\r\n\r\n");
  EXPECT_EQ(Ask("/a"), "");
  EXPECT_THAT(Heard(), HasSubstr("Content-Length: 4\r\n\r\nbody"));
}

TEST_F(CachedExchangeTest, ALargeAnswerIsGivenAsItIsTaken) {
  const std::string body(1'000'000, 'a');
  (void)Ask("/a");
  exchange_->upstream_in = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body;
  std::string heard;
  do {
    Pump();
    heard += Heard();
  } while (!exchange_->upstream_in.empty());
  EXPECT_EQ(Ask("/a"), "");
  EXPECT_LE(exchange_->client_out.size(), 2 * HttpExchange::kMaxQueued);
  std::string given;
  while (!exchange_->client_out.empty()) {
    given += Heard();
    Pump();
  }
  EXPECT_TRUE(given.ends_with("\r\n\r\n" + body));
}

TEST_F(CachedExchangeTest, WhatIsBrokenOffIsNotKept) {
  (void)Ask("/a");
  (void)Answer("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 9\r\n\r\nbody");
  exchange_->UpstreamEnded(false);
  Pump();
  EXPECT_TRUE(exchange_->over());
  Renew();
  EXPECT_THAT(Ask("/a"), StartsWith("GET /a"));
}

TEST_F(CachedExchangeTest, ARequestThatPassesByEndsTheUse) {
  EXPECT_THAT(Ask("/a", "X-Unknown: 1\r\nUser-Agent: me\r\n"), HasSubstr("User-Agent: me"));
  EXPECT_THAT(Answer(kGood), HasSubstr("body"));
  EXPECT_THAT(Ask("/a", "User-Agent: me\r\n"), HasSubstr("User-Agent: me"));
  EXPECT_THAT(Answer(kGood), HasSubstr("body"));
  EXPECT_TRUE(files_.Names(".entry").empty());
  for (const auto& [fields, method] : std::vector<std::pair<const char*, const char*>>{
           {"Content-Length: 0\r\n", "GET"}, {"", "HEAD"}, {"", "OPTIONS"}}) {
    Renew();
    EXPECT_THAT(Ask("/a", fields, method), StartsWith(std::string(method) + " /a"));
    (void)Answer("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_THAT(Ask("/a", "User-Agent: me\r\n"), HasSubstr("User-Agent: me")) << method;
  }
}

TEST_F(CachedExchangeTest, AnAnswerToNothingIsTakenForNone) {
  Keep();
  exchange_->upstream_in +=
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n"
      "\r\nevil";
  EXPECT_EQ(Ask("/b"), "");
  EXPECT_THAT(Reason(), HasSubstr("not asked for"));
  EXPECT_EQ(files_.Names(".body").size(), 1U);
}

TEST_F(CachedExchangeTest, WhatTheServerCallsStillGoodIsGiven) {
  Keep();
  Renew();
  EXPECT_THAT(Ask("/a", "Cache-Control: no-cache\r\n"), HasSubstr("If-None-Match: \"a\""));
  EXPECT_THAT(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"),
              HasSubstr("\r\n\r\nbody"));
  EXPECT_EQ(exchange_->from_cache(), 1U);
  EXPECT_THAT(Ask("/a", "Cache-Control: no-cache\r\n"), HasSubstr("If-None-Match: \"a\""));
  EXPECT_THAT(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"b\"\r\n\r\n"),
              StartsWith("HTTP/1.1 502"));
}

TEST_F(CachedExchangeTest, A304ThatTheClientAskedForIsItsOwn) {
  EXPECT_THAT(Ask("/a", "If-None-Match: \"x\"\r\n"), HasSubstr("If-None-Match: \"x\""));
  EXPECT_THAT(Answer("HTTP/1.1 304 Not Modified\r\n\r\n"), StartsWith("HTTP/1.1 304"));
}

TEST_F(CachedExchangeTest, WithoutAServerWhatIsFreshIsGivenToWhoWantedItChecked) {
  Keep();
  Renew();
  EXPECT_THAT(Ask("/a", "Cache-Control: max-age=0\r\n"), StartsWith("GET /a"));
  exchange_->RefuseAll(502, "there is none");
  Pump();
  const std::string heard = Heard();
  EXPECT_THAT(heard, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(heard, HasSubstr("\r\n\r\nbody"));
  EXPECT_EQ(Reason(), "");
  Renew();
  EXPECT_THAT(Ask("/a", "Cache-Control: no-cache\r\n"), StartsWith("GET /a"));
  exchange_->RefuseAll(403, "it may not be reached", Kind::kRefused);
  Pump();
  EXPECT_THAT(Heard(), StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(exchange_->end().kind, Kind::kRefused);
}

TEST_F(CachedExchangeTest, AServerThatEndsWithoutAnAnswerIsAsNone) {
  Keep();
  Renew();
  EXPECT_THAT(Ask("/a", "Cache-Control: max-age=0\r\n"), StartsWith("GET /a"));
  exchange_->UpstreamEnded(true);
  Pump();
  EXPECT_THAT(Heard(), HasSubstr("\r\n\r\nbody"));
}

TEST_F(CachedExchangeTest, RequestsThatComeTogetherAreAnsweredInOrder) {
  Keep();
  Renew();
  exchange_->client_in +=
      "GET /a HTTP/1.1\r\nHost: registry.example\r\n\r\n"
      "GET /b HTTP/1.1\r\nHost: registry.example\r\n\r\n";
  EXPECT_THAT(Ask("/a"), StartsWith("GET /b"));
  EXPECT_THAT(Heard(), HasSubstr("\r\n\r\nbody"));
  const std::string rest = Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
  EXPECT_THAT(rest, HasSubstr("\r\n\r\nbHTTP/1.1 200 OK"));
  EXPECT_TRUE(rest.ends_with("\r\n\r\nbody"));
}

TEST_F(CachedExchangeTest, WhatIsDamagedIsAskedForAnew) {
  Keep();
  Renew();
  TestCacheDirectory::Damage(files_.Only(".body"), 1);
  EXPECT_THAT(Ask("/a"), StartsWith("GET /a"));
  EXPECT_THAT(Answer(kGood), HasSubstr("body"));
  EXPECT_EQ(Ask("/a"), "");
  EXPECT_THAT(Heard(), HasSubstr("body"));
}

}  // namespace
}  // namespace cay::network
