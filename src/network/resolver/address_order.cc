#include "network/resolver/address_order.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/os/fd.h"

namespace cay::network {
namespace {

// Any will do: nothing is sent to it.
constexpr uint16_t kSomePort = 443;

std::vector<Address> Joined(std::span<const Address> first, std::span<const Address> then) {
  std::vector<Address> all(first.begin(), first.end());
  all.insert(all.end(), then.begin(), then.end());
  return all;
}

}  // namespace

std::optional<Address> SourceFor(const Address& to) {
  const bool v4 = to.family() == Family::kV4;
  const int raw = ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return std::nullopt;
  const Fd socket = Fd::Adopt(raw);
  // connect(2) of a datagram socket chooses the route and the source address.
  if (v4) {
    sockaddr_in end{.sin_family = AF_INET,
                    .sin_port = htons(kSomePort),
                    .sin_addr = {.s_addr = htonl(to.v4())},
                    .sin_zero = {}};
    socklen_t length = sizeof end;
    if (::connect(raw, reinterpret_cast<const sockaddr*>(&end), length) < 0 ||
        ::getsockname(raw, reinterpret_cast<sockaddr*>(&end), &length) < 0) {
      return std::nullopt;
    }
    return Address::V4(ntohl(end.sin_addr.s_addr));
  }
  sockaddr_in6 end{};
  end.sin6_family = AF_INET6;
  end.sin6_port = htons(kSomePort);
  std::ranges::copy(to.bytes(), end.sin6_addr.s6_addr);
  socklen_t length = sizeof end;
  if (::connect(raw, reinterpret_cast<const sockaddr*>(&end), length) < 0 ||
      ::getsockname(raw, reinterpret_cast<sockaddr*>(&end), &length) < 0) {
    return std::nullopt;
  }
  std::array<uint8_t, Address::kBytes> bytes{};
  std::ranges::copy(end.sin6_addr.s6_addr, bytes.begin());
  return Address::V6(bytes);
}

std::vector<Address> OrderForDialling(std::span<const Address> v6, std::span<const Address> v4,
                                      const SourceOf& source) {
  if (v6.empty() || v4.empty()) return Joined(v6, v4);
  const std::optional<Address> v6_source = source(v6.front());
  if (!v6_source) return Joined(v4, v6);  // RFC 6724, destination rule 1
  if (!source(v4.front())) return Joined(v6, v4);
  // Rules 2 and 5: from an address of another kind (unique local, or of a tunnel, to a public one)
  // IPv6 often leads nowhere, and IPv4 is preferred.
  const bool v6_first = KindOf(*v6_source) == KindOf(v6.front());
  const std::span<const Address> first = v6_first ? v6 : v4;
  const std::span<const Address> second = v6_first ? v4 : v6;
  std::vector<Address> all;
  for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) all.push_back(first[i]);
    if (i < second.size()) all.push_back(second[i]);
  }
  return all;
}

}  // namespace cay::network
