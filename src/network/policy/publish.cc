#include "network/policy/publish.h"

#include <algorithm>
#include <optional>

#include "base/encoding.h"
#include "base/units.h"

namespace cay::network {
namespace {

constexpr size_t kMaxNetworkName = 64;

std::optional<uint16_t> PortOf(std::string_view text) {
  const auto number = ParseUnsigned(text, UINT16_MAX);
  if (!number) return std::nullopt;
  return static_cast<uint16_t>(*number);
}

Error Wrong(std::string_view text) {
  return Error::Invalid("\"" + ToUtf8Lossy(text.substr(0, PublishRule::kMaxBytes)) +
                        "\" is not [ADDRESS:]HOST_PORT:PORT")
      .WithRemedy(
          "as in \"8080:80\", \"127.0.0.1:8080:80\" or \"[::1]:8080:80\"; 0 as the "
          "HOST_PORT has one chosen");
}

}  // namespace

Result<PublishRule> PublishRule::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return Failure(Wrong(text));
  const size_t before_port = text.rfind(':');
  if (before_port == std::string_view::npos) return Failure(Wrong(text));
  const std::string_view front = text.substr(0, before_port);
  const size_t before_host_port = front.rfind(':');
  const bool has_address = before_host_port != std::string_view::npos;
  const auto port = PortOf(text.substr(before_port + 1));
  const auto host_port = PortOf(has_address ? front.substr(before_host_port + 1) : front);
  if (!port || *port == 0 || !host_port) return Failure(Wrong(text));
  if (*host_port != 0 && *host_port < kFirstHostPort) {
    return Failure(Error::Invalid("the port " + std::to_string(*host_port) +
                                  " of the machine is below 1024, and not published on")
                       .WithRemedy("write a port from 1024 on, or 0"));
  }
  PublishRule rule{.address = Address::V4(0x7f00'0001), .host_port = *host_port, .port = *port};
  if (!has_address) return rule;
  std::string_view address = front.substr(0, before_host_port);
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  const auto parsed = Address::Parse(address);
  if (!parsed || bracketed != (parsed->family() == Family::kV6)) return Failure(Wrong(text));
  rule.address = parsed->Unmapped();
  return rule;
}

std::string PublishRule::Text() const {
  const std::string host =
      address.family() == Family::kV6 ? "[" + address.Text() + "]" : address.Text();
  return host + ":" + std::to_string(host_port) + ":" + std::to_string(port);
}

bool Meet(const PublishRule& a, const PublishRule& b) {
  const auto is_any = [](const Address& address) {
    return address == Address() || address == Address::V6({});
  };
  return a.host_port != 0 && a.host_port == b.host_port &&
         a.address.family() == b.address.family() &&
         (a.address == b.address || is_any(a.address) || is_any(b.address));
}

bool IsNetworkName(std::string_view name) {
  const auto is_letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kMaxNetworkName && is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [&](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

}  // namespace cay::network
