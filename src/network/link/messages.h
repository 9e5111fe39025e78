// Messages between the relay and who controls it (the server, `cay run`), in packets
// (base/ipc/packet.h) over one SEQPACKET socket. Each request has one reply, in the order of the
// requests; between them the relay sends kNews where that was asked for.
//
//   kHello   HelloRequest                       kDone
//   kOpen    OpenRequest + its sockets          kDone + the file of its names
//   kAuthority  AuthorityRequest + files        kDone   before networks with secrets are opened
//   kPolicy  PolicyRequest                      kDone + the file of its names
//   kClose   SandboxRequest                     kDone
//   kFlows   FlowsRequest                       kFlowsAre   Flows
//   kList    ListRequest                        kNetworksAre   Networks
//   kCheck   CheckRequest                       kCheckedIs     Checked
//   kUnpublish  SandboxRequest                  kDone   its connections from outside end, and what
//                                                       was told of them is forgotten
//   kCache   (empty)                            kCacheIs   CacheCounts
//                                               kFailed     EncodeError
//                                               kNews       SandboxRequest: it has flows that
//                                                           were not asked for yet
//
// The file of a network's names (names/name_book.h) is the relay's to read and to write. Its
// controller keeps it, and gives it to the next relay with the sockets. A relay that could not make
// one answers without, and a controller that cannot take it has none: then names are made anew.
//
// Connections into a sandbox are made by the controller, which alone reaches a sandbox's guest.
// What is said of them has no reply:
//
//   kDialled  DialledNote + one descriptor      kDial   DialRequest: one of its programs has
//             where it came about                       connected to a peer
//   kRelay    RelayOrder + two descriptors, between which bytes are moved until both have ended
//
// A relay that has a door (relay_door.h) goes on with its networks when its controller has ended,
// and is greeted by the next one. Of one that was spawned the first packet of all is
//
//   kDoor    (empty) + the door's socket and name, or nothing: it has none
//
// Numbered fields, as all that programs of different versions say to each other
// (protocol/message_codec.h): a relay outlives a server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/id.h"
#include "network/link/cache_counts.h"
#include "network/link/counts.h"
#include "network/link/flow.h"
#include "network/link/limits.h"
#include "network/link/secret.h"
#include "network/link/sockets.h"
#include "network/policy/policy.h"
#include "protocol/message_codec.h"

namespace cay::protocol {

template <>
struct FieldsOf<network::Spec> {
  static void Visit(auto& self, auto& codec) {
    constexpr size_t kText = network::Rule::kMaxBytes;
    codec.Field(1, self.mode, network::Mode::kOpen);
    codec.Field(2, self.allow, network::Spec::kMaxRules, kText);
    codec.Field(3, self.deny, network::Spec::kMaxRules, kText);
    codec.Field(4, self.presets, network::Spec::kMaxRules, kText);
    codec.Field(5, self.dns, network::DnsMode::kReal);
  }
};

template <>
struct FieldsOf<network::Bounds> {
  static void Visit(auto& self, auto& codec) {
    constexpr size_t kText = network::Rule::kMaxBytes;
    codec.Field(1, self.max_mode, network::Mode::kOpen);
    codec.Field(2, self.private_allowed, network::Spec::kMaxRules, kText);
    codec.Field(3, self.deny, network::Spec::kMaxRules, kText);
    codec.Field(6, self.server, network::Spec::kMaxRules, kText);
  }
};

}  // namespace cay::protocol

