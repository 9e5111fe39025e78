#include "network/wire/dns_message.h"

#include <algorithm>

#include "base/text.h"
#include "network/wire/byte_reader.h"

namespace cay::network {
namespace {

constexpr size_t kHeader = 12;
constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxAdditional = 16;
constexpr uint16_t kIn = 1;
constexpr uint32_t kOpt = 41;  // RFC 6891, 6.1
constexpr size_t kOptBytes = 11;
constexpr uint32_t kDnssecOk = 0x8000;

// RFC 1035, 4.1.1, and RFC 4035, 3.2: of the header's second word.
constexpr uint32_t kResponse = 0x8000;
constexpr unsigned kOpcodeShift = 11;
constexpr uint32_t kOpcodeMask = 0xf;
constexpr uint32_t kTruncated = 0x0200;
constexpr uint32_t kRecursionDesired = 0x0100;
constexpr uint32_t kRecursionAvailable = 0x0080;
constexpr uint32_t kCheckingDisabled = 0x0010;

// RFC 1035, 4.1.4: the two bits of a pointer, and a pointer to the question's name.
constexpr uint32_t kPointer = 0xc0;
constexpr std::string_view kQuestionName("\xc0\x0c", 2);
constexpr std::string_view kRoot("\0", 1);

Failure Malformed(std::string_view what) {
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kCaller, "malformed DNS query: " + std::string(what)));
}

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool CanBeSaid(char c) { return c > 0 && c < 127 && c != '.'; }

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel && std::ranges::all_of(label, CanBeSaid);
}

Result<std::string> ReadQuestionName(ByteReader& reader) {
  std::string name;
  while (true) {
    const uint32_t length = TRY(reader.Integer(1));
    if (length == 0) return name;
    if (length > kMaxLabel) return Malformed("a label over 63 bytes, or a compressed name");
    const std::string_view label = TRY(reader.Take(length));
    if (!std::ranges::all_of(label, CanBeSaid)) return Malformed("a label that is no text");
    if (!name.empty()) name += '.';
    name += label;
    if (name.size() > kMaxDnsName) return Malformed("a name over 253 bytes");
  }
}

// Whether it is the root. A pointer ends a name, and is not followed.
Result<bool> SkipName(ByteReader& reader) {
  size_t bytes = 0;
  while (true) {
    const uint32_t length = TRY(reader.Integer(1));
    if ((length & kPointer) == kPointer) {
      TRY(reader.Take(1));
      return false;
    }
    if (length == 0) return bytes == 0;
    if (length > kMaxLabel) return Malformed("a label over 63 bytes");
    TRY(reader.Take(length));
    bytes += 1 + length;
    if (bytes > kMaxDnsName + 1) return Malformed("a name over 253 bytes");
  }
}

Result<void> ReadAdditional(ByteReader& reader, size_t count, Query& query) {
  for (size_t i = 0; i < count; ++i) {
    const bool root = TRY(SkipName(reader));
    const uint32_t type = TRY(reader.Integer(2));
    const uint32_t size = TRY(reader.Integer(2));   // for OPT; otherwise the class
    const uint32_t flags = TRY(reader.Integer(4));  // for OPT; otherwise the TTL
    TRY(reader.Vector(2));
    if (type != kOpt) continue;
    // RFC 6891, 6.1.1 and 6.1.2.
    if (query.edns || !root) return Malformed("a second OPT record, or one of a name");
    query.edns = true;
    query.dnssec_ok = (flags & kDnssecOk) != 0;
    query.udp_bytes =
        static_cast<uint16_t>(std::clamp<size_t>(size, kPlainDnsBytes, kMaxUdpDnsBytes));
  }
  return {};
}

void Put(std::string& out, uint32_t value, size_t width) {
  for (size_t i = width; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xffU);
}

// Nothing for what is no name.
std::optional<std::string> WireName(std::string_view name) {
  std::string wire;
  if (name.size() > kMaxDnsName) return std::nullopt;
  if (!name.empty()) {
    for (const std::string_view label : Split(name, '.')) {
      if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
      Put(wire, static_cast<uint32_t>(label.size()), 1);
      wire += label;
    }
  }
  return wire += kRoot;
}

