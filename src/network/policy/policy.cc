#include "network/policy/policy.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/encoding.h"
#include "network/policy/preset.h"

namespace cay::network {
namespace {

constexpr std::array<std::string_view, 3> kModes = {"none", "allow", "open"};
constexpr std::array<std::string_view, 2> kDnsModes = {"names", "real"};
constexpr std::string_view kPrivateAllowed = "network.private_allowed";

template <class Rules, class Predicate>
auto Find(const Rules& rules, Predicate&& is_it) -> decltype(rules.data()) {
  const auto found = std::ranges::find_if(rules, std::forward<Predicate>(is_it));
  return found == rules.end() ? nullptr : &*found;
}

template <class Named>
Decision By(const Named& rule, bool allowed) {
  return {.allowed = allowed, .why = Why::kRule, .rule = rule.told};
}

// Whether a connection by this name, which is normal, is one of those that the rule is for. The
// machine's names are one; only a rule that denies has patterns over them.
bool IsFor(const Rule& rule, std::string_view name) {
  if (!IsHostName(name)) return rule.name() != nullptr && rule.name()->Matches(name);
  return rule.host() || (rule.name() != nullptr && (rule.name()->Matches(kHostName) ||
                                                    rule.name()->Matches(kDockerHostName)));
}

// Whether a rule for a range is a rule for this address of it: a wider one than its writer thought
// of must open neither the metadata nor what a tunnel leads to.
bool IsFor(const Prefix& range, const Prefix& addresses) {
  if (!range.Contains(addresses)) return false;
  const bool one = addresses.length == addresses.address.bits();
  if (one && KindOf(addresses.address) == AddressKind::kMetadata) return range == addresses;
  return !InTunnel(addresses) || InTunnel(range);
}

bool IsFor(const Rule& rule, const Address& address, uint16_t port) {
  return rule.prefix() != nullptr && IsFor(*rule.prefix(), Prefix::Of(address)) &&
         Contains(rule.ports, port);
}

// Whether what the administrator permits by one rule is what another one wants, ports aside.
bool Permits(const Rule& permitted, const Rule& wanted) {
  if (wanted.host()) return permitted.host();
  return permitted.prefix() != nullptr && wanted.prefix() != nullptr &&
         IsFor(*permitted.prefix(), *wanted.prefix());
}

Result<void> CheckCount(size_t count, std::string_view list) {
  if (count <= Spec::kMaxRules) return {};
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       std::string(list) + " has " + std::to_string(count) +
                           " entries, and at most " + std::to_string(Spec::kMaxRules) +
                           " are allowed")
                     .WithRemedy("use wildcards, ranges or presets"));
}

Result<void> CheckMode(Mode mode, Mode most) {
  if (mode <= most) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the network mode \"" + std::string(ModeName(mode)) +
                           "\" is over the maximum, \"" + std::string(ModeName(most)) + "\"")
                     .WithRemedy("use the mode \"" + std::string(ModeName(most)) +
                                 "\", or ask the administrator to put \"" +
                                 std::string(ModeName(mode)) + "\" into network.max_mode"));
}

// "10.1.2.3 is a private address", of the address that was the reason.
std::string Told(std::string_view name, const Address& dialled) {
  const Address address = dialled.Unmapped();
  const AddressKind kind = KindOf(address);
  std::string told = address.Text() + " is " + std::string(KindText(kind));
  if (const auto normal = NormalName(name)) {
    told = *normal + " leads to " + address.Text() + ", which is " + std::string(KindText(kind));
  }
  const Embedded inner = EmbeddedIn(address);
  if (kind != AddressKind::kTunnel || !inner.fixed) return told;
  for (const Address& v4 : std::span(inner.addresses.data(), inner.count)) {
    if (KindOf(v4) == AddressKind::kPublic) continue;
    return told + " and holds " + v4.Text() + ", " + std::string(KindText(KindOf(v4)));
  }
  return told;
}

}  // namespace

std::string_view ModeName(Mode mode) { return kModes[static_cast<size_t>(mode)]; }