namespace cay::network {

enum class MessageType : uint8_t {
  kHello = 1,
  kOpen = 2,
  kPolicy = 3,
  kClose = 4,
  kFlows = 5,
  kList = 6,
  kCheck = 7,
  kAuthority = 8,
  kDialled = 9,
  kRelay = 10,
  kDoor = 13,
  kUnpublish = 17,
  kCache = 20,
  kDone = 64,
  kFailed = 65,
  kFlowsAre = 66,
  kNetworksAre = 67,
  kNews = 68,
  kCheckedIs = 69,
  kDial = 70,
  kCacheIs = 78,
};

inline constexpr uint32_t kLinkVersion = 1;
// Of flows in one reply: with the longest texts they fit into a packet.
inline constexpr uint32_t kMaxFlowsAtOnce = 64;
inline constexpr size_t kMaxNetworks = 4096;
// Of networks in one reply: they fit into a packet.
inline constexpr uint32_t kMaxNetworksAtOnce = 256;

// A relay that was greeted before takes another greeting only if it says the same (kIllegalState
// otherwise): it has to be replaced. kNotSupported: it speaks another version of the link.
struct HelloRequest {
  static constexpr size_t kMaxResolvers = 8;
  static constexpr size_t kMaxProxy = 1024;  // Proxy::kMaxUrl
  static constexpr size_t kMaxNoProxy = 64;  // ProxyPlan::kMaxDirect

  uint32_t version = kLinkVersion;
  std::vector<std::string> resolvers{};  // "127.0.0.1:53"; empty: the machine's own
  bool news = false;
  std::string proxy{};  // network/transfer/proxy.h; with its password. Empty: none
  std::vector<std::string> no_proxy{};
  uint64_t cache_bytes = 0;  // what the package cache may have on disk; 0: there is none

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.version);
    codec.Field(2, self.resolvers, kMaxResolvers, size_t{64});
    codec.Field(3, self.news);
    codec.Field(4, self.proxy, kMaxProxy);
    codec.Field(5, self.no_proxy, kMaxNoProxy, network::Rule::kMaxBytes);
    codec.Field(12, self.cache_bytes);
  }
};

// What requests with secrets are given on with: the certificate authority that sandboxes trust, as
// PEM, and files of certificates by which servers are verified, as descriptors.
struct AuthorityRequest {
  static constexpr size_t kMaxPem = size_t{16} * 1024;
  static constexpr size_t kMaxFiles = 16;

  std::string certificate{};
  std::string key{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.certificate, kMaxPem);
    codec.Field(2, self.key, kMaxPem);
  }
};

// Another sandbox, whose listening ports this one reaches by a name.
struct Peer {
  static constexpr size_t kMaxName = 128;

  std::string name{};  // in lower case
  std::string sandbox{};
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.name, kMaxName);
    codec.Field(2, self.sandbox, SandboxId::kLength);
  }
  friend bool operator==(const Peer&, const Peer&) = default;
};

// What a sandbox may do.
struct Terms {
  static constexpr size_t kMaxPeers = 256;
  static constexpr size_t kMaxCacheOwner = 256;

  uint64_t version = 0;  // its client's number for it
  Spec spec{};
  Bounds bounds{};
  NetworkLimits limits{};
  std::vector<Secret> secrets{};
  std::vector<Peer> peers{};  // their names come before all rules
  // Those with the same one see each other's answers in the package cache; empty: it is not used.
  std::string cache_owner{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.version);
    codec.Field(2, self.spec);
    codec.Field(3, self.bounds);
    codec.Field(4, self.limits);
    codec.Field(5, self.secrets, Secret::kMostOfASandbox);
    codec.Field(6, self.peers, kMaxPeers);
    codec.Field(14, self.cache_owner, kMaxCacheOwner);
  }
};

struct OpenRequest {
  std::string sandbox{};
  Terms terms{};
  Steering steering = Steering::kLookup;
  // Which of Sockets come with it, in their order there: bit 0 is tcp_v4.
  uint32_t sockets = 0;

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.sandbox, SandboxId::kLength);
    codec.Field(2, self.terms);
    codec.Field(3, self.steering, Steering::kRedirect);
    codec.Field(4, self.sockets);
  }
};

struct PolicyRequest {
  std::string sandbox{};
  Terms terms{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.sandbox, SandboxId::kLength);
    codec.Field(2, self.terms);
  }
};

struct SandboxRequest {
  std::string sandbox{};
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.sandbox, SandboxId::kLength); }
};

struct FlowsRequest {
  std::string sandbox{};
  uint64_t after = 0;  // the number of the last one that is known; they begin with 1
  // Those of connections from outside, which have numbers and counts of their own, whether the
  // relay serves a network of the sandbox or not.
  bool inbound = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.sandbox, SandboxId::kLength);
    codec.Field(2, self.after);
    codec.Field(3, self.inbound);
  }
};

