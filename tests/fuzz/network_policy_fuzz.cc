// Network policies: whatever the text, what was read survives being written out and read again, and
// no policy allows an address that is not public unless a rule and the administrator both name its
// range. The input is lines; the first byte of each says what the rest is.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "network/policy/address.h"
#include "network/policy/policy.h"
#include "network/policy/preset.h"
#include "network/policy/rule.h"

namespace {

using cay::network::Address;
using cay::network::AddressKind;
using cay::network::Bounds;
using cay::network::Decision;
using cay::network::Effect;
using cay::network::Mode;
using cay::network::Policy;
using cay::network::Prefix;
using cay::network::Rule;
using cay::network::Spec;

void Check(bool holds) {
  if (!holds) std::abort();
}

std::string Written(const Rule& rule) {
  std::string text(cay::network::kHostName);
  if (const auto* name = rule.name()) text = (name->below ? "*." : "") + name->name;
  if (const auto* prefix = rule.prefix()) {
    text = prefix->Text();
    if (prefix->address.family() == cay::network::Family::kV6) {
      text.insert(text.begin(), '[');
      text += ']';
    }
  }
  char before = ':';
  for (const auto& range : rule.ports) {
    text += before + std::to_string(range.first) + "-" + std::to_string(range.last);
    before = ',';
  }
  return text;
}

void FuzzTexts(std::string_view text) {
  if (const auto address = Address::Parse(text)) {
    const auto again = Address::Parse(address->Text());
    Check(again && *again == *address);
    Check(KindOf(*address) == KindOf(address->Unmapped()));
    Check(HasPublic(Prefix::Of(address->Unmapped())) == (KindOf(*address) == AddressKind::kPublic));
  }
  if (const auto prefix = Prefix::Parse(text)) {
    const auto again = Prefix::Parse(prefix->Text());
    Check(again && *again == *prefix);
    Check(prefix->Contains(*prefix) && prefix->Contains(prefix->address));
    Check(!InTunnel(*prefix) || !HasPublic(*prefix));
  }
  if (const auto name = cay::network::NormalName(text)) {
    Check(cay::network::NormalName(*name) == *name && name->size() <= 253);
    Check(!Address::Parse(*name));
  }
  for (const Effect effect : {Effect::kAllow, Effect::kDeny}) {
    const auto rule = Rule::Parse(text, effect);
    if (!rule) {
      Check(!rule.error().remedy().empty());
      continue;
    }
    Check(rule->text == text && text.size() <= Rule::kMaxBytes);
    const auto again = Rule::Parse(Written(*rule), effect);
    Check(again && again->target == rule->target && again->ports == rule->ports);
  }
}

struct Asked {
  std::vector<std::string> names{""};
  std::vector<Address> addresses;
};

bool Names(const std::vector<std::string>& rules, Effect effect, const Address& address,
           uint16_t port) {
  for (const std::string& text : rules) {
    const auto rule = Rule::Parse(text, effect);
    Check(rule.has_value());
    const Prefix* prefix = rule->prefix();
    if (prefix == nullptr || !Contains(rule->ports, port) || !prefix->Contains(address)) continue;
    const bool alone = KindOf(address) == AddressKind::kMetadata && effect == Effect::kAllow;
    if (!alone || *prefix == Prefix::Of(address)) return true;
  }
  return false;
}

void Ask(const Policy& policy, const Spec& spec, const Bounds& bounds, const Asked& asked) {
  constexpr uint16_t kPorts[] = {0, 80, 443, 65'535};
  for (const std::string& name : asked.names) {
    static_cast<void>(policy.OfName(name));
    for (const uint16_t port : kPorts) {
      const Decision by_name = policy.OfConnection(name, port);
      Check(!by_name.allowed || policy.OfName(name).allowed);
      for (const Address& written : asked.addresses) {
        const Address address = written.Unmapped();
        const Decision decision = policy.OfAddress(name, written, port, false);
        Check(decision == policy.OfAddress(name, address, port, false));
        Check(!Explain(decision, name, &written).empty());
        if (!decision.allowed) continue;
        Check(port != 0 && spec.mode != Mode::kNone && (name.empty() || by_name.allowed));
        Check(!Names(spec.deny, Effect::kDeny, address, port));
        Check(!Names(bounds.deny, Effect::kDeny, address, port));
        const auto normal = cay::network::NormalName(name);
        const bool host = normal && cay::network::IsHostName(*normal);
        Check(host || !policy.OfAddress(name, written, port, true).allowed);
        if (host) Check(KindOf(address) == AddressKind::kLoopback && policy.OfHost(port).allowed);
        if (host || KindOf(address) == AddressKind::kPublic) continue;
        Check(Names(spec.allow, Effect::kAllow, address, port));
        Check(Names(bounds.private_allowed, Effect::kAllow, address, port));
      }
    }
  }
}

// Only what can be read: one rule that cannot would be the end of a policy.
void Add(std::string_view text, Effect effect, bool ranges, std::vector<std::string>& rules) {
  if (rules.size() == 16) return;
  const auto rule = Rule::Parse(text, effect);
  if (rule && (!ranges || rule->name() == nullptr)) rules.emplace_back(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cay::network::ParsePresets(input));
  Spec spec{.mode = Mode::kAllow};
  Bounds bounds;
  Asked asked;
  for (const std::string_view line : cay::Split(input, '\n')) {
    if (line.empty()) continue;
    const std::string_view text = line.substr(1);
    FuzzTexts(text);
    if (line[0] == 'm') spec.mode = cay::network::ParseMode(text).value_or(spec.mode);
    if (line[0] == 'a') Add(text, Effect::kAllow, false, spec.allow);
    if (line[0] == 'd') Add(text, Effect::kDeny, false, spec.deny);
    if (line[0] == 'D') Add(text, Effect::kDeny, false, bounds.deny);
    if (line[0] == 'p') Add(text, Effect::kAllow, true, bounds.private_allowed);
    if (line[0] == 'n' && asked.names.size() < 8) asked.names.emplace_back(text);
    if (line[0] == 'i' && asked.addresses.size() < 16) {
      if (const auto address = Address::Parse(text)) asked.addresses.push_back(*address);
    }
  }
  const auto policy = Policy::Compile(spec, bounds);
  if (policy) {
    Ask(*policy, spec, bounds, asked);
  } else {
    Check(policy.error().code() == cay::ErrorCode::kPermissionDenied);
  }
  return 0;
}
