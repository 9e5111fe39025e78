// For tests: a server on a free port, and a client that sends bytes as they are.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/testing/test_eventually.h"
#include "http/server/server.h"

namespace cay::http {

inline std::unique_ptr<Server> StartServer(Handler handler, ServerLimits limits = {},
                                           TlsOptions tls = {}, Screen screen = {}) {
  ServerOptions options;
  options.listen = {{.host = "127.0.0.1", .port = 0, .unix_path = {}}};
  options.limits = limits;
  options.tls = std::move(tls);
  auto server = Server::Start(std::move(options), std::move(handler), std::move(screen));
  if (!server) {
    ADD_FAILURE() << server.error().ToString();
    std::abort();
  }
  return std::move(*server);
}

// A handler that answers "ok" when it is told to.
class HeldHandler {
 public:
  void operator()(Exchange& exchange) {
    begun_.release();
    go_.acquire();
    static_cast<void>(exchange.Respond({.status = 200, .body = "ok"}));
  }
  // Until so many more requests are held.
  void AwaitBegun(int count) {
    for (int i = 0; i < count; ++i) begun_.acquire();
  }
  // Lets so many be answered.
  void Go(int count) { go_.release(count); }

 private:
  std::counting_semaphore<64> begun_{0};
  std::counting_semaphore<64> go_{0};
};

// A connection of which the test says every byte. No wait is longer than 20 s.
class RawClient {
 public:
  explicit RawClient(const Server& server) : RawClient(server.addresses().front().port) {}
  explicit RawClient(uint16_t port)
      : fd_(Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(put));
    }
    return true;
  }
  void CloseWrite() { ::shutdown(fd_.get(), SHUT_WR); }

  // Everything up to `end`, which is included; what there is when the connection ends before.
  std::string ReadUntil(std::string_view end) {
    for (;;) {
      const size_t found = buffer_.find(end);
      if (found != std::string::npos) return Take(found + end.size());
      if (!Fill()) return Take(buffer_.size());
    }
  }
  std::string ReadExactly(size_t bytes) {
    while (buffer_.size() < bytes && Fill()) {
    }
    return Take(std::min(bytes, buffer_.size()));
  }
  std::string ReadToEnd() {
    while (Fill()) {
    }
    return Take(buffer_.size());
  }
  // A head and as much of a body as its Content-Length says.
  std::string ReadResponse() {
    std::string response = ReadUntil("\r\n\r\n");
    const size_t field = response.find("Content-Length: ");
    if (field == std::string::npos) return response;
    return response + ReadExactly(std::stoul(response.substr(field + 16)));
  }
  std::string Ask(std::string_view bytes) { return Send(bytes) ? ReadResponse() : std::string(); }

 private:
  bool Fill() {
    pollfd waited = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 20'000) <= 0) {
      ADD_FAILURE() << "nothing came for 20 s";
      return false;
    }
    std::array<char, 65536> space;
    const ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
    if (got <= 0) return false;
    buffer_.append(space.data(), static_cast<size_t>(got));
    return true;
  }
  std::string Take(size_t bytes) {
    std::string taken = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return taken;
  }

  Fd fd_;
  bool connected_ = false;
  std::string buffer_;
};

}  // namespace cay::http
