// DNS messages (RFC 1035, EDNS of RFC 6891), as far as a resolver needs them that answers one
// question a message. Pure; the bytes are an attacker's.
//
//   const Query query = TRY(ParseQuery(bytes));              // kProtocol: nothing to answer to
//   const std::string reply = Answer(query, Rcode::kOk, {{.type = RecordType::kA, .ttl = 60, …}}, limit);
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

inline constexpr size_t kMaxDnsMessage = 65'535;
inline constexpr size_t kPlainDnsBytes =
    512;  // of an answer over UDP, unless the query allows more

enum class RecordType : uint16_t {
  kA = 1,
  kNs = 2,
  kSoa = 6,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kHttps = 65
};
enum class Rcode : uint8_t {
  kOk = 0,
  kFormat = 1,
  kFailed = 2,
  kNoSuchName = 3,
  kNotImplemented = 4
};

struct Query {
  uint16_t id = 0;
  uint8_t opcode = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  std::string name;    // as it was asked, case and all, without a trailing dot; "" is the root
  uint16_t type = 0;   // a RecordType, or any other
  uint16_t klass = 1;  // 1: IN
  bool edns = false;
  uint16_t udp_bytes = kPlainDnsBytes;  // what its sender takes over UDP
};

// kProtocol for what is no query with one question: a response, cut, a label over 63 bytes, a name
// over 253, a compressed question, labels with '.', NUL or bytes over 126 (`name` could not say
// them), more than 16 additional records. What follows the question is looked through for EDNS only.
Result<Query> ParseQuery(std::string_view bytes);
// The id of what ParseQuery refused, where there is one to answer with Rcode::kFormat.
std::optional<uint16_t> IdOf(std::string_view bytes);

struct Record {
  RecordType type = RecordType::kA;  // kA, kAaaa or kPtr; of the name that was asked
  uint32_t ttl_seconds = 0;
  Address address{};   // kA, kAaaa
  std::string name{};  // kPtr
};

// The whole reply: the question as it was asked, authoritative for nothing, recursion available.
// What does not fit in `limit` bytes is left out and TC is set. kOk and kNoSuchName without a record carry a SOA, so that
// their not being there is remembered for `negative_ttl_seconds` only.
std::string Answer(const Query& query, Rcode rcode, std::span<const Record> records, size_t limit,
                   uint32_t negative_ttl_seconds);
// A reply to what could not be parsed.
std::string AnswerUnreadable(uint16_t id, Rcode rcode);

// The address that 7.2.0.192.in-addr.arpa or …ip6.arpa asks about.
std::optional<Address> AddressOfReverse(std::string_view name);

}  // namespace cay::network
