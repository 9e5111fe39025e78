// ListenAddress, from and to text. Pure.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/units.h"
#include "http/server/server.h"

namespace cay::http {
namespace {

Error NotAnAddress(std::string_view text) {
  return Error::Invalid("\"" + std::string(text) + "\" is not an address to listen on")
      .WithRemedy("write 127.0.0.1:8888, [::1]:8888, localhost:8888 or unix:/run/cay.sock");
}

}  // namespace

bool ListenAddress::loopback() const {
  if (!unix_path.empty() || host == "localhost") return true;
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    return (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

std::string ListenAddress::ToString() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  ListenAddress address;
  if (text.find('\0') != std::string_view::npos) return Failure(NotAnAddress(text));
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    if (!address.unix_path.starts_with('/')) {
      return Failure(Error::Invalid("the path of a Unix socket begins with a slash")
                         .WithRemedy("write unix:/run/cay.sock"));
    }
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Failure(NotAnAddress(text));
  const auto port = ParseUnsigned(text.substr(colon + 1), UINT16_MAX);
  if (!port) return Failure(NotAnAddress(text));
  address.port = static_cast<uint16_t>(*port);
  std::string_view host = text.substr(0, colon);
  in_addr four{};
  in6_addr six{};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    address.host = host;
    if (::inet_pton(AF_INET6, address.host.c_str(), &six) == 1) return address;
    return Failure(NotAnAddress(text));
  }
  address.host = host;
  if (host == "localhost" || ::inet_pton(AF_INET, address.host.c_str(), &four) == 1) {
    return address;
  }
  return Failure(NotAnAddress(text));
}

}  // namespace cay::http
