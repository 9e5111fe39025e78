// What listens on the host, and must not be reached from a sandbox.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "arena.h"

namespace cay::attacks {
namespace {

Fd OpenSocket(int family) {
  const int raw = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (raw < 0) std::abort();
  return Fd::Adopt(raw);
}

class HostListener {
 public:
  // On all addresses of the family, at a free port.
  explicit HostListener(int family) : socket_(OpenSocket(family)) {
    sockaddr_in6 address{};
    address.sin6_family = static_cast<sa_family_t>(family);
    socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    ready_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
             ::listen(socket_.get(), 16) == 0 &&
             ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
    port_ = ntohs(address.sin6_port);  // at the same place in both families
  }
  // At a path, or an abstract name that begins with '@'.
  explicit HostListener(const std::string& path) : socket_(OpenSocket(AF_UNIX)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    ready_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
             ::listen(socket_.get(), 16) == 0;
    if (path[0] != '@') ::chmod(path.c_str(), 0666);
  }
  bool ready() const { return ready_; }
  std::string port() const { return std::to_string(port_); }

 private:
  Fd socket_;
  bool ready_ = false;
  uint16_t port_ = 0;
};

// Both callers: whoever is root, and an ordinary user.
std::vector<Arena*> Callers() {
  if (::geteuid() != 0) return {&Arena::Own()};
  return {&Arena::Own(), &Arena::OrdinaryUser()};
}

void ExpectRefused(const std::string& probe) {
  for (const Arena* arena : Callers()) {
    const Outcome outcome = arena->Attack(probe)->Wait();
    EXPECT_TRUE(VerdictOf(outcome).starts_with("refused")) << outcome.out << outcome.err;
  }
}

// The probe as an ordinary program of the host: it must get through, or the test proves nothing.
void ExpectThroughOutside(const std::string& probe) {
  std::vector<std::string> argv = SplitWords(probe);
  argv.insert(argv.begin(), Arena::Own().victim());
  ChildProcess::Options options;
  options.argv = argv;
  ChildProcess child(options);
  EXPECT_EQ(VerdictOf(child.Wait()), "through");
}

TEST(HostNetwork, APortOfTheHostIsNotReached) {
  const HostListener listener(AF_INET);
  ASSERT_TRUE(listener.ready());
  ExpectThroughOutside("connect 127.0.0.1 " + listener.port());
  ExpectRefused("connect 127.0.0.1 " + listener.port());
  ExpectRefused("connect 0.0.0.0 " + listener.port());
}

TEST(HostNetwork, AnIpv6PortOfTheHostIsNotReached) {
  const HostListener listener(AF_INET6);
  if (!listener.ready()) GTEST_SKIP() << "the machine has no IPv6";
  ExpectThroughOutside("connect ::1 " + listener.port());
  ExpectRefused("connect ::1 " + listener.port());
}

TEST(HostNetwork, AnAbstractSocketOfTheHostIsNotReached) {
  const std::string name = "@cay-attack-" + std::to_string(::getpid());
  const HostListener listener(name);
  ASSERT_TRUE(listener.ready());
  ExpectThroughOutside("unix " + name);
  ExpectRefused("unix " + name);
}

TEST(HostNetwork, ASocketFileOfTheHostIsNotReached) {
  const std::string path = Arena::Own().directory() + "/listener";
  const HostListener listener(path);
  ASSERT_TRUE(listener.ready());
  ExpectThroughOutside("unix " + path);
  ExpectRefused("unix " + path);
}

}  // namespace
}  // namespace cay::attacks
