#include "network/transfer/machine_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "network/transfer/dialer.h"

namespace cay::network {
namespace {

// Nothing: an interface's address of another family, or none.
std::optional<Address> AddressOfInterface(const sockaddr* its) {
  if (its == nullptr || (its->sa_family != AF_INET && its->sa_family != AF_INET6))
    return std::nullopt;
  sockaddr_storage space{};
  std::memcpy(&space, its, its->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  return AddressOf(space);
}

std::optional<std::vector<Address>> LookUp() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) < 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<Address> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (const auto address = AddressOfInterface(entry->ifa_addr)) addresses.push_back(*address);
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