// `number` is the relay's, for the answer.
struct DialRequest {
  uint64_t number = 0;
  std::string from{};
  std::string to{};
  uint16_t port = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.number);
    codec.Field(2, self.from, SandboxId::kLength);
    codec.Field(3, self.to, SandboxId::kLength);
    codec.Field(4, self.port);
  }
};

struct DialledNote {
  uint64_t number = 0;
  std::string error{};  // a sentence, where no descriptor comes with it
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.number);
    codec.Field(2, self.error, Flow::kMaxReason);
  }
};

// Stream sockets: one of who connected from outside, one that leads to a port of the sandbox.
struct RelayOrder {
  std::string sandbox{};
  uint32_t connections = 0;  // more of this sandbox at a time are reset
  uint32_t idle_seconds = 0;
  // For the flow.
  std::string peer{};
  uint16_t port = 0;  // of the sandbox
  std::string rule{};
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.sandbox, SandboxId::kLength);
    codec.Field(2, self.connections);
    codec.Field(3, self.idle_seconds);
    codec.Field(4, self.peer, size_t{64});
    codec.Field(5, self.port);
    codec.Field(6, self.rule, Flow::kMaxReason);
  }
};

// At most kMaxFlowsAtOnce: what is left is asked for with the last one's number.
struct Flows {
  uint64_t first = 1;  // the number of the first; larger than asked for: those between were dropped
  std::vector<Flow> flows{};
  uint64_t last = 0;  // the newest that there is
  NetworkCounts counts{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.first);
    codec.Field(2, self.flows, size_t{kMaxFlowsAtOnce});
    codec.Field(3, self.last);
    codec.Field(4, self.counts);
  }
};

// What would become of a connection under these terms. Other requests wait for the answer, which
// may take as long as name servers do: whoever has networks open asks a relay of its own.
struct CheckRequest {
  Terms terms{};
  std::string host{};  // a name or an address
  uint16_t port = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.terms);
    codec.Field(2, self.host, Flow::kMaxName);
    codec.Field(3, self.port);
  }
};

struct Checked {
  struct Target {
    std::string address{};
    bool allowed = false;
    std::string reason{};
    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.address, size_t{64});
      codec.Field(2, self.allowed);
      codec.Field(3, self.reason, Flow::kMaxReason);
    }
  };
  static constexpr size_t kMaxTargets = 128;

  bool allowed = false;
  std::string rule{};             // that decided; empty: none
  std::string reason{};           // a sentence
  std::vector<Target> targets{};  // the addresses that would be tried, or why not
  std::string proxy{};            // that would connect; empty: none would be asked

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.allowed);
    codec.Field(2, self.rule, Flow::kMaxReason);
    codec.Field(3, self.reason, Flow::kMaxReason);
    codec.Field(4, self.targets, kMaxTargets);
    codec.Field(5, self.proxy, size_t{512});
  }
};

struct ListRequest {
  std::string after{};  // the last sandbox that is known; empty: none is
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.after, SandboxId::kLength); }
};

// At most kMaxNetworksAtOnce, by their sandboxes; what is left is asked for with the last one.
struct Networks {
  struct Entry {
    std::string sandbox{};
    uint64_t version = 0;  // of its terms
    Steering steering = Steering::kLookup;
    uint64_t first_flow = 1;  // the number of the oldest flow that it has, or of the next one
    uint64_t told_flow = 0;   // those up to that number have been asked for …
    NetworkCounts told{};     // … and these were the counts then

    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.sandbox, SandboxId::kLength);
      codec.Field(2, self.version);
      codec.Field(3, self.steering, Steering::kRedirect);
      codec.Field(4, self.first_flow);
      codec.Field(5, self.told_flow);
      codec.Field(6, self.told);
    }
  };
  std::vector<Entry> networks{};
  bool more = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.networks, size_t{kMaxNetworksAtOnce});
    codec.Field(2, self.more);
  }
};

}  // namespace cay::network
