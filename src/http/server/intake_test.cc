// What a request costs before its handler is called: bodies that come slowly, clients that are
// refused, shares.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "http/server/listener.h"
#include "http/server/test_server.h"

namespace cay::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Lane = Intake::Lane;

// Paths say what is done: /quick, /public, /stream, /NAME: whole bodies in NAME's share.
Intake ByPath(Request& request) {
  if (request.path == "/quick") return {.lane = Lane::kQuick};
  if (request.path == "/public") return {.lane = Lane::kPublic, .client = "somebody"};
  if (request.path == "/stream") return {};
  return {.whole_body = 256 * kKiB, .client = request.path};
}

void Echo(Exchange& exchange) {
  exchange.SetBodyLimit(kMiB);
  auto body = exchange.ReadWholeBody(kMiB);
  if (body) {
    static_cast<void>(exchange.Respond({.status = 200, .body = std::move(*body)}));
    return;
  }
  const bool is_slow = body.error().code() == ErrorCode::kTimeout;
  static_cast<void>(
      exchange.Respond({.status = is_slow ? 408 : 503, .body = body.error().message()}));
}

std::string Post(const std::string& path, size_t length, std::string_view body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n" + std::string(body);
}

std::string Get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

TEST(Intake, BodiesThatComeSlowlyTakeNeitherThreadsNorPlaces) {
  ServerLimits limits;
  limits.max_active = 4;
  const auto server = StartServer(&Echo, limits, {}, &ByPath);
  std::vector<RawClient> slow;
  slow.reserve(200);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(slow.emplace_back(*server).Send(Post("/a", 4, "ab")));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 200; }));
  EXPECT_LE(server->counters().threads, 16U);
  EXPECT_THAT(RawClient(*server).Ask(Post("/a", 2, "hi")), EndsWith("hi"));
  for (RawClient& client : slow) ASSERT_TRUE(client.Send("cd"));
  // As many at a time as there are places: the others are told to come again.
  size_t answered = 0;
  for (RawClient& client : slow) {
    const std::string answer = client.ReadResponse();
    ASSERT_THAT(answer, testing::AnyOf(EndsWith("abcd"), StartsWith("HTTP/1.1 503 ")));
    answered += answer.ends_with("abcd") ? 1 : 0;
  }
  EXPECT_GT(answered, 0U);
  EXPECT_TRUE(Eventually([&] { return server->counters().requests_active == 0; }));
}

