// What a name server answered to a question (RFC 1035). Pure; the bytes are an attacker's: whoever
// owns a name that is asked for writes much of them.
//
//   const DnsAnswer answer = TRY(ReadDnsAnswer(bytes, "example.com", QuestionType::kA));
//   answer.rcode == kNoSuchName …
//
// c-ares has a reader as well; it bounds the length of no name, and of a message that makes use of
// that it is busy for a tenth of a second (1.18).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

// What is asked for of a name: the number of a record's type.
enum class QuestionType : uint16_t { kA = 1, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33 };

struct DnsAnswer {
  static constexpr uint8_t kOk = 0;          // with what was asked for, or without: there is none
  static constexpr uint8_t kNoSuchName = 3;  // the name does not exist
  static constexpr size_t kMaxAddresses = 64;
  static constexpr size_t kMaxAliases = 16;
  static constexpr size_t kMaxData = size_t{16} * 1024;  // of all records together

  uint8_t rcode = kOk;
  std::vector<Address> addresses{};  // of kA and kAaaa: each once, the first kMaxAddresses of them
  // Of the others: the data of each record as it is in a message, its name whole and in lower case.
  std::vector<std::string> records{};
  // For how long they hold: the least of the records that led to them.
  uint32_t ttl_seconds = 0;
};

// What there is of `name`, or of what its aliases (CNAME) lead to, in whatever order the records
// stand; records of other names count for nothing. kProtocol for what is no answer to this
// question, lengths that do not add up, names over 255 bytes, aliases in a circle or more than
// kMaxAliases, records over kMaxData. `name` is one that NormalName gives.
Result<DnsAnswer> ReadDnsAnswer(std::string_view bytes, std::string_view name, QuestionType asked);

}  // namespace cay::network
