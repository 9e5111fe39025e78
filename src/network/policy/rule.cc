#include "network/policy/rule.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/text.h"

namespace cay::network {
namespace {

constexpr size_t kMaxName = 253;  // RFC 1035, without the dot at its end
constexpr size_t kMaxLabel = 63;
constexpr std::string_view kForms =
    "write a rule as in example.com:443, *.example.com, 10.1.2.0/24:5432 or [fd00::7]:22";
constexpr std::string_view kPortForms = "write ports as in :443, :80,443 or :8000-8010";

Error Bad(std::string_view rule, std::string_view why, Remedy remedy = kForms) {
  return Error::Invalid("not a network rule: \"" + ToUtf8Lossy(rule) + "\": " + std::string(why))
      .WithRemedy(std::move(remedy));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }
bool IsOfName(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

// What inet_aton takes for the last number of an address, and with it resolvers and URLs: decimal,
// octal or hexadecimal ("0x" alone is 0).
bool IsNumber(std::string_view label) {
  if (std::ranges::all_of(label, IsDigit)) return true;
  return label.starts_with("0x") && std::ranges::all_of(label.substr(2), IsHex);
}

struct Flaw {
  std::string_view why;  // empty: there is none
  std::string_view remedy = kForms;
};

// What is wrong with a name in lower case.
Flaw FlawOfName(std::string_view name) {
  if (name.empty()) return {"a name is missing"};
  if (name.size() > kMaxName) return {"a name has at most 253 bytes"};
  if (AsciiPrefix(name) != name.size()) {
    return {"a name is of ASCII",
            "write an international name in its ASCII form, as in xn--bcher-kva.example"};
  }
  for (std::string_view rest = name;;) {
    const size_t end = rest.find('.');
    const std::string_view label = rest.substr(0, end);
    if (rest.empty()) return {"a name has no dot at its end"};
    if (label.empty()) return {"a name has something before and between its dots"};
    if (!std::ranges::all_of(label, IsOfName)) {
      return {"a name is made of letters, digits, '-' and '_'"};
    }
    if (label.size() > kMaxLabel) return {"between two dots of a name are at most 63 bytes"};
    if (end != std::string_view::npos) {
      rest.remove_prefix(end + 1);
      continue;
    }
    if (!IsNumber(label)) return {};
    return {"it looks like an IP address, and resolvers read it as one",
            "write an IPv4 address with its four decimal numbers, as in 10.1.2.3"};
  }
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return {};
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port > 65'535) return {};
  return static_cast<uint16_t>(port);
}

Result<Ports> ParsePorts(std::string_view rule, std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ',');
  if (parts.size() > Rule::kMaxPorts) {
    return Failure(Bad(rule,
                       "it has " + std::to_string(parts.size()) +
                           " ports and ranges of them, and at "
                           "most " +
                           std::to_string(Rule::kMaxPorts) + " are allowed",
                       "write ranges, as in :8000-8010, or several rules"));
  }
  Ports ports;
  for (const std::string_view part : parts) {
    const size_t dash = part.find('-');
    const auto first = ParsePort(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : ParsePort(part.substr(dash + 1));
    if (!first || !last) {
      return Failure(Bad(rule, "a port is a number from 1 to 65535", kPortForms));
    }
    if (*first > *last) {
      return Failure(Bad(rule, "a range of ports begins with the lower one", kPortForms));
    }
    ports.push_back({*first, *last});
  }
  return ports;
}

struct Parts {
  std::string_view target;
  std::optional<std::string_view> ports{};
  bool brackets = false;
};

Result<Parts> Divide(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return Failure(Bad(text, "the ] is missing"));
    const Parts parts{.target = text.substr(1, end - 1), .brackets = true};
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return parts;
    if (!rest.starts_with(':')) return Failure(Bad(text, "after the ] comes a port, or nothing"));
    return Parts{.target = parts.target, .ports = rest.substr(1), .brackets = true};
  }
  const auto colons = std::ranges::count(text, ':');
  if (colons != 1) return Parts{.target = text};
  const size_t colon = text.find(':');
  return Parts{.target = text.substr(0, colon), .ports = text.substr(colon + 1)};
}

// What has no sense in a rule but belongs to what people paste: a URL, a path, a user's name.
std::string_view FlawOfUrl(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return "a rule is no URL";
  if (text.find('@') != std::string_view::npos) return "a rule has no user's name";
  if (text.find_first_of("?#") != std::string_view::npos) return "a rule has no path";
  const size_t slash = text.find('/');
  const std::string_view before = text.substr(0, slash);
  const bool address = before.starts_with('[') || std::ranges::count(before, ':') > 1 ||
                       before.find_first_not_of("0123456789.") == std::string_view::npos;
  const bool path = slash == 0 || (slash != std::string_view::npos && !address);
  return path ? "a rule has no path" : "";
}

// The rule that was probably meant by such a text, or empty.
std::string FromUrl(std::string_view text) {
  std::string port;
  const size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    const std::string protocol = Lower(text.substr(0, scheme));
    if (protocol == "http" || protocol == "ws") port = ":80";
    if (protocol == "https" || protocol == "wss") port = ":443";
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find_first_of("/?#"));
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  // What stands after the name of git@example.com:me/it.git is no port.
  const std::string_view name =
      scheme == std::string_view::npos ? text.substr(0, text.find(':')) : "";
  const bool alone = text.find(':') == std::string_view::npos || text.ends_with(']');
  for (const std::string& meant : {std::string(text) + (alone ? port : ""), std::string(name)}) {
    if (FlawOfUrl(meant).empty() && Rule::Parse(meant)) return meant;
  }
  return {};
}

Result<Prefix> ParsePrefix(std::string_view rule, const Parts& parts) {
  auto prefix = Prefix::Parse(parts.target);
  if (!prefix) {
    const size_t colon = parts.target.rfind(':');
    if (!parts.brackets && colon != std::string_view::npos &&
        Prefix::Parse(parts.target.substr(0, colon))) {
      return Failure(Bad(rule, "an IPv6 address that has a port stands in brackets",
                         "write it as in [fd00::7]:22 or [fd00::/8]:22"));
    }
    return Failure(
        std::move(prefix).error().WithContext("not a network rule: \"" + ToUtf8Lossy(rule) + "\""));
  }
  if (parts.brackets && prefix->address.family() != Family::kV6) {
    return Failure(Bad(rule, "brackets are for IPv6 addresses"));
  }
  // What is dialled is never written in this way, so such a rule would be without any effect.
  const Address inner = prefix->address.Unmapped();
  if (inner.family() != prefix->address.family() && prefix->length >= 96) {
    const Prefix meant{inner, static_cast<uint8_t>(prefix->length - 96)};
    return Failure(
        Bad(rule, "it is an IPv4 address that is written as an IPv6 one", "write " + meant.Text()));
  }
  return *prefix;
}

Result<NamePattern> ParsePattern(std::string_view rule, std::string_view target, Effect effect) {
  NamePattern pattern{.name = Lower(target)};
  if (pattern.name == "*") {
    return Failure(Bad(rule, "* alone is no rule", "the mode \"open\" allows every public name"));
  }
  if (pattern.name.starts_with("*.")) {
    pattern.below = true;
    pattern.name.erase(0, 2);
  }
  if (pattern.name.find('*') != std::string::npos) {
    return Failure(Bad(rule, "a * stands at the beginning, for all names below one",
                       "write it as in *.example.com"));
  }
  if (const Flaw flaw = FlawOfName(pattern.name); !flaw.why.empty()) {
    return Failure(Bad(rule, flaw.why, flaw.remedy));
  }
  if (!pattern.below) return pattern;
  if (pattern.name.size() + 2 > kMaxName) {
    return Failure(Bad(rule, "a name has at most 253 bytes, and so none is below this one"));
  }
  if (effect == Effect::kDeny) return pattern;
  if (pattern.name.find('.') == std::string::npos) {
    return Failure(Bad(rule, "it stands for all that there is below ." + pattern.name,
                       "name what is needed, as in *.example." + pattern.name +
                           "; the mode \"open\" allows every public name"));
  }
  for (const std::string_view host : {kHostName, kDockerHostName}) {
    if (!pattern.Matches(host)) continue;
    return Failure(Bad(rule, "it would stand for the machine itself, which a rule names alone",
                       "write " + std::string(host) + ", with the ports"));
  }
  return pattern;
}

}  // namespace