Result<Mode> ParseMode(std::string_view name) {
  const auto found = std::ranges::find(kModes, name);
  if (found != kModes.end()) return static_cast<Mode>(found - kModes.begin());
  return Failure(Error::Invalid("not a network mode: \"" + ToUtf8Lossy(name.substr(0, 64)) + "\"")
                     .WithRemedy("write none, allow or open"));
}

std::string_view DnsModeName(DnsMode mode) { return kDnsModes[static_cast<size_t>(mode)]; }

Result<DnsMode> ParseDnsMode(std::string_view name) {
  const auto found = std::ranges::find(kDnsModes, name);
  if (found != kDnsModes.end()) return static_cast<DnsMode>(found - kDnsModes.begin());
  return Failure(
      Error::Invalid("not a way of answering names: \"" + ToUtf8Lossy(name.substr(0, 64)) + "\"")
          .WithRemedy("write names or real"));
}

std::string Explain(const Decision& decision, std::string_view name, const Address* address) {
  const std::string rule = "the rule \"" + decision.rule + "\"";
  const std::string told =
      address == nullptr ? "it is not at a public address" : Told(name, *address);
  switch (decision.why) {
    case Why::kRule:
      return rule + (decision.allowed ? " allows it" : " denies it");
    case Why::kOpen:
      return "the network mode \"open\" allows it";
    case Why::kNoRule:
      return "no rule allows it";
    case Why::kNone:
      return "the network mode \"none\" allows nothing";
    case Why::kSpecial:
      if (address != nullptr && KindOf(*address) == AddressKind::kMetadata) {
        return told + ", and no rule names it alone";
      }
      return told + ", and no rule names its range";
    case Why::kNotPermitted:
      return told + ", and " + rule + " names it, but " + std::string(kPrivateAllowed) +
             " does not";
    case Why::kOwn:
      return (address == nullptr ? "it" : address->Unmapped().Text()) +
             " is an address of the machine itself, which only a rule for " +
             std::string(kHostName) + " allows";
    case Why::kServer:
      return "it is the server's own API";
  }
  return "it is not known why";
}

Result<void> Policy::Add(const std::vector<std::string>& texts, std::string_view list,
                         Effect effect, Rules& rules) {
  TRY(CheckCount(texts.size(), list));
  for (const std::string& text : texts) {
    auto rule = Rule::Parse(text, effect);
    if (!rule) return Failure(std::move(rule).error().WithContext(list));
    rules.push_back({.rule = *std::move(rule), .told = text});
  }
  return {};
}

Result<void> Policy::AddPresets(const std::vector<std::string>& names, Rules& rules) {
  TRY(CheckCount(names.size(), "presets"));
  // A name that is said twice means no more than once, and must not cost more.
  std::vector<const Preset*> presets;
  for (const std::string& name : names) {
    const Preset* preset = TRY(FindPreset(name));
    if (std::ranges::find(presets, preset) == presets.end()) presets.push_back(preset);
  }
  for (const Preset* preset : presets) {
    for (const Rule& rule : preset->rules) {
      rules.push_back({.rule = rule, .told = preset->name + ": " + rule.text});
    }
  }
  return {};
}

Result<void> Policy::CheckPermitted(const Rule& rule) const {
  if (rule.name() != nullptr) return {};
  if (rule.prefix() != nullptr && HasPublic(*rule.prefix())) return {};
  Ports ports;
  for (const Named& permitted : permitted_) {
    if (!Permits(permitted.rule, rule)) continue;
    // No port in a rule is every port; in this list it would be the same as no rule.
    if (permitted.rule.ports.empty()) ports.emplace_back();
    ports.insert(ports.end(), permitted.rule.ports.begin(), permitted.rule.ports.end());
  }
  if (!ports.empty() && Contains(ports, rule.ports)) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the rule \"" + rule.text + "\" is for " +
                           (rule.host() ? "the machine itself" : "addresses that are not public") +
                           ", and " + std::string(kPrivateAllowed) + " does not name " +
                           (ports.empty() ? "them" : "all of its ports"))
                     .WithRemedy("ask the administrator to put \"" + rule.text + "\" into " +
                                 std::string(kPrivateAllowed)));
}

