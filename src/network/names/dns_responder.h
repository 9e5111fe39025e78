// DnsResponder: answers the questions for names of one sandbox's programs, by its policy and its
// names, without asking anybody. A name that may not be reached does not exist: every client takes
// that at once, where a refusal makes some wait and ask again. Names of peers precede all rules.
//
// Answered are A (an address that stands for the name) and PTR (back from it). A name that exists
// has no other records here: AAAA, so that one family is enough; HTTPS and SVCB, so that no
// encrypted hello is offered; MX, SRV and TXT, of which only the name's own servers know. With
// DnsMode::kReal these servers are asked: what is left open here is for its caller to answer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "network/names/name_table.h"
#include "network/names/peer_names.h"
#include "network/names/pinned_names.h"
#include "network/policy/policy.h"
#include "network/wire/dns_message.h"

namespace cay::network {

// A question that the name's own servers are to be asked: for A, AAAA, MX, SRV or TXT of a name
// that the policy allows.
struct OpenQuestion {
  Query query;
  std::string name;  // in lower case
  size_t limit = 0;  // of the reply, in bytes
};

class DnsResponder {
 public:
  struct Replied {
    std::string text{};  // empty: there is none (what came is no question to answer) …
    std::optional<OpenQuestion> open{};  // … or none yet
  };
  // Whether the name's own servers are asked.
  using IsReal = std::function<bool(const std::string& name)>;
  // `denied` is told of each name that is refused: the name in lower case and why.
  using Denied = std::function<void(const std::string& name, const Decision& why)>;

  // What these refer to outlives it.
  struct Knowledge {
    const Policy& policy;
    const PeerNames& peers;
    NameTable& names;
    PinnedNames& pinned;
  };
  DnsResponder(Knowledge knowledge, IsReal is_real, Denied denied)
      : policy_(knowledge.policy),
        peers_(knowledge.peers),
        names_(knowledge.names),
        pinned_(knowledge.pinned),
        is_real_(std::move(is_real)),
        denied_(std::move(denied)) {}

  // The reply to one message. At most `limit` bytes, or for a datagram (`limit` 0) what its sender
  // takes.
  Replied Reply(std::string_view message, size_t limit, NameTable::Clock::time_point now);

  // The reply to what was open. kOk without a record: there is none of that type.
  static std::string Close(const OpenQuestion& question, Rcode rcode,
                           std::span<const Record> records);

 private:
  Replied OfName(const Query& query, const std::string& name, size_t limit,
                 NameTable::Clock::time_point now);
  std::string OfReverse(const Query& query, const Address& address, size_t limit,
                        NameTable::Clock::time_point now);

  const Policy& policy_;
  const PeerNames& peers_;
  NameTable& names_;
  PinnedNames& pinned_;
  IsReal is_real_;
  Denied denied_;
};

}  // namespace cay::network
