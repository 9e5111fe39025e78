// Slow, greedy and numerous clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <semaphore>

#include "base/testing/test_memory.h"
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

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void SayOk(Exchange& exchange) {
  static_cast<void>(exchange.Respond({.status = 200, .body = "ok"}));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kBytesPerConnection = 64 * kKiB;  // a sanitizer keeps what was freed
#else
constexpr size_t kBytesPerConnection = 8 * kKiB;
#endif

TEST(Limits, AHeadThatDoesNotEndIsTimedOut) {
  ServerLimits limits;
  limits.header_timeout = Millis(50);
  const auto server = StartServer(SayOk, limits);
  RawClient client(*server);
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow"));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(server->counters().timeouts, 1U);
}

TEST(Limits, AnIdleConnectionIsClosedWithoutAWord) {
  ServerLimits limits;
  limits.idle_timeout = Millis(50);
  const auto server = StartServer(SayOk, limits);
  RawClient client(*server);
  EXPECT_THAT(client.ReadToEnd(), IsEmpty());
}

TEST(Limits, ABodyThatStallsIsATimeout) {
  ServerLimits limits;
  limits.stall_timeout = Millis(50);
  const auto server = StartServer(
      [](Exchange& exchange) {
        const auto body = exchange.ReadWholeBody(1000);
        EXPECT_EQ(body.error().code(), ErrorCode::kTimeout);
        EXPECT_TRUE(exchange.Respond({.status = 408}));
      },
      limits);
  RawClient client(*server);
  ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12"));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

// A client that stops reading ends the stream; what it did not take is not kept.
TEST(Limits, AClientThatDoesNotReadIsATimeoutAndCostsNoMemory) {
  ServerLimits limits;
  limits.stall_timeout = Millis(200);
  std::atomic<int> ended{0};
  const auto server = StartServer(
      [&](Exchange& exchange) {
        const std::string piece(64 * kKiB, 'y');
        ASSERT_TRUE(exchange.Begin(200, {}));
        for (;;) {
          const auto written = exchange.Write(piece);
          if (written) continue;
          EXPECT_EQ(written.error().code(), ErrorCode::kTimeout);
          break;
        }
        ++ended;
      },
      limits);
  RawClient client(*server);
  const size_t before = ResidentBytes();
  ASSERT_TRUE(client.Send(kGet));
  ASSERT_TRUE(Eventually([&] { return ended == 1; }));
  EXPECT_LT(ResidentBytes(), before + 8 * kMiB);
}

TEST(Limits, OverTheMostRequestsAtOnceIsUnavailable) {
  ServerLimits limits;
  limits.max_active = 2;
  HeldHandler held;
  const auto server = StartServer(std::ref(held), limits);
  RawClient first(*server);
  RawClient second(*server);
  ASSERT_TRUE(first.Send(kGet) && second.Send(kGet));
  held.AwaitBegun(2);
  for (int i = 0; i < 5; ++i) {
    RawClient third(*server);
    ASSERT_TRUE(third.Send(kGet));
    EXPECT_THAT(third.ReadToEnd(),
                AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n")));
  }
  held.Go(2);
  EXPECT_THAT(first.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("ok"));
}

TEST(Limits, OverTheMostConnectionsIsRefused) {
  ServerLimits limits;
  limits.max_connections = 2;
  HeldHandler held;
  const auto server = StartServer(std::ref(held), limits);
  RawClient first(*server);
  RawClient second(*server);
  ASSERT_TRUE(first.Send(kGet) && second.Send(kGet));
  held.AwaitBegun(2);
  RawClient third(*server);
  EXPECT_THAT(third.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(server->counters().connections_refused, 1U);
  held.Go(2);
  EXPECT_THAT(first.ReadResponse(), EndsWith("ok"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("ok"));
}

TEST(Limits, IdleConnectionsMakeWayForNewOnes) {
  ServerLimits limits;
  limits.max_connections = 4;
  const auto server = StartServer(SayOk, limits);
  std::vector<RawClient> idle;
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(idle.emplace_back(*server).Ask(kGet), EndsWith("ok"));
  }
  // The one that finds no place makes one for those after it.
  ASSERT_TRUE(Eventually([&] {
    RawClient later(*server);
    return later.Ask(kGet).ends_with("ok");
  }));
}

TEST(Limits, ManyIdleConnectionsCostNeitherThreadsNorMuchMemory) {
  const auto server = StartServer(SayOk);
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const size_t count = std::min<size_t>(2000, files.rlim_cur / 2 - 100);
  const size_t before = ResidentBytes();
  std::vector<RawClient> clients;
  clients.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(clients.emplace_back(*server).connected());
    ASSERT_THAT(clients.back().Ask(kGet), EndsWith("ok"));
  }
  EXPECT_EQ(server->counters().connections_open, count);
  EXPECT_LT(server->counters().threads, 20U);
  EXPECT_LT(ResidentBytes(), before + count * kBytesPerConnection);
  EXPECT_THAT(clients.front().Ask(kGet), EndsWith("ok"));
}

TEST(Limits, RunningOutOfDescriptorsIsWaitedOut) {
  const auto server = StartServer(SayOk);
  RawClient first(*server);
  EXPECT_THAT(first.Ask(kGet), EndsWith("ok"));
  RawClient second(*server);  // its descriptor is there, that of the server's end may not be
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &saved), 0);
  std::optional<RawClient> third(std::in_place, *server);
  rlimit none = saved;
  none.rlim_cur = 3;
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_open == 3; }));
  third.reset();
  Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server->addresses().front().port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  // Those that are there are served meanwhile.
  EXPECT_THAT(first.Ask(kGet), EndsWith("ok"));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &saved), 0);
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_accepted == 4; }));
}

