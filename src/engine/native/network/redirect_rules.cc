#include "engine/native/network/redirect_rules.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>

#include <array>
#include <span>
#include <string>

#include "engine/engine.h"
#include "engine/native/network/steering_plan.h"

namespace cay::engine::native {
namespace {

constexpr const char* kTable = "cay";
constexpr const char* kChain = "steer";
constexpr uint16_t kMake = NLM_F_CREATE | NLM_F_EXCL;

// Registers hold 16 bytes each.
constexpr uint32_t kValue = NFT_REG_1;
constexpr uint32_t kAddress = NFT_REG_1;
constexpr uint32_t kPort = NFT_REG_2;

struct Range {
  const char* first;
  const char* mask;
};

struct Family {
  uint8_t number;  // NFPROTO_*, which AF_INET and AF_INET6 are too
  const char* name;
  uint32_t daddr;  // where the destination is in the packet's header
  uint32_t bytes;  // of it
  const char* policy;
  std::span<const Range> own;  // what is the sandbox's
};

constexpr std::array<Range, 2> kOwnV4 = {
    {{"127.0.0.0", "255.0.0.0"}, {NetworkSockets::kOwnV4, "255.255.255.255"}}};
constexpr const char* kWholeV6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
constexpr std::array<Range, 3> kOwnV6 = {
    {{"::1", kWholeV6},
     {NetworkSockets::kOwnV6, kWholeV6},
     {"::ffff:127.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0"}}};
constexpr Family kV4 = {NFPROTO_IPV4, "IPv4", 16, 4, kPolicyV4, kOwnV4};
constexpr Family kV6 = {NFPROTO_IPV6, "IPv6", 24, 16, kPolicyV6, kOwnV6};

uint16_t MessageType(nf_tables_msg_types type) {
  return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

nfgenmsg HeaderOf(uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  return header;
}

// Begins or ends the batch: all of it comes to be, or nothing.
void Bound(NetlinkMessages& to, uint16_t type) {
  nfgenmsg header = HeaderOf(AF_UNSPEC);
  header.res_id = ::htons(NFNL_SUBSYS_NFTABLES);
  to.Bound(type, header, "changing nftables");
}

std::string Bytes(const Family& family, const char* text) {
  in6_addr address{};
  ::inet_pton(family.number, text, &address);
  return std::string(reinterpret_cast<const char*>(&address), family.bytes);
}

std::string Bytes(uint16_t port) { return std::string(BytesOf(::htons(port))); }

// The expressions of a rule, each over what those before left in the registers; one that does not
// hold ends the rule.
class Rule {
 public:
  explicit Rule(NetlinkMessages& to) : to_(to) {}

  void ProtocolIs(uint8_t protocol) {
    Expression("meta", [&] {
      to_.Put32Be(NFTA_META_DREG, kValue);
      to_.Put32Be(NFTA_META_KEY, NFT_META_L4PROTO);
    });
    Compare(NFT_CMP_EQ, std::string(1, static_cast<char>(protocol)));
  }
  void SourcePortIsNot(uint16_t port) {
    Load(NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof port);
    Compare(NFT_CMP_NEQ, Bytes(port));
  }
  void PortIs(uint16_t port) {
    Load(NFT_PAYLOAD_TRANSPORT_HEADER, sizeof port, sizeof port);
    Compare(NFT_CMP_EQ, Bytes(port));
  }
  void AddressIsNotIn(const Family& family, const Range& range) {
    Load(NFT_PAYLOAD_NETWORK_HEADER, family.daddr, family.bytes);
    Expression("bitwise", [&] {
      to_.Put32Be(NFTA_BITWISE_SREG, kValue);
      to_.Put32Be(NFTA_BITWISE_DREG, kValue);
      to_.Put32Be(NFTA_BITWISE_LEN, family.bytes);
      Value(NFTA_BITWISE_MASK, Bytes(family, range.mask));
      Value(NFTA_BITWISE_XOR, std::string(family.bytes, '\0'));
    });
    Compare(NFT_CMP_NEQ, Bytes(family, range.first));
  }
  void Translate(const Family& family, uint16_t port) {
    Immediate(kAddress, Bytes(family, family.policy));
    Immediate(kPort, Bytes(port));
    Expression("nat", [&] {
      to_.Put32Be(NFTA_NAT_TYPE, NFT_NAT_DNAT);
      to_.Put32Be(NFTA_NAT_FAMILY, family.number);
      to_.Put32Be(NFTA_NAT_REG_ADDR_MIN, kAddress);
      to_.Put32Be(NFTA_NAT_REG_PROTO_MIN, kPort);
    });
  }

 private:
  template <class Fill>
  void Expression(const char* name, const Fill& fill) {
    to_.Nest(NFTA_LIST_ELEM, [&] {
      to_.PutText(NFTA_EXPR_NAME, name);
      to_.Nest(NFTA_EXPR_DATA, fill);
    });
  }
  void Value(uint16_t attribute, const std::string& bytes) {
    to_.Nest(attribute, [&] { to_.Put(NFTA_DATA_VALUE, bytes); });
  }
  void Load(nft_payload_bases base, uint32_t offset, uint32_t bytes) {
    Expression("payload", [&] {
      to_.Put32Be(NFTA_PAYLOAD_DREG, kValue);
      to_.Put32Be(NFTA_PAYLOAD_BASE, base);
      to_.Put32Be(NFTA_PAYLOAD_OFFSET, offset);
      to_.Put32Be(NFTA_PAYLOAD_LEN, bytes);
    });
  }
  void Compare(nft_cmp_ops how, const std::string& bytes) {
    Expression("cmp", [&] {
      to_.Put32Be(NFTA_CMP_SREG, kValue);
      to_.Put32Be(NFTA_CMP_OP, how);
      Value(NFTA_CMP_DATA, bytes);
    });
  }
  void Immediate(uint32_t to, const std::string& bytes) {
    Expression("immediate", [&] {
      to_.Put32Be(NFTA_IMMEDIATE_DREG, to);
      Value(NFTA_IMMEDIATE_DATA, bytes);
    });
  }

  NetlinkMessages& to_;
};

template <class Fill>
void AddRule(NetlinkMessages& to, const Family& family, const std::string& what, const Fill& fill) {
  to.Begin(MessageType(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, HeaderOf(family.number),
           "the rule of nftables for " + what + " over " + family.name);
  to.PutText(NFTA_RULE_TABLE, kTable);
  to.PutText(NFTA_RULE_CHAIN, kChain);
  to.Nest(NFTA_RULE_EXPRESSIONS, [&] {
    Rule rule(to);
    fill(rule);
  });
  to.End();
}

void AddTable(NetlinkMessages& to, const Family& family) {
  const std::string name(family.name);
  to.Begin(MessageType(NFT_MSG_NEWTABLE), kMake, HeaderOf(family.number),
           "a table of nftables for " + name);
  to.PutText(NFTA_TABLE_NAME, kTable);
  to.Put32Be(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
  to.End();
  to.Begin(MessageType(NFT_MSG_NEWCHAIN), kMake, HeaderOf(family.number),
           "a nat chain of nftables for " + name);
  to.PutText(NFTA_CHAIN_TABLE, kTable);
  to.PutText(NFTA_CHAIN_NAME, kChain);
  to.Nest(NFTA_CHAIN_HOOK, [&] {
    to.Put32Be(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    to.Put32Be(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(NF_IP_PRI_NAT_DST));
  });
  to.PutText(NFTA_CHAIN_TYPE, "nat");
  to.End();
}

void AddFamily(NetlinkMessages& to, const Family& family, RedirectPorts ports) {
  AddTable(to, family);
  AddRule(to, family, "names by UDP", [&](Rule& rule) {
    rule.ProtocolIs(IPPROTO_UDP);
    rule.SourcePortIsNot(kDnsPort);
    rule.PortIs(kDnsPort);
    rule.Translate(family, ports.dns);
  });
  AddRule(to, family, "names by TCP", [&](Rule& rule) {
    rule.ProtocolIs(IPPROTO_TCP);
    rule.PortIs(kDnsPort);
    rule.Translate(family, ports.tcp);
  });
  AddRule(to, family, "connections", [&](Rule& rule) {
    rule.ProtocolIs(IPPROTO_TCP);
    for (const Range& range : family.own) rule.AddressIsNotIn(family, range);
    rule.Translate(family, ports.tcp);
  });
}

}  // namespace

NetlinkMessages RedirectRules(RedirectPorts v4, std::optional<RedirectPorts> v6) {
  NetlinkMessages messages;
  Bound(messages, NFNL_MSG_BATCH_BEGIN);
  AddFamily(messages, kV4, v4);
  if (v6) AddFamily(messages, kV6, *v6);
  Bound(messages, NFNL_MSG_BATCH_END);
  return messages;
}

}  // namespace cay::engine::native
