// Queries of a sandbox: whatever the bytes, they are refused, or answered within every bound by a
// reply that repeats the question and is no query itself.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "network/wire/dns_message.h"

namespace {

using cay::network::Query;
using cay::network::Rcode;
using cay::network::Record;
using cay::network::RecordType;

constexpr size_t kHeader = 12;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckQuery(const Query& query) {
  Check(query.name.size() <= cay::network::kMaxDnsName);
  Check(std::ranges::all_of(query.name, [](char c) { return c > 0 && c < 127; }));
  for (const std::string_view label : cay::Split(query.name, '.')) {
    Check(label.size() <= 63 && (query.name.empty() || !label.empty()));
  }
  Check(query.udp_bytes >= cay::network::kPlainDnsBytes &&
        query.udp_bytes <= cay::network::kMaxUdpDnsBytes);
  Check(query.edns || (!query.dnssec_ok && query.udp_bytes == cay::network::kPlainDnsBytes));
}

// Nobody answers a reply.
void CheckReply(const std::string& reply, uint16_t id) {
  Check(!cay::network::ParseQuery(reply) && !cay::network::IdOf(reply));
  Check(static_cast<uint8_t>(reply[0]) == id >> 8 && static_cast<uint8_t>(reply[1]) == (id & 0xff));
}

// A reply without records is the query again, but for its bits.
void CheckRepeated(const Query& query) {
  std::string reply = Answer(query, Rcode::kFailed, {}, 0, 1);
  reply[2] = static_cast<char>(static_cast<uint8_t>(reply[2]) & 0x7fU);
  const auto again = cay::network::ParseQuery(reply);
  Check(again && again->id == query.id && again->opcode == query.opcode);
  Check(again->name == query.name && again->type == query.type && again->klass == query.klass);
  Check(again->recursion_desired == query.recursion_desired &&
        again->checking_disabled == query.checking_disabled);
  Check(query.opcode != 0 || (again->edns == query.edns && again->dnssec_ok == query.dnssec_ok));
}

std::vector<Record> Records(std::string_view bytes) {
  const std::vector<Record> kinds{
      {.type = RecordType::kA, .ttl_seconds = 60, .address = cay::network::Address::V4(1)},
      {.type = RecordType::kAaaa, .ttl_seconds = 60, .address = cay::network::Address::V6({})},
      {.type = RecordType::kPtr, .ttl_seconds = 60, .name = "a.example"},
      {.type = RecordType::kPtr, .ttl_seconds = 60, .name = std::string(bytes.substr(0, 300))}};
  std::vector<Record> records;
  for (const char byte : bytes) records.push_back(kinds[static_cast<uint8_t>(byte) % kinds.size()]);
  return records;
}

void FuzzMessage(std::string_view bytes, size_t limit, std::string_view records) {
  const auto query = cay::network::ParseQuery(bytes);
  if (!query) {
    if (const auto id = cay::network::IdOf(bytes)) {
      CheckReply(cay::network::AnswerUnreadable(*id, Rcode::kFormat), *id);
    }
    return;
  }
  CheckQuery(*query);
  Check(query->opcode != 0 || !cay::network::ParseQuery(bytes.substr(0, bytes.size() - 1)));
  CheckRepeated(*query);
  const size_t question = query->name.size() + (query->name.empty() ? 1 : 2) + 4;
  for (const Rcode rcode : {Rcode::kOk, Rcode::kNoSuchName, Rcode::kNotImplemented}) {
    for (const auto& list : {std::vector<Record>(), Records(records)}) {
      const std::string reply = Answer(*query, rcode, list, limit, 10);
      CheckReply(reply, query->id);
      Check(reply.size() <= std::max(limit, cay::network::kPlainDnsBytes));
      Check(reply.substr(kHeader, question) == bytes.substr(kHeader, question));
    }
  }
}

void FuzzReverse(std::string_view text) {
  const auto address = cay::network::AddressOfReverse(text);
  if (!address) return;
  const bool v4 = address->family() == cay::network::Family::kV4;
  std::string name;
  for (size_t i = address->bits() / 8; i-- > 0;) {
    const unsigned byte = address->bytes()[i];
    if (v4) {
      name += std::to_string(byte) + ".";
    } else {
      for (const unsigned digit : {byte & 0xfU, byte >> 4}) {
        name += std::string(1, "0123456789abcdef"[digit]) + ".";
      }
    }
  }
  Check(cay::EqualsIgnoringCase(text, name + (v4 ? "in-addr.arpa" : "ip6.arpa")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] == 'r') {
    FuzzReverse(bytes);
  } else {
    FuzzMessage(bytes, size_t{data[0]} * 16, bytes.substr(0, data[1]));
  }
  return 0;
}
