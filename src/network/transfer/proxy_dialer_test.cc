#include "network/transfer/proxy_dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <thread>

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

constexpr uint32_t kLoopback = 0x7f00'0001;

void SendAll(const Fd& socket, std::string_view text) {
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// Exactly so many bytes, or what there is until the end.
std::string Receive(const Fd& socket, size_t bytes) {
  std::string got(bytes, '\0');
  const ssize_t count = ::recv(socket.get(), got.data(), bytes, MSG_WAITALL);
  got.resize(count < 0 ? 0 : static_cast<size_t>(count));
  return got;
}

std::string ReceiveHead(const Fd& socket) {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    const std::string one = Receive(socket, 1);
    if (one.empty()) break;
    head += one;
  }
  return head;
}

// A proxy of this machine that takes one connection and does with it what the test says, beside a
// loop in which a ProxyDialer asks it.
class ProxyDialerTest : public ::testing::Test {
 protected:
  ProxyDialerTest() : listener_(Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    const SocketAddress any(Address::V4(kLoopback), 0);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any.space), any.size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
    proxy_.host = "127.0.0.1";
    proxy_.port = ntohs(bound.sin_port);
  }

  Result<Dialer::Dialled> Dial(const std::function<void(const Fd&)>& serve) {
    auto loop = EventLoop::Create();
    EXPECT_TRUE(loop);
    Deadlines deadlines(*loop);
    std::optional<Result<Dialer::Dialled>> told;
    std::optional<ProxyDialer> dialer;
    dialer.emplace(*loop, deadlines, proxy_, std::vector<Address>{Address::V4(kLoopback)},
                   "example.com", uint16_t{443}, [&](Result<Dialer::Dialled> dialled) {
                     EXPECT_FALSE(told);
                     told.emplace(std::move(dialled));
                     dialer.reset();
                     loop->Stop();
                   });
    std::thread other([&] {
      const int raw = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      ASSERT_GE(raw, 0);
      serve(Fd::Adopt(raw));
    });
    dialer->Start();
    if (!told) {
      EXPECT_TRUE(loop->Run());
    }
    other.join();
    return std::move(*told);
  }
  std::string WhyNot(const std::function<void(const Fd&)>& serve) {
    const auto dialled = Dial(serve);
    return dialled ? "it connected" : dialled.error().message();
  }

  Fd listener_;
  Proxy proxy_;
};

