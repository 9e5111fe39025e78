// Fields of what is told of networks, each once (base/field.h). Made of these lists: the API's
// writers and its schemas. What is asked for is in sandbox/fields.h.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "network/policy/preset.h"
#include "sandbox/fields.h"
#include "sandbox/network/network_report.h"

namespace cay::sandbox::fields {

// A network::Flow.
struct Flow {
  static constexpr std::array<std::string_view, 3> kVerdicts = {"allowed", "denied", "failed"};
  static constexpr std::array<std::string_view, 2> kDirections = {"outbound", "inbound"};

  static void Of(const network::Flow& flow, auto& visit) {
    visit(About{.name = "time", .text = "of its beginning"}, field::Time{.always = true},
          flow.time_unix_ms);
    visit(About{.name = "direction",
                .text = "outbound: of the sandbox's programs; inbound: to a published port"},
          field::Word{.words = kDirections}, kDirections[flow.inbound ? 1 : 0]);
    visit(About{.name = "name", .text = "empty: the program named an address"}, field::Text{},
          flow.name);
    visit(About{.name = "address",
                .text = "inbound: who connected; empty: it was a question for a name, or it led to "
                        "a peer"},
          field::Text{}, flow.address);
    visit(About{.name = "port", .text = "inbound: the sandbox's"}, field::Number{}, flow.port);
    visit(About{"verdict"}, field::Word{.words = kVerdicts}, network::VerdictName(flow.verdict));
    visit(About{.name = "reason", .text = "why it was denied or failed"}, field::Text{},
          flow.reason);
    visit(About{.name = "rule", .text = "that decided; empty: none did"}, field::Text{}, flow.rule);
    visit(About{.name = "sent", .text = "bytes from the sandbox"}, field::Number{}, flow.sent);
    visit(About{"received"}, field::Number{}, flow.received);
    visit(About{"duration_ms"}, field::Number{}, flow.duration_ms);
    visit(About{.name = "times", .text = "the same again and again is told once"}, field::Number{},
          flow.times);
    visit(About{.name = "proxied", .text = "a proxy was asked to connect"}, field::Flag{},
          flow.proxied);
    visit(About{.name = "cached", .text = "the package cache has answered some of its requests"},
          field::Flag{}, flow.cached);
  }
};

struct NumberedFlow {
  static constexpr std::string_view kSchema = "Flow";
  static constexpr std::string_view kText =
      "a connection of a sandbox, or a name that it asked for in vain, and what came of it";
  static void Of(const sandbox::NumberedFlow& flow, auto& visit) {
    visit(About{.name = "number", .text = "ascending; one that is missing was dropped"},
          field::Number{}, flow.number);
    Flow::Of(flow.flow, visit);
  }
};

struct FlowPage {
  static constexpr std::string_view kSchema = "FlowPage";
  static void Of(const sandbox::FlowPage& page, auto& visit) {
    visit(About{"flows"}, field::Objects<NumberedFlow>{}, page.flows);
    visit(About{.name = "next", .text = "what to ask after next"}, field::Number{}, page.next);
  }
};

struct NetworkCheck {
  static constexpr std::string_view kSchema = "NetworkCheck";
  static constexpr std::string_view kText = "what would become of a connection; none was made";
  static void Of(const sandbox::NetworkCheck& check, auto& visit) {
    const network::Checked& checked = check.checked;
    visit(About{"host"}, field::Text{}, check.host);
    visit(About{"port"}, field::Number{}, check.port);
    visit(About{"allowed"}, field::Flag{}, checked.allowed);
    visit(About{.name = "reason", .text = "a sentence"}, field::Text{}, checked.reason);
    visit(About{.name = "rule", .text = "that decided; empty: none did"}, field::Text{},
          checked.rule);
    visit(About{.name = "addresses", .text = "that would be tried, or why one would not"},
          field::Objects<Target>{}, checked.targets);
    visit(About{.name = "proxy",
                .text = "that would connect, to which of a name's addresses is not known here; "
                        "empty: none would be asked"},
          field::Text{}, checked.proxy);
  }

