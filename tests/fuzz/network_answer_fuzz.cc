// Answers of name servers, which whoever owns a name writes: whatever the bytes, they are refused,
// or what is taken from them is within every bound and can be told to a sandbox as it is.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "network/resolver/dns_answer.h"
#include "network/wire/dns_message.h"

namespace {

using cay::network::DnsAnswer;
using cay::network::QuestionType;
using cay::network::Record;

void Check(bool condition) {
  if (!condition) std::abort();
}

size_t SizeOf(const std::vector<std::string>& records) {
  size_t size = 0;
  for (const std::string& record : records) size += record.size();
  return size;
}

void CheckAnswer(const DnsAnswer& answer, QuestionType type) {
  const bool of_addresses = type == QuestionType::kA || type == QuestionType::kAaaa;
  Check(answer.addresses.size() <= DnsAnswer::kMaxAddresses);
  Check(of_addresses ? answer.records.empty() : answer.addresses.empty());
  Check(SizeOf(answer.records) <= DnsAnswer::kMaxData);
  std::vector<Record> records;
  for (const std::string& data : answer.records) {
    Check(!data.empty());
    records.push_back({.type = static_cast<cay::network::RecordType>(type), .data = data});
  }
  const cay::network::Query query{.name = "a.test", .type = static_cast<uint16_t>(type)};
  const std::string told =
      Answer(query, cay::network::Rcode::kOk, records, cay::network::kMaxDnsMessage, 1);
  // What was taken from one answer fits into another, and is taken from that as it is.
  const auto again = ReadDnsAnswer(told, "a.test", type);
  Check(again && again->records == answer.records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr QuestionType kTypes[] = {QuestionType::kA, QuestionType::kAaaa, QuestionType::kMx,
                                     QuestionType::kTxt, QuestionType::kSrv};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const QuestionType type : kTypes) {
    const auto answer = ReadDnsAnswer(bytes, "a.test", type);
    if (answer) CheckAnswer(*answer, type);
  }
  return 0;
}
