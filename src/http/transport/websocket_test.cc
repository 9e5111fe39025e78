#include "http/transport/websocket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/client/client.h"
#include "http/server/test_server.h"

namespace cay::http {
namespace {

using Kind = WebSocket::Kind;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kHandshake =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// Sends every message back; the one "bye" closes.
void EchoMessages(Exchange& exchange) {
  auto socket = exchange.AcceptWebSocket();
  if (!socket) {
    static_cast<void>(
        exchange.Respond({.status = 400, .headers = {}, .body = socket.error().message()}));
    return;
  }
  for (;;) {
    const auto message = (*socket)->Read();
    if (!message || !*message) return;
    if ((*message)->bytes == "bye") return (*socket)->Close(1000, "as you wish");
    if (!(*socket)->Send((*message)->kind, (*message)->bytes)) return;
  }
}

std::string Frame(Opcode opcode, std::string_view payload, bool final = true) {
  const FrameMask mask = {1, 2, 3, 4};
  std::string bytes =
      MakeFrameHead({.final = final, .opcode = opcode, .mask = mask, .length = payload.size()});
  std::string masked(payload);
  Mask(masked, mask);
  return bytes + masked;
}

// Connected, past the handshake.
class WebSocketServer : public testing::Test {
 protected:
  explicit WebSocketServer(ServerLimits limits = {})
      : server_(StartServer(EchoMessages, limits)), client_(*server_) {
    EXPECT_TRUE(client_.Send(kHandshake));
    head_ = client_.ReadUntil("\r\n\r\n");
  }

