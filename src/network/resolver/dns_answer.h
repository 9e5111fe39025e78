// What a name server answered to a question for addresses (RFC 1035). Pure; the bytes are an
// attacker's: whoever owns a name that is asked for writes much of them.
//
//   const DnsAnswer answer = TRY(ReadDnsAnswer(bytes, "example.com", Family::kV4));
//   answer.rcode == kNoSuchName …
//
// c-ares has a reader as well; it bounds the length of no name, and of a message that makes use of
// that it is busy for a tenth of a second (1.18).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

struct DnsAnswer {
  static constexpr uint8_t kOk = 0;          // with addresses, or without: then there are none
  static constexpr uint8_t kNoSuchName = 3;  // the name does not exist
  static constexpr size_t kMaxAddresses = 64;
  static constexpr size_t kMaxAliases = 16;

  uint8_t rcode = kOk;
  std::vector<Address> addresses{};  // each once, the first kMaxAddresses of them
  // For how long they hold: the least of the records that led to them.
  uint32_t ttl_seconds = 0;
};

// The addresses of `name`, or of what its aliases (CNAME) lead to, in whatever order the records
// stand; records of other names count for nothing. kProtocol for what is no answer to this
// question, lengths that do not add up, names over 255 bytes, aliases in a circle or more than
// kMaxAliases. `name` is one that NormalName gives.
Result<DnsAnswer> ReadDnsAnswer(std::string_view bytes, std::string_view name, Family family);

}  // namespace cay::network
