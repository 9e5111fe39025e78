// Rule: one line of a network policy: where to, and to which ports. Pure.
//
//   example.com:443      *.example.com      10.1.2.0/24:5432      [fd00::7]:22      [fd00::/8]:22
//   example.com:80,443   example.com:8000-8010      host.cay.internal:8000
//
// Without a port every port is meant. A name is exact; "*.example.com" is every name below it, and
// not it itself; "*" alone is no rule (mode "open" says that). Names are of ASCII (an international
// one is written as xn--…), compared without regard to case, at most 253 bytes, labels of 1 to 63
// of letters, digits, '-' and '_', no trailing dot. A last label that is a number ("1.2.3",
// "0x7f.1") is no name: resolvers read such a thing as an address. A rule that allows has no
// wildcard as wide as "*.com", and none over the names of the machine itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

// The machine that Cay runs on, for rules: each of these names.
inline constexpr std::string_view kHostName = "host.cay.internal";
inline constexpr std::string_view kDockerHostName = "host.docker.internal";

struct PortRange {
  uint16_t first = 1;
  uint16_t last = 65'535;
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

// Nothing: every port.
using Ports = std::vector<PortRange>;
bool Contains(const Ports& ports, uint16_t port);  // 0 is no port, and in none of them
bool Contains(const Ports& ports, const Ports& others);

struct NamePattern {
  std::string name;    // lower case, without "*."
  bool below = false;  // names below it instead of it
  bool Matches(std::string_view lower_case_name) const;
  friend bool operator==(const NamePattern&, const NamePattern&) = default;
};

struct HostTarget {
  friend bool operator==(const HostTarget&, const HostTarget&) = default;
};

enum class Effect : uint8_t { kAllow, kDeny };

struct Rule {
  static constexpr size_t kMaxBytes = 512;  // of its text
  static constexpr size_t kMaxPorts = 16;

  std::variant<NamePattern, Prefix, HostTarget> target{};
  Ports ports{};
  std::string text{};  // as it was written

  // kInvalidArgument, with a remedy that shows the forms.
  static Result<Rule> Parse(std::string_view text, Effect effect = Effect::kAllow);
  const NamePattern* name() const { return std::get_if<NamePattern>(&target); }
  const Prefix* prefix() const { return std::get_if<Prefix>(&target); }
  bool host() const { return std::holds_alternative<HostTarget>(target); }
};

// The name in lower case, without a trailing dot; nothing where no rule could name it.
std::optional<std::string> NormalName(std::string_view name);
// Of a name in lower case: kHostName or kDockerHostName.
bool IsHostName(std::string_view lower_case_name);

}  // namespace cay::network