Result<Policy> Policy::Compile(const Spec& spec, const Bounds& bounds) {
  TRY(CheckMode(spec.mode, bounds.max_mode));
  Policy policy;
  policy.mode_ = spec.mode;
  TRY(Add(bounds.private_allowed, kPrivateAllowed, Effect::kAllow, policy.permitted_));
  for (const Named& permitted : policy.permitted_) {
    if (permitted.rule.name() == nullptr) continue;
    return Failure(Error::Invalid(std::string(kPrivateAllowed) + ": \"" + permitted.told +
                                  "\" is a name, and what is allowed there are addresses")
                       .WithRemedy("write ranges, as in 10.1.2.0/24:5432, or " +
                                   std::string(kHostName) + " with the ports"));
  }
  TRY(Add(bounds.server, "the server's addresses", Effect::kDeny, policy.server_));
  TRY(Add(bounds.deny, "network.deny", Effect::kDeny, policy.deny_));
  TRY(Add(spec.deny, "deny", Effect::kDeny, policy.deny_));
  TRY(Add(spec.allow, "allow", Effect::kAllow, policy.allow_));
  for (const Named& allowed : policy.allow_) TRY(policy.CheckPermitted(allowed.rule));
  TRY(AddPresets(spec.presets, policy.allow_));
  return policy;
}

Decision Policy::OfName(std::string_view name) const {
  if (mode_ == Mode::kNone) return {.why = Why::kNone};
  const auto normal = NormalName(name);
  if (!normal) return {};
  const auto is_for = [&](const Named& rule) { return IsFor(rule.rule, *normal); };
  const auto denies_all = [&](const Named& rule) {
    return is_for(rule) && Contains(rule.rule.ports, Ports{});
  };
  if (const Named* rule = Find(deny_, denies_all)) return By(*rule, false);
  if (const Named* rule = Find(allow_, is_for)) return By(*rule, true);
  if (mode_ == Mode::kOpen && !IsHostName(*normal)) return {.allowed = true, .why = Why::kOpen};
  return {};
}

Decision Policy::OfConnection(std::string_view name, uint16_t port) const {
  if (mode_ == Mode::kNone) return {.why = Why::kNone};
  const auto normal = NormalName(name);
  if (!normal || port == 0) return {};
  const auto is_for = [&](const Named& rule) {
    return IsFor(rule.rule, *normal) && Contains(rule.rule.ports, port);
  };
  if (const Named* rule = Find(deny_, is_for)) return By(*rule, false);
  if (const Named* rule = Find(allow_, is_for)) return By(*rule, true);
  if (mode_ == Mode::kOpen && !IsHostName(*normal)) return {.allowed = true, .why = Why::kOpen};
  return {};
}

Decision Policy::OfHost(uint16_t port) const { return OfConnection(kHostName, port); }

const Policy::Named* Policy::Denying(const Address& address, uint16_t port) const {
  const Embedded inner = EmbeddedIn(address);
  return Find(deny_, [&](const Named& named) {
    const Prefix* range = named.rule.prefix();
    if (range == nullptr || !Contains(named.rule.ports, port)) return false;
    return range->Contains(address) ||
           std::ranges::any_of(std::span(inner.addresses.data(), inner.count),
                               [&](const Address& v4) { return range->Contains(v4); });
  });
}

// `address` is unmapped. A server that listens on every address does so on each of the machine's,
// whatever its family; what is dialled at 0.0.0.0 or :: is at a loopback address; and the machine's
// names stand for both of those.
bool Policy::ReachesServer(const Address& address, uint16_t port, bool own,
                           bool by_host_name) const {
  const AddressKind kind = KindOf(address);
  const bool is_unspecified = kind == AddressKind::kUnspecified;
  const bool is_here = own || is_unspecified || kind == AddressKind::kLoopback;
  const Embedded inner = EmbeddedIn(address);
  const auto listens = [&](const Named& named) {
    if (named.rule.prefix() == nullptr || !Contains(named.rule.ports, port)) return false;
    const Address at = named.rule.prefix()->address.Unmapped();
    if (KindOf(at) == AddressKind::kUnspecified) return is_here;
    if (at == address) return true;
    if ((is_unspecified || by_host_name) && KindOf(at) == AddressKind::kLoopback) return is_here;
    return std::ranges::find(inner.addresses.begin(), inner.addresses.begin() + inner.count, at) !=
           inner.addresses.begin() + inner.count;
  };
  if (Find(server_, listens) == nullptr) return false;
  const auto is_for_it_alone = [&](const Named& named) {
    const Rule& rule = named.rule;
    const bool one_port = rule.ports.size() == 1 && rule.ports.front() == PortRange{port, port};
    return one_port && (rule.prefix() != nullptr ? *rule.prefix() == Prefix::Of(address)
                                                 : by_host_name && rule.host());
  };
  return Find(permitted_, is_for_it_alone) == nullptr;
}