TEST(Gzip, IsUsedWhenItIsAcceptedAndWorthIt) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(i) + "\n";
  const auto server = StartServer([&](Exchange& exchange) {
    const bool is_small = exchange.request().path == "/small";
    const bool is_image = exchange.request().path == "/image";
    EXPECT_TRUE(exchange.Respond(
        {.status = 200,
         .headers = {{"Content-Type", is_image ? "image/png" : "text/plain; charset=utf-8"},
                     {"ETag", "\"1\""}},
         .body = is_small ? "small" : text}));
  });
  RawClient client(*server);
  const auto ask = [&](const std::string& path, const std::string& accepts) {
    return client.Ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: " + accepts +
                      "\r\n\r\n");
  };
  const std::string packed = ask("/", "br, gzip;q=0.5");
  EXPECT_THAT(packed, AllOf(HasSubstr("Content-Encoding: gzip\r\n"), HasSubstr("ETag: W/\"1\"\r\n"),
                            HasSubstr("Vary: Accept-Encoding\r\n")));
  const std::string body = packed.substr(packed.find("\r\n\r\n") + 4);
  std::string unpacked(text.size() + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = static_cast<uInt>(unpacked.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  unpacked.resize(stream.total_out);
  ::inflateEnd(&stream);
  EXPECT_EQ(unpacked, text);

  EXPECT_THAT(ask("/", "gzip;q=0"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(ask("/", "br"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(ask("/small", "gzip"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(ask("/image", "gzip"), Not(HasSubstr("Content-Encoding")));
}

TEST(Drain, LetsRequestsUnderWayFinishAndTakesNoMore) {
  HeldHandler held;
  const auto server = StartServer([&](Exchange& exchange) {
    exchange.request().path == "/slow" ? held(exchange) : SayOk(exchange);
  });
  RawClient idle(*server);
  EXPECT_THAT(idle.Ask(kGet), EndsWith("ok"));
  RawClient busy(*server);
  ASSERT_TRUE(busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
  held.AwaitBegun(1);
  std::thread drain([&] { server->Drain(Millis(20'000)); });
  EXPECT_THAT(idle.ReadToEnd(), IsEmpty());
  EXPECT_TRUE(server->draining());
  EXPECT_FALSE(RawClient(*server).connected());
  held.Go(1);
  EXPECT_THAT(busy.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Connection: close"), EndsWith("ok")));
  drain.join();
}

TEST(Drain, CutsWhatDoesNotFinish) {
  std::counting_semaphore<1> begun(0);
  const auto server = StartServer([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.Begin(200, {}));
    begun.release();
    while (exchange.Write("x")) ::poll(nullptr, 0, 1);
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send(kGet));
  begun.acquire();
  server->Drain(Millis(1));
  EXPECT_THAT(client.ReadToEnd(), Not(EndsWith("0\r\n\r\n")));
}

}  // namespace
}  // namespace cay::http