std::optional<std::string> DataOf(const Record& record) {
  const auto& bytes = record.address.bytes();
  const auto address = [&](Family family) -> std::optional<std::string> {
    if (record.address.family() != family) return std::nullopt;
    return std::string(bytes.begin(), bytes.begin() + record.address.bits() / 8);
  };
  switch (record.type) {
    case RecordType::kA:
      return address(Family::kV4);
    case RecordType::kAaaa:
      return address(Family::kV6);
    case RecordType::kPtr:
      return WireName(record.name);
    case RecordType::kMx:
    case RecordType::kTxt:
    case RecordType::kSrv:
      if (record.data.empty() || record.data.size() > kMaxDnsMessage) return std::nullopt;
      return record.data;
    default:
      return std::nullopt;
  }
}

void PutRecord(std::string& out, std::string_view owner, RecordType type, uint32_t ttl_seconds,
               std::string_view data) {
  out += owner;
  Put(out, static_cast<uint32_t>(type), 2);
  Put(out, kIn, 2);
  Put(out, ttl_seconds, 4);
  Put(out, static_cast<uint32_t>(data.size()), 2);
  out += data;
}

// The root's: each name is in it, so that caches take it whichever was asked (RFC 2308, 3 and 5).
// Of what it says, only the last number is of use to a resolver.
void PutSoa(std::string& out, uint32_t negative_ttl_seconds) {
  std::string data;
  data += kRoot;                       // the primary server
  data += kRoot;                       // the mailbox of who is responsible
  Put(data, 1, 4);                     // serial
  Put(data, 3600, 4);                  // refresh
  Put(data, 600, 4);                   // retry
  Put(data, 86'400, 4);                // expire
  Put(data, negative_ttl_seconds, 4);  // minimum
  PutRecord(out, kRoot, RecordType::kSoa, negative_ttl_seconds, data);
}

void PutOpt(std::string& out, bool dnssec_ok) {
  out += kRoot;
  Put(out, kOpt, 2);
  Put(out, kMaxUdpDnsBytes, 2);
  Put(out, dnssec_ok ? kDnssecOk : 0, 4);  // the upper half: no extended rcode, version 0
  Put(out, 0, 2);
}

}  // namespace

bool IsNameOfQuestion(std::string_view name) {
  return name.size() <= kMaxDnsName && std::ranges::all_of(Split(name, '.'), IsLabel);
}

Result<Query> ParseQuery(std::string_view bytes) {
  if (bytes.size() > kMaxDnsMessage) return Malformed("over 65,535 bytes");
  ByteReader reader(bytes);
  Query query;
  query.id = static_cast<uint16_t>(TRY(reader.Integer(2)));
  const uint32_t flags = TRY(reader.Integer(2));
  const uint32_t questions = TRY(reader.Integer(2));
  const uint32_t answers = TRY(reader.Integer(2));
  const uint32_t authorities = TRY(reader.Integer(2));
  const uint32_t additional = TRY(reader.Integer(2));
  if ((flags & kResponse) != 0) return Malformed("a response");
  if ((flags & kTruncated) != 0) return Malformed("it says that it is cut");
  if (questions != 1) return Malformed("not one question");
  query.opcode = static_cast<uint8_t>(flags >> kOpcodeShift & kOpcodeMask);
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  query.checking_disabled = (flags & kCheckingDisabled) != 0;
  query.name = TRY(ReadQuestionName(reader));
  query.type = static_cast<uint16_t>(TRY(reader.Integer(2)));
  query.klass = static_cast<uint16_t>(TRY(reader.Integer(2)));
  if (query.opcode != 0) return query;
  if (answers + authorities != 0) return Malformed("answers");
  if (additional > kMaxAdditional) return Malformed("more than 16 additional records");
  TRY(ReadAdditional(reader, additional, query));
  if (!reader.AtEnd()) return Malformed("bytes after the last record");
  return query;
}