TEST(Intake, ABodyInPiecesAndInChunksIsWholeForItsHandler) {
  const auto server = StartServer(&Echo, {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(Post("/a", 6, "ab")));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 1; }));
  ASSERT_TRUE(client.Send("cdef" + Get("/a")));  // and the next request behind it
  EXPECT_THAT(client.ReadResponse(), EndsWith("abcdef"));
  EXPECT_THAT(client.ReadResponse(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
  ASSERT_TRUE(
      client.Send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"));
  ASSERT_TRUE(client.Send("c\r\n2\r\nde\r\n0\r\n\r\n"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("abcde"));
  const std::string large(200'000, 'x');
  EXPECT_THAT(client.Ask(Post("/a", large.size(), large)), EndsWith(large));
}

TEST(Intake, AClientThatWaitsToBeAskedIsAsked) {
  const auto server = StartServer(&Echo, {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 100 "));
  EXPECT_THAT(client.Ask("ok"), EndsWith("ok"));
  // Too large for anything: refused without it.
  ASSERT_TRUE(client.Send(
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
}

TEST(Intake, ABodyThatStallsOrCreepsIsItsHandlersToAnswer) {
  ServerLimits limits;
  limits.stall_timeout = Millis(50);
  const auto server = StartServer(&Echo, limits, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(Post("/a", 5, "12")));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(server->counters().timeouts, 1U);
  RawClient gone(*server);
  ASSERT_TRUE(gone.Send(Post("/a", 5, "12")));
  gone.CloseWrite();
  EXPECT_THAT(gone.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
}

TEST(Intake, WhoIsRefusedIsAnsweredBeforeHisBodyAndTheConnectionEnds) {
  const auto server = StartServer(
      [](Exchange& exchange) {
        static_cast<void>(exchange.Respond({.status = 401, .body = "no"}));
      },
      {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(Post("/quick", 1'000'000, "x")));
  EXPECT_THAT(client.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 401 "),
                                        HasSubstr("Connection: close\r\n"), EndsWith("no")));
  // One whose body is there keeps its connection.
  RawClient quick(*server);
  EXPECT_THAT(quick.Ask(Post("/quick", 3, "abc")), Not(HasSubstr("close")));
  EXPECT_THAT(quick.Ask(Post("/quick", 3, "abc")), EndsWith("no"));
}

// Holds all but /quick.
std::unique_ptr<Server> StartHeld(HeldHandler& held, const ServerLimits& limits) {
  return StartServer(
      [&held](Exchange& exchange) {
        if (exchange.request().path != "/quick") return held(exchange);
        static_cast<void>(exchange.Respond({.status = 200, .body = "ok"}));
      },
      limits, {}, &ByPath);
}

TEST(Intake, QuickAnswersNeedNoPlace) {
  ServerLimits limits;
  limits.max_active = 2;
  HeldHandler held;
  const auto server = StartHeld(held, limits);
  RawClient first(*server);
  RawClient second(*server);
  ASSERT_TRUE(first.Send(Get("/a")) && second.Send(Get("/b")));
  held.AwaitBegun(2);
  RawClient third(*server);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(third.Ask(Get("/quick")), EndsWith("ok"));
  EXPECT_THAT(third.Ask(Get("/c")), StartsWith("HTTP/1.1 503 "));
  held.Go(2);
  EXPECT_THAT(first.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("ok"));
}

TEST(Intake, OneClientHasNoMoreThanItsShareOfThePlaces) {
  ServerLimits limits;
  limits.max_active = 4;
  limits.max_active_per_client = 2;
  HeldHandler held;
  const auto server = StartHeld(held, limits);
  RawClient first(*server);
  RawClient second(*server);
  ASSERT_TRUE(first.Send(Get("/a")) && second.Send(Get("/a")));
  held.AwaitBegun(2);
  EXPECT_THAT(RawClient(*server).Ask(Get("/a")),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: 1\r\n")));
  RawClient other(*server);
  ASSERT_TRUE(other.Send(Get("/b")));
  held.AwaitBegun(1);
  held.Go(3);
  EXPECT_THAT(other.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(first.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("ok"));
}

TEST(Intake, ThePublicsPlacesAreNotThoseOfOthers) {
  ServerLimits limits;
  limits.max_active = 2;
  HeldHandler held;
  const auto server = StartHeld(held, limits);
  RawClient somebody(*server);
  ASSERT_TRUE(somebody.Send(Get("/public")));
  held.AwaitBegun(1);
  EXPECT_THAT(RawClient(*server).Ask(Get("/public")), StartsWith("HTTP/1.1 503 "));
  RawClient first(*server);
  RawClient second(*server);
  ASSERT_TRUE(first.Send(Get("/a")) && second.Send(Get("/b")));
  held.AwaitBegun(2);
  held.Go(3);
  EXPECT_THAT(somebody.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(first.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("ok"));
}

TEST(Intake, UploadsThatAreReadAsTheyComeLeavePlacesForOthers) {
  ServerLimits limits;
  limits.max_active = 4;
  const auto server = StartServer(&Echo, limits, {}, &ByPath);
  std::vector<RawClient> uploads;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(uploads.emplace_back(*server).Send(Post("/stream", 200'000, "x")));
  }
  ASSERT_TRUE(Eventually([&] { return server->counters().requests == 2; }));
  EXPECT_THAT(RawClient(*server).Ask(Post("/stream", 200'000, "x")), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(RawClient(*server).Ask(Post("/stream", 3, "abc")), EndsWith("abc"));
  EXPECT_THAT(RawClient(*server).Ask(Post("/a", 3, "abc")), EndsWith("abc"));
  const std::string rest(199'999, 'x');
  for (RawClient& upload : uploads) EXPECT_THAT(upload.Ask(rest), EndsWith("x" + rest));
}

TEST(Intake, AnUploadBeginsWithItsFirstBytes) {
  const auto server = StartServer(&Echo, {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(
      client.Send("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 1; }));
  EXPECT_EQ(server->counters().requests, 0U);
  ASSERT_TRUE(client.Send("1\r\na\r\n"));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests == 1; }));
  ASSERT_TRUE(client.Send("1\r\nb\r\n0\r\n\r\n"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("ab"));
}

TEST(Intake, MemoryForBodiesIsBoundedAndSharedAndSmallOnesNeedNone) {
  ServerLimits limits;
  limits.max_bodies_held = 400 * kKiB;  // of which one has a quarter
  const auto server = StartServer(&Echo, limits, {}, &ByPath);
  RawClient greedy(*server);
  ASSERT_TRUE(greedy.Send(Post("/a", 100'000, std::string(60'000, 'x'))));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 1; }));
  RawClient again(*server);
  const std::string large(100'000, 'y');
  ASSERT_TRUE(again.Send(Post("/a", large.size(), large)));
  EXPECT_THAT(again.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("for this client")));
  EXPECT_THAT(RawClient(*server).Ask(Post("/a", 5, "small")), EndsWith("small"));
  EXPECT_THAT(RawClient(*server).Ask(Post("/b", large.size(), large)), EndsWith(large));
  const std::string rest(40'000, 'x');
  EXPECT_THAT(greedy.Ask(rest), EndsWith(rest));
  EXPECT_THAT(greedy.Ask(Post("/a", large.size(), large)), EndsWith(large));
}

TEST(Intake, ADrainWaitsForABodyThatIsOnItsWay) {
  const auto server = StartServer(&Echo, {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(Post("/a", 4, "ab")));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 1; }));
  std::thread drain([&] { server->Drain(Millis(20'000)); });
  ASSERT_TRUE(Eventually([&] { return server->draining(); }));
  ASSERT_TRUE(client.Send("cd"));
  EXPECT_THAT(client.ReadToEnd(), AllOf(HasSubstr("Connection: close"), EndsWith("abcd")));
  drain.join();
}

TEST(Intake, AServerEndsWhileBodiesAreOnTheirWay) {
  auto server = StartServer(&Echo, {}, {}, &ByPath);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(Post("/a", 4, "ab")));
  ASSERT_TRUE(Eventually([&] { return server->counters().requests_active == 1; }));
  server.reset();
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(Intake, AClientIsAnAddressOrTheNetworkThatOneCustomerHas) {
  EXPECT_EQ(ClientOf("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(ClientOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(ClientOf("2001:db8:1:2:ffff::1"), ClientOf("2001:db8:1:2::9"));
  EXPECT_NE(ClientOf("2001:db8:1:3::1"), ClientOf("2001:db8:1:2::1"));
}

}  // namespace
}  // namespace cay::http