 private:
  struct Target {
    static void Of(const network::Checked::Target& target, auto& visit) {
      visit(About{"address"}, field::Text{}, target.address);
      visit(About{"allowed"}, field::Flag{}, target.allowed);
      visit(About{"reason"}, field::Text{}, target.reason);
    }
  };
};

// A DeniedFlows, in the result of a command: of most there is none.
struct NetworkDenied {
  static void Of(const DeniedFlows& denied, auto& visit) {
    const std::span<const network::Flow> flows(denied.flows);
    visit(About{.name = "network_denied",
                .text = "what the sandbox wanted of the network and did not get while the command "
                        "ran; left out where there is nothing",
                .sometimes = true},
          field::Objects<Flow>{.max = DeniedFlows::kMost},
          flows.empty() ? std::nullopt : std::optional(flows));
    visit(
        About{.name = "network_denied_more", .text = "how many more there were", .sometimes = true},
        field::Number{}, denied.more == 0 ? std::nullopt : std::optional(denied.more));
  }
};

struct NetworkCounts {
  static void Of(const network::NetworkCounts& counts, auto& visit) {
    visit(About{"connections"}, field::Number{}, counts.connections);
    visit(About{.name = "inbound", .text = "of the connections: to published ports"},
          field::Number{}, counts.inbound);
    visit(About{.name = "open", .text = "connections, now"}, field::Number{}, counts.open);
    visit(About{.name = "denied", .text = "connections and names"}, field::Number{}, counts.denied);
    visit(About{"failed"}, field::Number{}, counts.failed);
    visit(About{.name = "sent", .text = "bytes from the sandbox"}, field::Number{}, counts.sent);
    visit(About{"received"}, field::Number{}, counts.received);
  }
};

struct ToldNetworkLimits {
  static void Of(const network::NetworkLimits& limits, auto& visit) {
    visit(About{"connections"}, field::Number{}, limits.connections);
    visit(About{"connections_per_second"}, field::Number{}, limits.connections_per_second);
    visit(About{"bytes_per_second"}, field::Number{}, limits.bytes_per_second);
    visit(About{"bytes"}, field::Number{}, limits.bytes);
    visit(About{.name = "idle", .text = "seconds"}, field::Number{}, limits.idle_seconds);
  }
};

// The name of a preset, and what it stands for in this version.
struct Preset {
  static void Of(const std::string& name, auto& visit) {
    const auto found = network::FindPreset(name);
    std::vector<std::string> rules;
    if (found)
      for (const network::Rule& rule : (*found)->rules) rules.push_back(rule.text);
    visit(About{"name"}, field::Text{}, name);
    visit(About{"rules"}, field::Texts{}, rules);
  }
};

struct NetworkBounds {
  static void Of(const network::Bounds& bounds, auto& visit) {
    visit(About{"max_mode"}, field::Word{.words = Network::kModes},
          network::ModeName(bounds.max_mode));
    visit(About{"private_allowed"}, field::Texts{}, bounds.private_allowed);
    visit(About{"deny"}, field::Texts{}, bounds.deny);
  }
};

// A network::Peer.
struct Peer {
  static void Of(const network::Peer& peer, auto& visit) {
    visit(About{.name = "name", .text = "in lower case"}, field::Text{}, peer.name);
    visit(About{.name = "sandbox", .text = "its id"}, field::Text{}, peer.sandbox);
  }
};

// A PublishedStanding.
struct Published {
  static void Of(const PublishedStanding& standing, auto& visit) {
    visit(About{.name = "address", .text = "of the machine"}, field::Text{}, standing.address);
    visit(About{"host_port"}, field::Number{}, standing.host_port);
    visit(About{.name = "port", .text = "of the sandbox"}, field::Number{}, standing.port);
    visit(About{.name = "listening", .text = "false: it is tried again"}, field::Flag{},
          standing.listening);
    visit(About{.name = "reason", .text = "why it is not listening"}, field::Text{},
          standing.problem);
  }
};

// A SecretStanding.
struct GivenSecret {
  static void Of(const SecretStanding& standing, auto& visit) {
    visit(About{"name"}, field::Text{}, standing.name);
    visit(About{.name = "env", .text = "the variable that has its placeholder"}, field::Text{},
          standing.variable);
    visit(About{.name = "kept", .text = "false: it was removed, and its placeholder is refused"},
          field::Flag{}, standing.kept);
  }
};

// A sandbox::NetworkReport.
struct NetworkReport {
  static constexpr std::string_view kSchema = "Network";
  static void Of(const sandbox::NetworkReport& report, auto& visit) {
    const NetworkStanding& standing = report.standing;
    const network::Spec& policy = report.spec.policy;
    visit(About{"mode"}, field::Word{.words = Network::kModes}, network::ModeName(policy.mode));
    visit(About{.name = "state",
                .text = "none; open; closed: the sandbox does not run; unavailable: nothing serves "
                        "it, connections are refused, and it is tried again"},
          field::Word{.words = kStates}, StateOf(report));
    visit(About{.name = "reason", .text = "why it is unavailable"}, field::Text{},
          standing.problem);
    visit(About{"allow"}, field::Texts{}, policy.allow);
    visit(About{"deny"}, field::Texts{}, policy.deny);
    visit(About{"presets"}, field::Objects<Preset>{}, policy.presets);
    visit(About{"dns"}, field::Word{.words = Network::kDnsModes}, network::DnsModeName(policy.dns));
    visit(About{"join"}, field::Texts{}, report.spec.join);
    visit(About{"aliases"}, field::Texts{}, report.spec.aliases);
    visit(About{.name = "peers", .text = "what it reaches by name in the networks it has joined"},
          field::Objects<Peer>{}, report.peers);
    visit(About{"publish"}, field::Objects<Published>{}, report.published);
    visit(About{"secrets"}, field::Objects<GivenSecret>{}, report.secrets);
    visit(About{"limits"}, field::Object<ToldNetworkLimits>{}, report.spec.limits);
    visit(About{.name = "bounds", .text = "the administrator's, for all sandboxes"},
          field::Object<NetworkBounds>{}, report.bounds);
    visit(About{.name = "counts", .text = "since the server knows the sandbox"},
          field::Object<NetworkCounts>{}, standing.counts);
    visit(About{.name = "steering",
                .text = "how connections come out of the sandbox, by BPF or by nftables; null: it "
                        "is not open"},
          field::Word{.words = kSteerings}, SteeringOf(standing));
  }

 private:
  static constexpr std::array<std::string_view, 4> kStates = {"none", "open", "closed",
                                                              "unavailable"};
  static constexpr std::array<std::string_view, 2> kSteerings = {"lookup", "redirect"};

  static std::string_view StateOf(const sandbox::NetworkReport& report) {
    if (report.standing.served) return kStates[1];
    if (report.standing.wanted) return kStates[3];
    return report.spec.none() ? kStates[0] : kStates[2];
  }
  static std::optional<std::string_view> SteeringOf(const NetworkStanding& standing) {
    if (!standing.steering) return std::nullopt;
    return kSteerings[*standing.steering == network::Steering::kLookup ? 0 : 1];
  }
};

}  // namespace cay::sandbox::fields