bool Contains(const Ports& ports, uint16_t port) {
  if (port == 0) return false;
  return ports.empty() || std::ranges::any_of(ports, [&](const PortRange& range) {
           return range.first <= port && port <= range.last;
         });
}

bool Contains(const Ports& ports, const Ports& others) {
  const Ports all = {PortRange{}};
  // One range may be in several that touch: from its first port on, as far as one of them goes.
  return std::ranges::all_of(others.empty() ? all : others, [&](const PortRange& wanted) {
    uint32_t next = wanted.first;
    while (next <= wanted.last) {
      uint32_t reached = next;
      for (const PortRange& range : ports.empty() ? all : ports) {
        if (range.first <= next && next <= range.last) {
          reached = std::max<uint32_t>(reached, range.last + 1U);
        }
      }
      if (reached == next) return false;
      next = reached;
    }
    return true;
  });
}

bool NamePattern::Matches(std::string_view lower_case_name) const {
  if (!below) return lower_case_name == name;
  return lower_case_name.size() > name.size() + 1 && lower_case_name.ends_with(name) &&
         lower_case_name[lower_case_name.size() - name.size() - 1] == '.';
}

Result<Rule> Rule::Parse(std::string_view text, Effect effect) {
  if (text.empty()) return Failure(Error::Invalid("a network rule is empty").WithRemedy(kForms));
  if (text.size() > kMaxBytes) {
    return Failure(Error::Invalid("a network rule has " + std::to_string(text.size()) +
                                  " bytes, and at most " + std::to_string(kMaxBytes) +
                                  " are allowed")
                       .WithRemedy(kForms));
  }
  if (const std::string_view flaw = FlawOfUrl(text); !flaw.empty()) {
    const std::string meant = FromUrl(text);
    return Failure(meant.empty() ? Bad(text, flaw) : Bad(text, flaw, "write " + meant));
  }
  const Parts parts = TRY(Divide(text));
  Rule rule{.text = std::string(text)};
  if (parts.ports) rule.ports = TRY(ParsePorts(text, *parts.ports));
  const bool numeric = parts.target.find_first_not_of("0123456789.") == std::string_view::npos &&
                       std::ranges::count(parts.target, '.') == 3;
  if (parts.brackets || numeric || parts.target.find_first_of(":/") != std::string_view::npos) {
    rule.target = TRY(ParsePrefix(text, parts));
    return rule;
  }
  if (IsHostName(Lower(parts.target))) {
    rule.target = HostTarget{};
    return rule;
  }
  rule.target = TRY(ParsePattern(text, parts.target, effect));
  return rule;
}

std::optional<std::string> NormalName(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMaxName) return {};
  std::string lower = Lower(name);
  if (!FlawOfName(lower).why.empty()) return {};
  return lower;
}

bool IsHostName(std::string_view lower_case_name) {
  return lower_case_name == kHostName || lower_case_name == kDockerHostName;
}

}  // namespace cay::network
