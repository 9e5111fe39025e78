// DnsResponder: answers the questions for names of one sandbox's programs, by its policy and its
// names, without asking anybody. A name that may not be reached does not exist: every client takes
// that at once, where a refusal makes some wait and ask again. Names of peers precede all rules.
//
// Answered are A (an address that stands for the name) and PTR (back from it). A name that exists
// has no other records here: AAAA, so that one family is enough; HTTPS and SVCB, so that no
// encrypted hello is offered; MX, SRV and TXT, of which only the name's own servers know.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "network/names/name_table.h"
#include "network/names/peer_names.h"
#include "network/policy/policy.h"
#include "network/wire/dns_message.h"

namespace cay::network {

class DnsResponder {
 public:
  // `denied` is told of each name that is refused: the name in lower case and why.
  using Denied = std::function<void(const std::string& name, const Decision& why)>;

  DnsResponder(const Policy& policy, const PeerNames& peers, NameTable& names, Denied denied)
      : policy_(policy), peers_(peers), names_(names), denied_(std::move(denied)) {}

  // The reply to one message; empty: there is none (what came is no question to answer). At most
  // `limit` bytes, or for a datagram (`limit` 0) what its sender takes.
  std::string Reply(std::string_view message, size_t limit, NameTable::Clock::time_point now);

 private:
  std::string OfName(const Query& query, const std::string& name, size_t limit,
                     NameTable::Clock::time_point now);
  std::string OfReverse(const Query& query, const Address& address, size_t limit,
                        NameTable::Clock::time_point now);

  const Policy& policy_;
  const PeerNames& peers_;
  NameTable& names_;
  Denied denied_;
};

}  // namespace cay::network
