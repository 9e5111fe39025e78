#include "template/registry/rules/address_guard.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "network/transfer/dialer.h"
#include "network/transfer/machine_addresses.h"

namespace cay::templates::registry {
namespace {

using network::Address;

Error Unknown(const std::string& host, std::string_view why) {
  return {ErrorCode::kUnavailable, Fault::kMachine,
          "the name " + host + " is not known: " + std::string(why)};
}

Error Refused(const std::string& host, const Address& address, std::string_view kind) {
  const std::string text = address.Text();
  const std::string where = host == text ? text : host + " is at " + text + ", which";
  return Error(ErrorCode::kPermissionDenied, Fault::kCaller,
               where + " is " + std::string(kind) + ", which images are not fetched from")
      .WithRemedy("an administrator can name it in private_registries");
}

}  // namespace

Result<std::vector<Address>> LookUpHost(const std::string& host) {
  if (const auto address = Address::Parse(host)) return std::vector{*address};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed != 0) return Failure(Unknown(host, ::gai_strerror(failed)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    sockaddr_storage space{};
    std::memcpy(&space, one->ai_addr, one->ai_addrlen);
    addresses.push_back(network::AddressOf(space));
  }
  if (addresses.empty()) return Failure(Unknown(host, "it has no address"));
  return addresses;
}

Result<std::vector<Address>> AddressGuard::Allowed(const std::string& host, uint16_t port) const {
  const std::vector<Address> found = TRY(lookup_(host));
  if (found.empty()) return Failure(Unknown(host, "it has no address"));
  network::MachineAddresses machine;
  std::vector<Address> allowed;
  std::optional<Error> refused;
  for (const Address& one : found) {
    const Address address = one.Unmapped();
    const network::AddressKind kind = network::KindOf(address);
    // Nobody is at these, whatever an administrator names.
    const bool is_nobody =
        kind == network::AddressKind::kUnspecified || kind == network::AddressKind::kMulticast;
    const bool is_public = kind == network::AddressKind::kPublic;
    const bool is_free = is_public && !machine.IsOwn(address);
    if (!is_nobody && (is_free || rules_.IsNamed(host, port, address))) {
      if (allowed.size() < kMaxAddresses) allowed.push_back(address);
    } else if (!refused) {
      refused = Refused(host, address,
                        is_public ? "an address of this machine" : network::KindText(kind));
    }
  }
  if (allowed.empty()) return Failure(*std::move(refused));
  return allowed;
}

}  // namespace cay::templates::registry