  std::unique_ptr<Server> server_;
  RawClient client_;
  std::string head_;
};

TEST_F(WebSocketServer, ShakesHandsAsInRfc6455) {
  EXPECT_THAT(head_, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(head_, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

TEST_F(WebSocketServer, PutsFragmentsTogetherAndAnswersPingsBetweenThem) {
  ASSERT_TRUE(client_.Send(Frame(Opcode::kText, "one ", false) + Frame(Opcode::kPing, "p") +
                           Frame(Opcode::kContinuation, "two")));
  EXPECT_EQ(client_.ReadExactly(3), "\x8a\x01p");
  EXPECT_EQ(client_.ReadExactly(9), "\x81\x07one two");
}

TEST_F(WebSocketServer, TakesFramesByteByByte) {
  for (const char byte : Frame(Opcode::kBinary, "slow")) ASSERT_TRUE(client_.Send({&byte, 1}));
  EXPECT_EQ(client_.ReadExactly(6), "\x82\x04slow");
}

TEST_F(WebSocketServer, SendsTheCloseFrameBack) {
  ASSERT_TRUE(client_.Send(Frame(Opcode::kClose, "\x0f\xa0why")));
  EXPECT_EQ(client_.ReadToEnd(), "\x88\x02\x0f\xa0");
}

TEST_F(WebSocketServer, ClosesWithAReason) {
  ASSERT_TRUE(client_.Send(Frame(Opcode::kText, "bye")));
  EXPECT_EQ(client_.ReadToEnd(),
            "\x88\x0d\x03\xe8"
            "as you wish");
}

struct Offence {
  const char* name;
  std::string bytes;
  uint16_t code;
};
class WebSocketOffence : public WebSocketServer, public testing::WithParamInterface<Offence> {};

TEST_P(WebSocketOffence, IsAnsweredWithItsCode) {
  ASSERT_TRUE(client_.Send(GetParam().bytes));
  const std::string answer = client_.ReadToEnd();
  ASSERT_EQ(answer.size(), 4U);
  EXPECT_EQ(answer[0], '\x88');
  EXPECT_EQ(static_cast<unsigned char>(answer[2]) << 8 | static_cast<unsigned char>(answer[3]),
            GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    All, WebSocketOffence,
    testing::Values(
        Offence{"unmasked", "\x81\x01x", 1002},
        Offence{"reserved_bit", "\xc1\x80\x01\x02\x03\x04", 1002},
        Offence{"reserved_opcode", "\x83\x80\x01\x02\x03\x04", 1002},
        Offence{"fragmented_ping", Frame(Opcode::kPing, "", false), 1002},
        Offence{"long_ping", Frame(Opcode::kPing, std::string(126, 'x')), 1002},
        Offence{"continuation_of_nothing", Frame(Opcode::kContinuation, "x"), 1002},
        Offence{"message_within_a_message",
                Frame(Opcode::kText, "x", false) + Frame(Opcode::kText, "y"), 1002},
        Offence{"length_not_as_short_as_can_be", std::string("\x82\xfe\x00\x01", 4) + "maskx",
                1002},
        Offence{"length_over_63_bits", "\x82\xff" + std::string(8, '\xff') + "mask", 1002},
        Offence{"text_not_utf8", Frame(Opcode::kText, "\xff"), 1007},
        Offence{"close_code", Frame(Opcode::kClose, "\x03\xed"), 1002},
        Offence{"close_of_one_byte", Frame(Opcode::kClose, "x"), 1002},
        Offence{"message_too_large",
                std::string("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01", 10) + "mask", 1009},
        Offence{"fragments_too_large",
                Frame(Opcode::kBinary, std::string(1 * kMiB, 'x'), false) +
                    Frame(Opcode::kContinuation, "x"),
                1009}),
    [](const auto& tested) { return tested.param.name; });

TEST(WebSocketMemory, ThereIsSomeForSmallMessagesWhenThereIsNoneForLargeOnes) {
  ServerLimits limits;
  limits.max_bodies_held = 64 * kKiB;
  const auto server = StartServer(EchoMessages, limits);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(kHandshake));
  client.ReadUntil("\r\n\r\n");
  const std::string small(4000, 'x');
  ASSERT_TRUE(client.Send(Frame(Opcode::kBinary, small)));
  EXPECT_THAT(client.ReadExactly(4004), EndsWith(small));
  ASSERT_TRUE(client.Send(Frame(Opcode::kBinary, std::string(200'000, 'x'))));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("\x88"));
}

TEST(WebSocketHandshake, IsRefusedWhenItIsNone) {
  const auto server = StartServer(EchoMessages);
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"Version: 13", "Version: 12"},
                                 {"dGhlIHNhbXBsZSBub25jZQ==", "short"},
                                 {"Upgrade: websocket", "Upgrade: other"},
                                 {"GET ", "POST "}}) {
    RawClient client(*server);
    std::string bytes(kHandshake);
    bytes.replace(bytes.find(from), from.size(), to);
    EXPECT_THAT(client.Ask(bytes), StartsWith("HTTP/1.1 400 ")) << to;
  }
}

std::unique_ptr<WebSocket> Open(const Server& server) {
  const auto url = Url::Parse("http://" + server.addresses().front().ToString());
  const auto client = *Client::Open(*url);
  auto socket = client->OpenWebSocket("/ws", {});
  if (!socket) {
    ADD_FAILURE() << socket.error().ToString();
    return nullptr;
  }
  return std::move(*socket);
}

TEST(WebSocketClient, TalksWithTheServer) {
  const auto server = StartServer(EchoMessages);
  const auto socket = Open(*server);
  ASSERT_NE(socket, nullptr);
  for (const size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 1048576U}) {
    const std::string sent(size, 'x');
    ASSERT_TRUE(socket->Send(Kind::kBinary, sent));
    const auto message = socket->Read();
    ASSERT_TRUE(message && *message) << size;
    EXPECT_EQ((*message)->kind, Kind::kBinary);
    EXPECT_EQ((*message)->bytes, sent);
  }
  ASSERT_TRUE(socket->Send(Kind::kText, "bye"));
  const auto end = socket->Read();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
}

TEST(WebSocketClient, SeesMessagesThatCameTogether) {
  const auto server = StartServer([](Exchange& exchange) {
    const auto socket = exchange.AcceptWebSocket();
    ASSERT_TRUE(socket);
    for (const std::string_view text : {"1", "2", "3"}) {
      EXPECT_TRUE((*socket)->Send(Kind::kText, text));
    }
    EXPECT_FALSE(*(*socket)->Read());
  });
  const auto socket = Open(*server);
  ASSERT_NE(socket, nullptr);
  for (const std::string_view text : {"1", "2", "3"}) {
    if (!socket->HasBuffered()) {
      pollfd waited = {.fd = socket->fd(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&waited, 1, 20'000), 1);
    }
    ASSERT_TRUE(Eventually([&] { return *socket->Advance(); }));
    EXPECT_EQ((**socket->Read()).bytes, text);
  }
  socket->Close(1000, {});
}

TEST(WebSocketClient, SaysWhyItWasNotOpened) {
  const auto server = StartServer([](Exchange& exchange) {
    EXPECT_TRUE(exchange.Respond({.status = 404, .headers = {}, .body = "no such sandbox"}));
  });
  const auto client =
      *Client::Open(*Url::Parse("http://" + server->addresses().front().ToString()));
  const auto socket = client->OpenWebSocket("/ws", {});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(socket.error().message(), HasSubstr("404 no such sandbox"));
}

// A peer that answers nothing is asked for a sign of life, and then given up.
TEST(WebSocketSilence, EndsTheConnection) {
  ServerLimits limits;
  limits.stall_timeout = Millis(30);
  std::atomic<bool> timed_out{false};
  const auto server = StartServer(
      [&](Exchange& exchange) {
        const auto socket = exchange.AcceptWebSocket();
        ASSERT_TRUE(socket);
        const auto message = (*socket)->Read();
        timed_out = !message && message.error().code() == ErrorCode::kTimeout;
      },
      limits);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(kHandshake));
  client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(client.ReadToEnd(), std::string("\x89\x00", 2));
  EXPECT_TRUE(Eventually([&] { return timed_out.load(); }));
}

// A handler that was busy with its output for long asks first.
TEST(WebSocketSilence, IsAskedAboutBeforeItEndsTheConnection) {
  ServerLimits limits;
  limits.stall_timeout = Millis(30);
  std::atomic<bool> alive{false};
  const auto server = StartServer(
      [&](Exchange& exchange) {
        const auto socket = exchange.AcceptWebSocket();
        ASSERT_TRUE(socket);
        ::poll(nullptr, 0, 100);  // longer than both times together
        const auto ready = (*socket)->Advance();
        alive = ready && !*ready;
      },
      limits);
  RawClient client(*server);
  ASSERT_TRUE(client.Send(kHandshake));
  client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(client.ReadExactly(2), std::string("\x89\x00", 2));
  EXPECT_TRUE(Eventually([&] { return alive.load(); }));
}

// A thread that waits for something else as well does not get stuck in a ping.
TEST(WebSocketAdvance, AnswersAPingAndSaysThatThereIsNoMessage) {
  std::atomic<int> advances{0};
  const auto server = StartServer([&](Exchange& exchange) {
    const auto socket = exchange.AcceptWebSocket();
    ASSERT_TRUE(socket);
    for (;;) {
      pollfd waited = {.fd = (*socket)->fd(), .events = POLLIN, .revents = 0};
      if (!(*socket)->HasBuffered()) {
        ASSERT_EQ(::poll(&waited, 1, 20'000), 1);
      }
      const auto ready = (*socket)->Advance();
      ASSERT_TRUE(ready);
      ++advances;
      if (*ready) break;
    }
    EXPECT_EQ((**(*socket)->Read()).bytes, "message");
  });
  RawClient client(*server);
  ASSERT_TRUE(client.Send(kHandshake));
  client.ReadUntil("\r\n\r\n");
  ASSERT_TRUE(client.Send(Frame(Opcode::kPing, "x")));
  EXPECT_EQ(client.ReadExactly(3), "\x8a\x01x");
  ASSERT_TRUE(Eventually([&] { return advances == 1; }));
  ASSERT_TRUE(client.Send(Frame(Opcode::kText, "message")));
  client.ReadToEnd();
  EXPECT_GE(advances, 2);
}

}  // namespace
}  // namespace cay::http
