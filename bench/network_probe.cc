// cay-bench-probe: the client and the server of the network cases, one static program, so that the
// same one runs wherever a network is: on the host, in sandboxes, containers and namespaces.
//
//   cay-bench-probe serve-first ADDRESS PORT     answers a byte with a byte
//   cay-bench-probe serve-bytes ADDRESS PORT     answers a number with so many bytes
//   cay-bench-probe serve-hold  ADDRESS PORT     keeps every connection, until it is killed
//   cay-bench-probe first ADDRESS PORT COUNT     microseconds from before connect to the first byte
//   cay-bench-probe bytes ADDRESS PORT COUNT     microseconds until so many bytes have come
//   cay-bench-probe hold  ADDRESS PORT COUNT     says "ready", and once there is a file `go` opens so
//                                                many, keeps them and sleeps
//
// Servers say "listening". Clients say a number a line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr size_t kPieceBytes = 256 * 1024;
constexpr int kBacklog = 1024;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

sockaddr_in AddressOf(const char* text, const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (::inet_pton(AF_INET, text, &address.sin_addr) != 1) {
    std::fprintf(stderr, "%s is not an IPv4 address\n", text);
    std::exit(1);
  }
  return address;
}

int NewSocket() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) Die("socket");
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

int Connect(const sockaddr_in& address) {
  const int socket = NewSocket();
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    Die("connect");
  return socket;
}

int Listen(const sockaddr_in& address) {
  const int socket = NewSocket();
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) Die("bind");
  if (::listen(socket, kBacklog) < 0) Die("listen");
  std::puts("listening");
  std::fflush(stdout);
  return socket;
}

bool SendAll(int socket, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int socket, void* bytes, size_t size) {
  return ::recv(socket, bytes, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// One connection after the other.
[[noreturn]] void Serve(std::string_view mode, const sockaddr_in& address) {
  const int listener = Listen(address);
  const std::vector<char> piece(kPieceBytes, 'x');
  for (;;) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) Die("accept");
    if (mode == "serve-hold") continue;
    uint64_t left = 0;
    if (mode == "serve-first") {
      char byte = 0;
      if (ReceiveAll(client, &byte, 1)) SendAll(client, &byte, 1);
    } else if (ReceiveAll(client, &left, sizeof left)) {
      while (left > 0) {
        const size_t size = std::min<size_t>(left, piece.size());
        if (!SendAll(client, piece.data(), size)) break;
        left -= size;
      }
    }
    ::close(client);
  }
}

// With a pause after each: connections of a program, and no flood.
void First(const sockaddr_in& address, long count) {
  for (long i = 0; i < count; ++i) {
    char byte = 'h';
    const auto start = Clock::now();
    const int socket = Connect(address);
    if (!SendAll(socket, &byte, 1) || !ReceiveAll(socket, &byte, 1)) Die("the first byte");
    std::printf("%.3f\n", MicrosecondsSince(start));
    ::close(socket);
    std::this_thread::sleep_for(1ms);
  }
}

void Bytes(const sockaddr_in& address, uint64_t count) {
  std::vector<char> piece(kPieceBytes);
  const auto start = Clock::now();
  const int socket = Connect(address);
  if (!SendAll(socket, reinterpret_cast<const char*>(&count), sizeof count)) Die("send");
  uint64_t got = 0;
  for (ssize_t size = 0; (size = ::recv(socket, piece.data(), piece.size(), 0)) > 0;)
    got += static_cast<uint64_t>(size);
  if (got != count) Die("bytes were lost");
  std::printf("%.3f\n", MicrosecondsSince(start));
}

[[noreturn]] void Hold(const sockaddr_in& address, long count) {
  std::puts("ready");
  std::fflush(stdout);
  while (::access("go", F_OK) != 0) std::this_thread::sleep_for(20ms);
  // Within what a second may have.
  for (long i = 0; i < count; ++i) {
    Connect(address);
    std::this_thread::sleep_for(2ms);
  }
  std::puts("held");
  std::fflush(stdout);
  for (;;) ::pause();
}

void TakeAllDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool serves = mode.starts_with("serve-");
  if (argc != (serves ? 4 : 5)) {
    std::fputs("usage: cay-bench-probe MODE ADDRESS PORT [COUNT]\n", stderr);
    return 1;
  }
  TakeAllDescriptors();
  const sockaddr_in address = AddressOf(argv[2], argv[3]);
  if (serves) Serve(mode, address);
  if (mode == "first") First(address, std::atol(argv[4]));
  if (mode == "bytes") Bytes(address, std::strtoull(argv[4], nullptr, 10));
  if (mode == "hold") Hold(address, std::atol(argv[4]));
  return 0;
}
