// DNS messages (RFC 1035, EDNS of RFC 6891), as far as a resolver needs them that answers one
// question a message. Pure; the bytes are an attacker's.
//
//   const Query query = TRY(ParseQuery(bytes));      // or AnswerUnreadable, where IdOf finds an id
//   const std::vector<Record> records{{.type = RecordType::kA, .ttl_seconds = 60, .address = …}};
//   const std::string reply = Answer(query, Rcode::kOk, records, query.udp_bytes, 10);
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
inline constexpr size_t kMaxDnsName = 253;  // as text
// Of an answer over UDP: unless the query allows more, and whatever it allows. The second is what
// resolvers agreed on at the DNS flag day of 2020, and what our replies announce for queries; who
// needs more asks over TCP.
inline constexpr size_t kPlainDnsBytes = 512;
inline constexpr size_t kMaxUdpDnsBytes = 1232;

enum class RecordType : uint16_t {
  kA = 1,
  kNs = 2,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
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
  uint8_t opcode = 0;  // 0: QUERY
  bool recursion_desired = false;
  bool checking_disabled = false;
  std::string name;    // as it was asked, case and all, without a trailing dot; "" is the root
  uint16_t type = 0;   // a RecordType, or any other
  uint16_t klass = 1;  // 1: IN
  bool edns = false;
  bool dnssec_ok = false;               // of EDNS; the reply repeats it (RFC 3225)
  uint16_t udp_bytes = kPlainDnsBytes;  // how long an answer over UDP may be, by both sides
};

// kProtocol for what is no query with one question: a response, one that is cut, a label over 63
// bytes, a name over kMaxDnsName, a compressed question, labels with '.', NUL or bytes over 126
// (`name` could not say them), answers, more than 16 additional records, bytes after the last of
// them. What follows the question is looked through for EDNS only, and not at all when the opcode
// is not QUERY's: it has another form then. Other opcodes and classes are for the caller to refuse
// (Rcode::kNotImplemented).
//
// EDNS of another version than 0 counts as version 0, which the reply says it is. (RFC 6891 wants
// BADVERS, with which a client would ask again in version 0. No other version was ever specified.)
// Its options are not read.
Result<Query> ParseQuery(std::string_view bytes);
// Whether it can be a query's name: not the root's.
bool IsNameOfQuestion(std::string_view name);
// The id of what ParseQuery refused, where there is one to answer with Rcode::kFormat: not to less
// than a header, and not to a response, or two servers could go on answering each other.
std::optional<uint16_t> IdOf(std::string_view bytes);

struct Record {
  RecordType type =
      RecordType::kA;  // kA, kAaaa, kPtr, kMx, kTxt or kSrv; of the name that was asked
  uint32_t ttl_seconds = 0;
  Address address{};   // kA, kAaaa
  std::string name{};  // kPtr; without a trailing dot
  std::string data{};  // kMx, kTxt, kSrv: as it is in a message, no name compressed
};

// The whole reply: the question as it was asked, authoritative for nothing, recursion available.
// What does not fit in `limit` bytes is left out and TC is set; a limit below kPlainDnsBytes counts
// as that, one over kMaxDnsMessage as this. kOk and kNoSuchName without a record carry a SOA, so
// that their not being there is remembered for `negative_ttl_seconds` only. A record that is none
// (another type, an address of the other family, a name that DNS cannot say) makes all of it
// Rcode::kFailed.
std::string Answer(const Query& query, Rcode rcode, std::span<const Record> records, size_t limit,
                   uint32_t negative_ttl_seconds);
// A reply to what could not be parsed: it has no question.
std::string AnswerUnreadable(uint16_t id, Rcode rcode);

// The address that 7.2.0.192.in-addr.arpa or …ip6.arpa asks about: a whole one, each number or
// hexadecimal digit written as RFC 1035 (3.5) and RFC 3596 (2.5) have it.
std::optional<Address> AddressOfReverse(std::string_view name);

}  // namespace cay::network