std::optional<uint16_t> IdOf(std::string_view bytes) {
  if (bytes.size() < kHeader) return std::nullopt;
  ByteReader reader(bytes);
  const auto id = reader.Integer(2);
  const auto flags = reader.Integer(2);
  if (!id || !flags || (*flags & kResponse) != 0) return std::nullopt;
  return static_cast<uint16_t>(*id);
}

std::string Answer(const Query& query, Rcode rcode, std::span<const Record> records, size_t limit,
                   uint32_t negative_ttl_seconds) {
  const auto name = WireName(query.name);
  if (!name) return AnswerUnreadable(query.id, Rcode::kFailed);
  std::string question = *name;
  Put(question, query.type, 2);
  Put(question, query.klass, 2);

  limit = std::clamp(limit, kPlainDnsBytes, kMaxDnsMessage);
  const size_t room = limit - kHeader - question.size() - (query.edns ? kOptBytes : 0);
  const std::string_view owner = query.name.empty() ? kRoot : kQuestionName;
  std::string answers;
  uint32_t count = 0;
  for (const Record& record : records) {
    const auto data = DataOf(record);
    if (!data) return Answer(query, Rcode::kFailed, {}, limit, negative_ttl_seconds);
    const size_t before = answers.size();
    PutRecord(answers, owner, record.type, record.ttl_seconds, *data);
    if (answers.size() > room) {
      answers.resize(before);
      break;
    }
    ++count;
  }
  const bool negative = records.empty() && (rcode == Rcode::kOk || rcode == Rcode::kNoSuchName);

  std::string reply;
  Put(reply, query.id, 2);
  Put(reply,
      kResponse | (query.opcode & kOpcodeMask) << kOpcodeShift |
          (count < records.size() ? kTruncated : 0) |
          (query.recursion_desired ? kRecursionDesired : 0) | kRecursionAvailable |
          (query.checking_disabled ? kCheckingDisabled : 0) | static_cast<uint32_t>(rcode),
      2);
  Put(reply, 1, 2);
  Put(reply, count, 2);
  Put(reply, negative ? 1 : 0, 2);
  Put(reply, query.edns ? 1 : 0, 2);
  reply += question;
  reply += answers;
  if (negative) PutSoa(reply, negative_ttl_seconds);
  if (query.edns) PutOpt(reply, query.dnssec_ok);
  return reply;
}

std::string AnswerUnreadable(uint16_t id, Rcode rcode) {
  std::string reply;
  Put(reply, id, 2);
  Put(reply, kResponse | kRecursionAvailable | static_cast<uint32_t>(rcode), 2);
  reply.append(kHeader - reply.size(), '\0');
  return reply;
}

std::optional<Address> AddressOfReverse(std::string_view name) {
  if (name.size() > kMaxDnsName) return std::nullopt;
  std::vector<std::string_view> labels = Split(name, '.');
  const auto ends = [&](size_t count, std::string_view zone) {
    return labels.size() == count + 2 && EqualsIgnoringCase(labels[count], zone) &&
           EqualsIgnoringCase(labels[count + 1], "arpa");
  };
  constexpr size_t kNumbers = 4;
  constexpr size_t kDigits = 32;
  const bool v4 = ends(kNumbers, "in-addr");
  if (!v4 && !ends(kDigits, "ip6")) return std::nullopt;
  labels.resize(v4 ? kNumbers : kDigits);
  // What is left is written for Address::Parse, which is strict about numbers and digits.
  std::string text;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string_view label = labels[labels.size() - 1 - i];
    if (!v4 && (label.size() != 1 || !IsHexDigit(label.front()))) return std::nullopt;
    if (i > 0 && (v4 || i % 4 == 0)) text += v4 ? '.' : ':';
    text += label;
  }
  const auto address = Address::Parse(text);
  if (!address || (address->family() == Family::kV4) != v4) return std::nullopt;
  return *address;
}

}  // namespace cay::network
