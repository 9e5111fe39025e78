#include "network/relay/machine_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace cay::network {
namespace {

std::optional<Address> AddressOf(const sockaddr* socket_address) {
  if (socket_address == nullptr) return std::nullopt;
  if (socket_address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, socket_address, sizeof in);
    return Address::V4(ntohl(in.sin_addr.s_addr));
  }
  if (socket_address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, socket_address, sizeof in);
    std::array<uint8_t, Address::kBytes> bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return Address::V6(bytes);
  }
  return std::nullopt;
}

std::optional<std::vector<Address>> LookUp() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) < 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<Address> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (const auto address = AddressOf(entry->ifa_addr)) addresses.push_back(*address);
  }
  return addresses;
}

}  // namespace

bool MachineAddresses::IsOwn(const Address& address) {
  const Clock::time_point now = Clock::now();
  if (!known_ || now - looked_ >= kFresh) {
    auto found = LookUp();
    known_ = found.has_value();
    if (found) own_ = *std::move(found);
    looked_ = now;
  }
  return !known_ || std::ranges::find(own_, address.Unmapped()) != own_.end();
}

std::vector<Address> MachineAddresses::Loopback() {
  std::array<uint8_t, Address::kBytes> one{};
  one.back() = 1;
  return {Address::V4(0x7f00'0001), Address::V6(one)};
}

}  // namespace cay::network