TEST_F(ProxyDialerTest, ConnectsAndLeavesTheOtherEndsFirstBytes) {
  std::string asked;
  const auto dialled = Dial([&](const Fd& socket) {
    asked = ReceiveHead(socket);
    SendAll(socket, "HTTP/1.1 200 Connection established\r\n\r\n220 hello");
  });
  ASSERT_TRUE(dialled) << dialled.error().message();
  EXPECT_EQ(asked, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  EXPECT_EQ(Receive(dialled->socket, 9), "220 hello");
  EXPECT_EQ(dialled->address.Text(), "127.0.0.1");
}

TEST_F(ProxyDialerTest, HearsAnAnswerByteByByte) {
  const auto dialled = Dial([&](const Fd& socket) {
    (void)ReceiveHead(socket);
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (const char c : "HTTP/1.1 200 OK\r\n\r\n"s) {
      SendAll(socket, std::string_view(&c, 1));
      std::this_thread::yield();
    }
    SendAll(socket, "X");
  });
  ASSERT_TRUE(dialled) << dialled.error().message();
}

TEST_F(ProxyDialerTest, SaysWhatTheProxySaid) {
  const auto answering = [&](std::string answer) {
    return WhyNot([answer](const Fd& socket) {
      (void)ReceiveHead(socket);
      SendAll(socket, answer);
    });
  };
  const std::string through = "through http://127.0.0.1:" + std::to_string(proxy_.port) + ": ";
  proxy_.user = "me";
  proxy_.password = "hunter2";
  const std::string wants = answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  EXPECT_THAT(wants, HasSubstr(through + "the proxy does not take the user name"));
  EXPECT_THAT(wants, ::testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(answering("HTTP/1.1 502 Bad Gateway\r\n\r\n"), HasSubstr("502"));
  EXPECT_THAT(answering("garbage"), HasSubstr("does not answer as an HTTP proxy"));
  EXPECT_THAT(answering("HTTP/1.1 200 OK\r\n"), HasSubstr("hung up"));
  EXPECT_THAT(answering(""), HasSubstr("hung up"));
}

TEST_F(ProxyDialerTest, ReadsAHugeAnswerOnlySoFar) {
  const std::string why = WhyNot([](const Fd& socket) {
    (void)ReceiveHead(socket);
    SendAll(socket, "HTTP/1.1 200 OK\r\nX: " + std::string(ProxyTalk::kMaxHead, 'x'));
    (void)Receive(socket, 1);  // until it hangs up
  });
  EXPECT_THAT(why, HasSubstr("over 8192 bytes"));
}

TEST_F(ProxyDialerTest, DoesNotWaitForever) {
  const auto began = EventLoop::Clock::now();
  const std::string why = WhyNot([](const Fd& socket) {
    (void)ReceiveHead(socket);
    (void)Receive(socket, 1);
  });
  EXPECT_THAT(why, HasSubstr("did not connect within 10s"));
  EXPECT_GE(EventLoop::Clock::now() - began, std::chrono::seconds(9));
}

TEST_F(ProxyDialerTest, ConnectsBySocks) {
  proxy_.kind = Proxy::Kind::kSocks5;
  proxy_.user = "me";
  proxy_.password = "hunter2";
  std::string credentials;
  std::string asked;
  const auto dialled = Dial([&](const Fd& socket) {
    EXPECT_EQ(Receive(socket, 4), "\x05\x02\x00\x02"s);
    SendAll(socket, "\x05\x02"s);
    credentials = Receive(socket, 12);
    SendAll(socket, "\x01\x00"s);
    asked = Receive(socket, 18);
    SendAll(socket, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + "220 hello");
  });
  ASSERT_TRUE(dialled) << dialled.error().message();
  EXPECT_EQ(credentials, "\x01\x02me\x07hunter2"s);
  EXPECT_EQ(asked, "\x05\x01\x00\x03\x0b"s + "example.com\x01\xbb");
  EXPECT_EQ(Receive(dialled->socket, 9), "220 hello");
}

TEST_F(ProxyDialerTest, IsRefusedBySocks) {
  proxy_.kind = Proxy::Kind::kSocks5;
  const std::string why = WhyNot([](const Fd& socket) {
    (void)Receive(socket, 3);
    SendAll(socket, "\x05\x00"s);
    (void)Receive(socket, 18);
    SendAll(socket, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"s);
  });
  EXPECT_THAT(why, HasSubstr("the connection was refused"));
}

TEST_F(ProxyDialerTest, SaysThatThereIsNoProxy) {
  listener_ = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  Deadlines deadlines(*loop);
  std::optional<Result<Dialer::Dialled>> told;
  ProxyDialer dialer(*loop, deadlines, proxy_, {Address::V4(kLoopback)}, "example.com", 443,
                     [&](Result<Dialer::Dialled> dialled) {
                       told.emplace(std::move(dialled));
                       loop->Stop();
                     });
  dialer.Start();
  if (!told) {
    EXPECT_TRUE(loop->Run());
  }
  ASSERT_FALSE(*told);
  EXPECT_THAT(told->error().message(), HasSubstr("through http://127.0.0.1:"));
}

// Its owner may go at any moment.
TEST_F(ProxyDialerTest, IsGivenUpWhileTheProxyThinks) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  Deadlines deadlines(*loop);
  std::optional<ProxyDialer> dialer;
  dialer.emplace(*loop, deadlines, proxy_, std::vector<Address>{Address::V4(kLoopback)},
                 "example.com", uint16_t{443},
                 [](const Result<Dialer::Dialled>&) { ADD_FAILURE() << "it was given up"; });
  Deadline give_up(deadlines, [&] {
    dialer.reset();
    loop->Stop();
  });
  give_up.Set(Millis(50));
  dialer->Start();
  EXPECT_TRUE(loop->Run());
}

}  // namespace
}  // namespace cay::network
