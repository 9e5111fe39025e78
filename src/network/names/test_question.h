// For tests: what a program inside a sandbox is told when it asks for a name.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "network/policy/address.h"
#include "network/resolver/test_dns_messages.h"

namespace cay::network {

// By the socket at that port of 127.0.0.1: the address; empty: there is none, or no answer.
inline std::string AskForName(uint16_t port, std::string_view name) {
  const std::string question = dns_test::U16(7) + dns_test::U16(0x0100) + dns_test::U16(1) +
                               std::string(6, '\0') + dns_test::Question(name, dns_test::kA);
  const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  std::array<char, 512> answer{};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0 ||
      ::send(socket.get(), question.data(), question.size(), 0) < 0)
    return {};
  const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
  // With one answer, whose data are the last bytes.
  if (got < 16 || answer[7] != 1) return {};
  uint32_t address = 0;
  for (auto at = static_cast<size_t>(got) - 4; at < static_cast<size_t>(got); ++at)
    address = address << 8 | static_cast<unsigned char>(answer[at]);
  return Address::V4(address).Text();
}

}  // namespace cay::network
