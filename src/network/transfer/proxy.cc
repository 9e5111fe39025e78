#include "network/transfer/proxy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/units.h"

namespace cay::network {
namespace {

// Without the text: there may be a password in it.
Error NoProxy(std::string message) {
  return Error::Invalid("this is no proxy: " + std::move(message))
      .WithRemedy("as in http://proxy.example:3128 or socks5://user:password@192.0.2.7:1080");
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent-encoding (RFC 3986) undone; nothing for a wrong one, and for control characters.
std::optional<std::string> Decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    out += c;
  }
  return out;
}

// The reverse, for what Masked shows.
std::string Encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").contains(c);
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

Result<void> ReadUser(Proxy& proxy, std::string_view text) {
  const size_t colon = text.find(':');
  const auto user = Decoded(text.substr(0, colon));
  const auto password =
      Decoded(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
  if (!user || !password) return Failure(NoProxy("its user name or password is not well encoded"));
  if (user->empty() || user->contains(':'))
    return Failure(NoProxy("its user name is empty or has a colon in it"));
  if (user->size() > Proxy::kMaxCredential || password->size() > Proxy::kMaxCredential)
    return Failure(NoProxy("its user name or password is over 255 bytes"));
  if (*password == Proxy::kHidden) {
    return Failure(NoProxy("its password is " + std::string(Proxy::kHidden) +
                           ", which is what is shown instead of one"));
  }
  // RFC 1929 has no empty password; CONNECT has.
  if (proxy.kind == Proxy::Kind::kSocks5 && password->empty())
    return Failure(NoProxy("SOCKS5 has no user without a password"));
  proxy.user = *user;
  proxy.password = *password;
  return {};
}

Result<void> ReadPlace(Proxy& proxy, std::string_view text) {
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos
                        ? Result<uint64_t>(0)
                        : ParseUnsigned(text.substr(colon + 1), UINT16_MAX);
  if (!port || *port == 0) return Failure(NoProxy("it has no port"));
  proxy.port = static_cast<uint16_t>(*port);
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  if (const auto address = Address::Parse(host);
      address && brackets == (address->family() == Family::kV6)) {
    proxy.host = address->Text();
    return {};
  }
  const auto name = NormalName(host);
  if (brackets || !name) return Failure(NoProxy("its host is no name and no address"));
  proxy.host = *name;
  return {};
}

std::string Place(const Proxy& proxy) {
  const bool brackets = proxy.host.contains(':');
  return (brackets ? "[" + proxy.host + "]" : proxy.host) + ":" + std::to_string(proxy.port);
}

std::string_view Scheme(Proxy::Kind kind) {
  return kind == Proxy::Kind::kHttp ? "http://" : "socks5://";
}

}  // namespace

Result<Proxy> Proxy::Parse(std::string_view url) {
  constexpr std::array<std::pair<std::string_view, Kind>, 3> kSchemes = {
      {{"http", Kind::kHttp}, {"socks5", Kind::kSocks5}, {"socks5h", Kind::kSocks5}}};
  if (url.size() > kMaxUrl) return Failure(NoProxy("it is over 1024 bytes"));
  const size_t colon = url.find("://");
  const std::string scheme = Lower(url.substr(0, std::min(colon, url.size())));
  const auto* const found =
      std::ranges::find(kSchemes, scheme, &decltype(kSchemes)::value_type::first);
  if (colon == std::string_view::npos || found == kSchemes.end())
    return Failure(NoProxy("it begins with neither http:// nor socks5://"));
  Proxy proxy{.kind = found->second};
  std::string_view rest = url.substr(colon + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    TRY(ReadUser(proxy, rest.substr(0, at)));
    rest.remove_prefix(at + 1);
  }
  TRY(ReadPlace(proxy, rest));
  return proxy;
}

std::string Proxy::Text() const { return std::string(Scheme(kind)) + Place(*this); }

std::string Proxy::Masked() const {
  if (user.empty()) return Text();
  std::string who = Encoded(user);
  if (!password.empty()) who.append(":").append(kHidden);
  return std::string(Scheme(kind)) + who + "@" + Place(*this);
}

bool IsPrivateName(std::string_view lower_case_name) {
  constexpr std::array<std::string_view, 4> kZones = {".localhost", ".local", ".internal",
                                                      ".home.arpa"};
  return !lower_case_name.contains('.') || std::ranges::any_of(kZones, [&](std::string_view zone) {
    return lower_case_name.ends_with(zone) || lower_case_name == zone.substr(1);
  });
}

Result<ProxyPlan> ProxyPlan::Make(std::string_view url, const std::vector<std::string>& direct) {
  ProxyPlan plan{.proxy = TRY(Proxy::Parse(url))};
  if (direct.size() > kMaxDirect) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "at most " + std::to_string(kMaxDirect) + " rules say what goes without a proxy"));
  }
  for (const std::string& text : direct)
    plan.direct.push_back(TRY(Rule::Parse(text, Effect::kDeny)));
  return plan;
}

bool ProxyPlan::Through(std::string_view name, const Address& address, uint16_t port) const {
  if (!name.empty() && IsPrivateName(name)) return false;
  return std::ranges::none_of(direct, [&](const Rule& rule) {
    if (!rule.ports.empty() && !Contains(rule.ports, port)) return false;
    if (const NamePattern* const pattern = rule.name())
      return !name.empty() && pattern->Matches(name);
    if (const Prefix* const prefix = rule.prefix())
      return name.empty() && prefix->Contains(address.Unmapped());
    return false;
  });
}

bool ProxyPlan::Leads(std::string_view name, const Address& address,
                      const std::vector<Address>& addresses_of_proxy) const {
  if (!name.empty()) return name == proxy.host;
  return std::ranges::find(addresses_of_proxy, address.Unmapped(), &Address::Unmapped) !=
         addresses_of_proxy.end();
}

}  // namespace cay::network
