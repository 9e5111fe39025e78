// Policy: what a sandbox may reach, compiled, and the one place where that is decided. Pure: the
// relay asks it for each name and each connection, `cay net check` asks the same questions.
//
//   Spec spec{.mode = Mode::kAllow, .allow = {"example.com:443"}, .presets = {"pypi"}};
//   const Policy policy = TRY(Policy::Compile(spec, bounds));
//   policy.OfName("example.com").allowed;                  // may it be resolved at all?
//   policy.OfConnection("example.com", 443);               // by name, before anything is resolved
//   policy.OfAddress("example.com", resolved, 443, own);   // the address that would be dialled
//   policy.OfAddress("", literal, 443, own);               // the program named an address itself
//
// Denying rules come before allowing ones, whatever their order. An address that is not public is
// dialled only where an allowing rule names its range (or host:PORT for the machine itself), and
// the administrator's bounds do too; a rule that names a name says nothing about ranges, whatever
// the name resolves to. A cloud's metadata is named by its one address alone; an address of a
// tunnel by a range of that tunnel, and the IPv4 address in it (where its place is fixed) as if it
// were dialled itself. A rule that denies an IPv4 address denies it in tunnels too. The server's
// own API is reached by no rule that is not for it alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"
#include "network/policy/rule.h"

namespace cay::network {

enum class Mode : uint8_t {
  kNone,   // no network but the sandbox's own loopback
  kAllow,  // what `allow` and `presets` name
  kOpen,   // the public internet, and what `allow` names beside it
};
std::string_view ModeName(Mode mode);  // "none", "allow", "open"
Result<Mode> ParseMode(std::string_view name);

// What names are answered with inside.
enum class DnsMode : uint8_t {
  kNames,  // addresses that stand for them: no question leaves before there is a connection
  kReal,   // what their own servers say, as far as the policy lets it be reached
};
std::string_view DnsModeName(DnsMode mode);  // "names", "real"
Result<DnsMode> ParseDnsMode(std::string_view name);

// As a user says it.
struct Spec {
  static constexpr size_t kMaxRules = 256;  // of each list

  Mode mode = Mode::kNone;
  std::vector<std::string> allow{};
  std::vector<std::string> deny{};
  std::vector<std::string> presets{};
  DnsMode dns = DnsMode::kNames;

  // Where no mode is said, this is kAllow's.
  bool names_some() const { return !allow.empty() || !presets.empty(); }
  friend bool operator==(const Spec&, const Spec&) = default;
};

// What an administrator says for all sandboxes.
struct Bounds {
  Mode max_mode = Mode::kOpen;
  // Rules whose targets are prefixes or the host: what rules of sandboxes may name of addresses
  // that are not public.
  std::vector<std::string> private_allowed{};
  std::vector<std::string> deny{};  // for everybody
  // Where the server's own API listens: "127.0.0.1:8888", "[::]:8888". No rule leads there,
  // whatever address of the machine it names, unless private_allowed names exactly the address, or
  // the machine, and exactly the port.
  std::vector<std::string> server{};

  friend bool operator==(const Bounds&, const Bounds&) = default;
};

enum class Why : uint8_t {
  kRule,          // `rule` says so
  kOpen,          // mode "open"
  kNoRule,        // no rule allows it
  kNone,          // mode "none"
  kSpecial,       // not a public address (or one in it is not), and no rule names its range
  kNotPermitted,  // a rule names its range, the administrator does not
  kOwn,           // an address of the machine itself
  kServer,        // Cay's own API
};

struct Decision {
  bool allowed = false;
  Why why = Why::kNoRule;
  std::string rule{};  // its text; of a preset "PRESET: example.com:443"

  friend bool operator==(const Decision&, const Decision&) = default;
};
// One sentence: "no rule allows it", "10.1.2.3 is a private address, and no rule names its range".
std::string Explain(const Decision& decision, std::string_view name, const Address* address);

class Policy {
 public:
  // kInvalidArgument for a rule that cannot be read, kLimitTooHigh for too many;
  // kPermissionDenied (with what to ask the administrator for) for what the bounds forbid: a mode
  // over max_mode, or an allowing rule for a range that private_allowed does not cover. A range of
  // public and other addresses is taken, for the public ones and for what private_allowed covers.
  static Result<Policy> Compile(const Spec& spec, const Bounds& bounds);

  Mode mode() const { return mode_; }
  // Whether any connection to this name could be allowed: otherwise it does not exist (NXDOMAIN). A
  // denying rule for some ports leaves it there.
  Decision OfName(std::string_view name) const;
  Decision OfConnection(std::string_view name, uint16_t port) const;
  // `own`: the address is one of this machine's (the caller knows them): only a connection to one
  // of the machine's names in rules reaches it, and such a connection nothing else but loopback
  // addresses. `name` empty: none was used.
  Decision OfAddress(std::string_view name, const Address& address, uint16_t port, bool own) const;
  // Whether a program may be told that the name has this address: a public one, or one of those
  // that some rule and the administrator name, whatever the port.
  bool MayTell(const Address& address, bool own) const;
  // The machine itself, by one of its names in rules.
  Decision OfHost(uint16_t port) const;

 private:
  struct Named {
    Rule rule;
    std::string told;  // the rule's text, with its preset's name
  };
  using Rules = std::vector<Named>;

  static Result<void> Add(const std::vector<std::string>& texts, std::string_view list,
                          Effect effect, Rules& rules);
  static Result<void> AddPresets(const std::vector<std::string>& names, Rules& rules);
  Result<void> CheckPermitted(const Rule& rule) const;
  const Named* Denying(const Address& address, uint16_t port) const;
  bool ReachesServer(const Address& address, uint16_t port, bool own, bool by_host_name) const;
  Decision OfSpecial(const Address& address, uint16_t port) const;

  Mode mode_ = Mode::kNone;
  Rules allow_;
  Rules deny_;
  Rules permitted_;  // the administrator's private_allowed
  Rules server_;
};

// Whether it lets a place be reached over TLS whose answers a package cache may keep (preset.h).
bool ReachesKept(const Policy& policy);

}  // namespace cay::network
