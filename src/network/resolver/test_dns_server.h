// For tests: a name server over UDP and TCP on a port of 127.0.0.1, in a loop, that says what its
// script tells it to.
//
//   TestDnsServer server(loop.loop(), [](const TestDnsServer::Asked& asked) {
//     return TestDnsServer::Replies{asked.Message({dns_test::A(asked.name, "192.0.2.1")})};
//   });
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "network/resolver/test_dns_messages.h"

namespace cay::network {

class TestDnsServer {
 public:
  using Replies = std::vector<std::string>;  // each a datagram; none: silence
  struct Asked {
    uint16_t id = 0;
    std::string name{};
    uint16_t type = 0;
    std::string question{};  // as it came
    bool tcp = false;
    uint16_t from_port = 0;
    std::string Message(const std::vector<std::string>& records, uint16_t flags = 0) const {
      return dns_test::Message(id, question, records, flags);
    }
  };
  using Script = std::function<Replies(const Asked& asked)>;

  TestDnsServer(EventLoop& loop, Script script)
      : loop_(loop),
        script_(std::move(script)),
        sockets_(OpenBoth()),
        port_(PortOf(sockets_.first)),
        on_datagram_([this] { ReadDatagrams(); }),
        on_connection_([this] { Accept(); }) {
    ::listen(listener().get(), 16);
    (void)loop_.Watch(datagrams().get(), EPOLLIN, on_datagram_);
    (void)loop_.Watch(listener().get(), EPOLLIN, on_connection_);
  }
  TestDnsServer(const TestDnsServer&) = delete;
  TestDnsServer& operator=(const TestDnsServer&) = delete;
  ~TestDnsServer() {
    loop_.Forget(datagrams().get());
    loop_.Forget(listener().get());
    for (const auto& connection : connections_) loop_.Forget(connection->socket.get());
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::vector<Asked>& asked() const { return asked_; }
  void SetScript(Script script) { script_ = std::move(script); }
  // A datagram to who asked.
  void Send(const Asked& to, const std::string& message) {
    sockaddr_in end = Loopback(to.from_port);
    ::sendto(datagrams().get(), message.data(), message.size(), MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&end), sizeof end);
  }

 private:
  class Ready final : public EventLoop::Handler {
   public:
    explicit Ready(std::function<void()> action) : action_(std::move(action)) {}
    void OnReady(uint32_t /*events*/) override { action_(); }

   private:
    std::function<void()> action_;
  };
  struct TcpConnection {
    Fd socket;
    std::string received{};
    std::unique_ptr<Ready> ready{};
  };

  static sockaddr_in Loopback(uint16_t port) {
    return {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
            .sin_zero = {}};
  }
  static std::optional<Fd> Open(int type, uint16_t port) {
    Fd socket = Fd::Adopt(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_in end = Loopback(port);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&end), sizeof end) < 0) return {};
    const int bytes = 4 << 20;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return socket;
  }
  // On one port: somebody else may have that of the other protocol.
  static std::pair<Fd, Fd> OpenBoth() {
    while (true) {
      std::optional<Fd> tcp = Open(SOCK_STREAM, 0);
      if (!tcp) std::abort();
      if (std::optional<Fd> udp = Open(SOCK_DGRAM, PortOf(*tcp))) {
        return {*std::move(tcp), *std::move(udp)};
      }
    }
  }
  const Fd& listener() const { return sockets_.first; }
  const Fd& datagrams() const { return sockets_.second; }
  static uint16_t PortOf(const Fd& socket) {
    sockaddr_in end{};
    socklen_t length = sizeof end;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&end), &length);
    return ntohs(end.sin_port);
  }

  Asked Read(const std::string& message) {
    const auto byte = [&](size_t at) { return static_cast<uint8_t>(message.at(at)); };
    Asked asked{.id = static_cast<uint16_t>(byte(0) << 8 | byte(1))};
    size_t at = 12;
    while (byte(at) != 0) {
      if (!asked.name.empty()) asked.name += '.';
      asked.name += message.substr(at + 1, byte(at));
      at += byte(at) + 1U;
    }
    asked.type = static_cast<uint16_t>(byte(at + 1) << 8 | byte(at + 2));
    asked.question = message.substr(12, at + 5 - 12);
    return asked;
  }

  void ReadDatagrams() {
    std::array<char, 2048> bytes;
    sockaddr_in from{};
    while (true) {
      socklen_t length = sizeof from;
      const ssize_t got = ::recvfrom(datagrams().get(), bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &length);
      if (got < 0) return;
      Asked asked = Read(std::string(bytes.data(), static_cast<size_t>(got)));
      asked.from_port = ntohs(from.sin_port);
      asked_.push_back(asked);
      for (const std::string& reply : script_(asked)) Send(asked, reply);
    }
  }

  void Accept() {
    const int raw = ::accept4(listener().get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (raw < 0) return;
    connections_.push_back(
        std::make_unique<TcpConnection>(TcpConnection{.socket = Fd::Adopt(raw)}));
    TcpConnection& connection = *connections_.back();
    connection.ready = std::make_unique<Ready>([this, &connection] { ReadStream(connection); });
    (void)loop_.Watch(raw, EPOLLIN, *connection.ready);
  }

  void ReadStream(TcpConnection& connection) {
    std::array<char, 2048> bytes;
    const ssize_t got = ::recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) {
      loop_.Forget(connection.socket.get());
      return;
    }
    std::string& received = connection.received;
    received.append(bytes.data(), static_cast<size_t>(got));
    while (received.size() >= 2) {
      const size_t size = static_cast<size_t>(static_cast<uint8_t>(received[0]) << 8 |
                                              static_cast<uint8_t>(received[1]));
      if (received.size() < size + 2) return;
      Asked asked = Read(received.substr(2, size));
      received.erase(0, size + 2);
      asked.tcp = true;
      asked_.push_back(asked);
      for (const std::string& reply : script_(asked)) {
        const std::string framed = dns_test::U16(reply.size()) + reply;
        ::send(connection.socket.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
      }
    }
  }

  EventLoop& loop_;
  Script script_;
  std::pair<Fd, Fd> sockets_;  // of TCP and UDP
  uint16_t port_;
  Ready on_datagram_;
  Ready on_connection_;
  std::vector<std::unique_ptr<TcpConnection>> connections_;
  std::vector<Asked> asked_;
};

}  // namespace cay::network
