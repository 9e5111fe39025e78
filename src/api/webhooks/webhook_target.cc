#include "api/webhooks/webhook_target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace cay::api {
namespace {

constexpr size_t kMaxUrl = 2048;

struct Net4 {
  uint32_t base;
  unsigned bits;
  AddressKind kind;
};

// IANA's special-purpose registry (RFC 6890 and its updates).
constexpr std::array kNets4 = {
    Net4{0x00000000, 8, AddressKind::kNever},     // "this network"
    Net4{0xe0000000, 4, AddressKind::kNever},     // multicast
    Net4{0xffffffff, 32, AddressKind::kNever},    // broadcast
    Net4{0x0a000000, 8, AddressKind::kPrivate},   // 10.0.0.0
    Net4{0x64400000, 10, AddressKind::kPrivate},  // 100.64.0.0, carriers'
    Net4{0x7f000000, 8, AddressKind::kPrivate},   // loopback
    Net4{0xa9fe0000, 16, AddressKind::kPrivate},  // 169.254.0.0, link-local: metadata services
    Net4{0xac100000, 12, AddressKind::kPrivate},  // 172.16.0.0
    Net4{0xc0000000, 24, AddressKind::kPrivate},  // 192.0.0.0, protocol assignments
    Net4{0xc0000200, 24, AddressKind::kPrivate},  // 192.0.2.0, documentation
    Net4{0xc0586300, 24, AddressKind::kPrivate},  // 192.88.99.0, 6to4 relays
    Net4{0xc0a80000, 16, AddressKind::kPrivate},  // 192.168.0.0
    Net4{0xc6120000, 15, AddressKind::kPrivate},  // 198.18.0.0, benchmarks
    Net4{0xc6336400, 24, AddressKind::kPrivate},  // 198.51.100.0, documentation
    Net4{0xcb007100, 24, AddressKind::kPrivate},  // 203.0.113.0, documentation
    Net4{0xf0000000, 4, AddressKind::kPrivate},   // reserved
};

AddressKind KindOf4(uint32_t address) {
  for (const Net4& net : kNets4) {
    if ((address ^ net.base) >> (32 - net.bits) == 0) return net.kind;
  }
  return AddressKind::kPublic;
}

AddressKind KindOf6(const in6_addr& six) {
  const uint8_t* b = six.s6_addr;
  const auto at = [b](size_t i) { return static_cast<uint32_t>(b[i]); };
  const uint32_t low = at(12) << 24U | at(13) << 16U | at(14) << 8U | at(15);
  static constexpr std::array<uint8_t, 12> kNat64 = {0x00, 0x64, 0xff, 0x9b};
  // An IPv4 address in other clothes: mapped, or by NAT64 (RFC 6052).
  if (IN6_IS_ADDR_V4MAPPED(&six) || std::equal(kNat64.begin(), kNat64.end(), b)) {
    return KindOf4(low);
  }
  if (IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_MULTICAST(&six)) return AddressKind::kNever;
  const uint32_t first = at(0) << 8U | at(1);
  const uint32_t second = at(2) << 8U | at(3);
  if (first >> 13U != 1) return AddressKind::kPrivate;  // only 2000::/3 is given out
  const bool special = (first == 0x2001 && (second < 0x200 || second == 0x0db8)) ||  // RFC 2928
                       first == 0x2002 ||                                            // 6to4
                       (first == 0x3fff && second < 0x1000);                         // RFC 9637
  return special ? AddressKind::kPrivate : AddressKind::kPublic;
}

Error NotATarget(std::string_view why) {
  return Error::Invalid("\"url\" is not valid: " + std::string(why))
      .WithRemedy("write https://HOST/PATH or http://HOST:PORT/PATH");
}

}  // namespace

Result<WebhookTarget> WebhookTarget::Parse(std::string_view text) {
  if (text.size() > kMaxUrl) return Failure(NotATarget("it has more than 2048 bytes"));
  if (!text.starts_with("http://") && !text.starts_with("https://")) {
    return Failure(NotATarget("it begins with neither https:// nor http://"));
  }
  const bool visible = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible || text.find('#') != std::string_view::npos) {
    return Failure(NotATarget("it has a fragment, a space or a character that is not ASCII"));
  }
  const size_t end = text.find_first_of("/?", text.find("://") + 3);
  auto url = http::Url::Parse(text.substr(0, end));
  if (!url) {
    return Failure(
        Error::Impossible("\"url\" is not valid: it has no host, a user, or a wrong port")
            .WithRemedy("write https://HOST/PATH or http://HOST:PORT/PATH"));
  }
  std::string target(end == std::string_view::npos ? std::string_view() : text.substr(end));
  if (!target.starts_with('/')) target.insert(0, 1, '/');
  return WebhookTarget{.url = std::move(*url), .target = std::move(target)};
}

AddressKind KindOfAddress(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return KindOf4(ntohl(four.s_addr));
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1) return KindOf6(six);
  return AddressKind::kNever;
}

Result<std::vector<std::string>> AllowedAddresses(const http::Url& url, bool allow_private) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // Waits for the system's resolver, which has its own bounds (resolv.conf(5)).
  const int failed = ::getaddrinfo(url.host.c_str(), nullptr, &hints, &found);
  if (failed != 0) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the name " + url.host + " is not known: " + ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    const AddressKind kind = KindOfAddress(text.data());
    if (kind == AddressKind::kNever || (kind == AddressKind::kPrivate && !allow_private)) {
      return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                           url.host + " is " + text.data() + ", which webhooks may not reach")
                         .WithRemedy(kind == AddressKind::kPrivate
                                         ? "webhooks.allow_private = true in cay.toml allows it"
                                         : "name the address of one machine"));
    }
    addresses.emplace_back(text.data());
  }
  if (!addresses.empty()) return addresses;
  return Failure(
      Error(ErrorCode::kUnavailable, Fault::kMachine, "the name " + url.host + " has no address"));
}

}  // namespace cay::api
