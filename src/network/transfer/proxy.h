// Proxy: the one that a company's machines go through to the internet, and what is connected to
// without it. Pure.
//
//   const Proxy proxy = TRY(Proxy::Parse("http://user:password@proxy.example:3128"));
//   const ProxyPlan plan = TRY(ProxyPlan::Make(url, {"*.corp.example", "10.0.0.0/8"}));
//   plan.Through("example.com", {}, 443);     // whether the proxy is asked for it
//
// No error and no other text that is made here has the password in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/rule.h"

namespace cay::network {

struct Proxy {
  enum class Kind : uint8_t { kHttp, kSocks5 };
  static constexpr size_t kMaxUrl = 1024;
  static constexpr size_t kMaxCredential = 255;  // of SOCKS5 (RFC 1929), and no less for the other

  Kind kind = Kind::kHttp;
  std::string host{};  // a name, in lower case, or an address as Address::Text writes it
  uint16_t port = 0;
  std::string user{};  // empty: it asks for none
  std::string password{};

  // "http://HOST:PORT" (CONNECT, RFC 9110) or "socks5://HOST:PORT" (RFC 1928; socks5h is the same),
  // with USER:PASSWORD@ before HOST where it wants to know who asks; what is not a letter or digit
  // in those is written as %40. kInvalidArgument.
  static Result<Proxy> Parse(std::string_view url);
  std::string Text() const;  // "http://proxy.example:3128": without who asks
  // As it was written, but for the password: instead of it kHidden, which Parse does not take.
  std::string Masked() const;

  static constexpr std::string_view kHidden = "***";
};

struct ProxyPlan {
  static constexpr size_t kMaxDirect = 64;

  Proxy proxy{};
  std::vector<Rule> direct{};  // what is connected to without it

  static Result<ProxyPlan> Make(std::string_view url, const std::vector<std::string>& direct);

  // Whether the proxy connects to it. Not to what `direct` names, nor to names that are of no
  // public zone (IsPrivateName): where those lead to is known on this machine, if anywhere.
  bool Through(std::string_view name, const Address& address, uint16_t port) const;
  // The machine of the proxy, by its own name or address: what speaks to a proxy is not under the
  // policy any more, so no sandbox's connection leads there.
  bool Leads(std::string_view name, const Address& address,
             const std::vector<Address>& addresses_of_proxy) const;
};

// Why a connection to the proxy itself is refused.
inline constexpr std::string_view kIsTheProxy =
    "it is this machine's proxy, and what a proxy is told no policy sees";

// Of a name in lower case: one without a dot, or below "localhost", "local", "internal" or
// "home.arpa" (RFC 6761, 6762, 8375; .internal is ICANN's).
bool IsPrivateName(std::string_view lower_case_name);

}  // namespace cay::network