Decision Policy::OfSpecial(const Address& address, uint16_t port) const {
  const auto is_for = [&](const Named& rule) { return IsFor(rule.rule, address, port); };
  const Named* rule = Find(allow_, is_for);
  if (rule == nullptr) return {.why = Why::kSpecial};
  if (Find(permitted_, is_for) == nullptr) return {.why = Why::kNotPermitted, .rule = rule->told};
  const Embedded inner = EmbeddedIn(address);
  if (KindOf(address) != AddressKind::kTunnel || !inner.fixed) return By(*rule, true);
  for (const Address& v4 : std::span(inner.addresses.data(), inner.count)) {
    if (KindOf(v4) == AddressKind::kPublic) continue;
    if (Decision decision = OfSpecial(v4, port); !decision.allowed) return decision;
  }
  return By(*rule, true);
}

Decision Policy::OfAddress(std::string_view name, const Address& address, uint16_t port,
                           bool own) const {
  if (mode_ == Mode::kNone) return {.why = Why::kNone};
  if (port == 0) return {};
  Decision by_name;
  if (!name.empty()) {
    by_name = OfConnection(name, port);
    if (!by_name.allowed) return by_name;
  }
  const Address dialled = address.Unmapped();
  if (const Named* rule = Denying(dialled, port)) return By(*rule, false);
  const AddressKind kind = KindOf(dialled);
  const auto normal = NormalName(name);
  const bool by_host_name = normal && IsHostName(*normal);
  if (ReachesServer(dialled, port, own, by_host_name)) return {.why = Why::kServer};
  if (by_host_name) {
    // Allowed by a rule for the machine, and for nothing else that a resolver may say it is.
    return own || kind == AddressKind::kLoopback ? by_name : Decision{};
  }
  if (own) return {.why = Why::kOwn};
  if (kind != AddressKind::kPublic) return OfSpecial(dialled, port);
  if (!name.empty()) return by_name;
  const auto is_for = [&](const Named& rule) { return IsFor(rule.rule, dialled, port); };
  if (const Named* rule = Find(allow_, is_for)) return By(*rule, true);
  if (mode_ == Mode::kOpen) return {.allowed = true, .why = Why::kOpen};
  return {};
}

bool Policy::MayTell(const Address& address, bool own) const {
  const Address dialled = address.Unmapped();
  if (mode_ == Mode::kNone || own) return false;
  if (KindOf(dialled) == AddressKind::kPublic) return true;
  return std::ranges::any_of(allow_, [&](const Named& rule) {
    const Prefix* const range = rule.rule.prefix();
    if (range == nullptr || !range->Contains(dialled)) return false;
    const Ports every{PortRange{}};
    return std::ranges::any_of(
        rule.rule.ports.empty() ? every : rule.rule.ports,
        [&](const PortRange& ports) { return OfAddress({}, dialled, ports.first, own).allowed; });
  });
}

bool ReachesKept(const Policy& policy) {
  constexpr uint16_t kHttps = 443;
  return std::ranges::any_of(Presets(), [&](const Preset& preset) {
    return std::ranges::any_of(preset.kept, [&](const Rule& rule) {
      return !rule.name()->below && Contains(rule.ports, kHttps) &&
             policy.OfConnection(rule.name()->name, kHttps).allowed;
    });
  });
}

}  // namespace cay::network
