#include "network/names/dns_responder.h"

#include <array>

#include "base/text.h"

namespace cay::network {
namespace {

// How long a client may remember that there is nothing. Policies change while a sandbox runs.
constexpr uint32_t kNegativeSeconds = 5;
constexpr uint16_t kInternet = 1;

bool IsReverse(std::string_view name) {
  return name.ends_with(".in-addr.arpa") || name.ends_with(".ip6.arpa");
}

bool CanBeAsked(uint16_t type) {
  switch (static_cast<RecordType>(type)) {
    case RecordType::kA:
    case RecordType::kAaaa:
    case RecordType::kMx:
    case RecordType::kSrv:
    case RecordType::kTxt:
      return true;
    default:
      return false;
  }
}

}  // namespace

DnsResponder::Replied DnsResponder::Reply(std::string_view message, size_t limit,
                                          NameTable::Clock::time_point now) {
  const auto query = ParseQuery(message);
  if (!query) {
    const auto id = IdOf(message);
    return {id ? AnswerUnreadable(*id, Rcode::kFormat) : std::string()};
  }
  if (limit == 0) limit = query->udp_bytes;
  if (query->opcode != 0) return {Answer(*query, Rcode::kNotImplemented, {}, limit, 0)};
  const std::string name = Lower(query->name);
  if (query->klass != kInternet || name.empty())
    return {Answer(*query, Rcode::kNoSuchName, {}, limit, kNegativeSeconds)};
  if (const auto address = AddressOfReverse(name)) return {OfReverse(*query, *address, limit, now)};
  if (IsReverse(name)) return {Answer(*query, Rcode::kNoSuchName, {}, limit, kNegativeSeconds)};
  return OfName(*query, name, limit, now);
}

std::string DnsResponder::Close(const OpenQuestion& question, Rcode rcode,
                                std::span<const Record> records) {
  return Answer(question.query, rcode, records, question.limit, kNegativeSeconds);
}

DnsResponder::Replied DnsResponder::OfName(const Query& query, const std::string& name,
                                           size_t limit, NameTable::Clock::time_point now) {
  // RFC 6761, 6.3: for programs that ask in spite of /etc/hosts.
  if (name == "localhost" || name.ends_with(".localhost")) {
    const std::array loopback = {Record{.type = RecordType::kA,
                                        .ttl_seconds = NameTable::kLifetime.count(),
                                        .address = Address::V4(0x7f00'0001)}};
    const bool asked = query.type == static_cast<uint16_t>(RecordType::kA);
    return {Answer(query, Rcode::kOk, std::span(loopback).first(asked ? 1 : 0), limit,
                   kNegativeSeconds)};
  }
  const bool is_peer = peers_.contains(name);
  const Decision decision = is_peer ? Decision{.allowed = true}  // by being there
                                    : policy_.OfName(name);
  if (!decision.allowed) {
    denied_(name, decision);
    return {Answer(query, Rcode::kNoSuchName, {}, limit, kNegativeSeconds)};
  }
  if (!is_peer && is_real_(name) && CanBeAsked(query.type))
    return {.open = OpenQuestion{.query = query, .name = name, .limit = limit}};
  if (query.type != static_cast<uint16_t>(RecordType::kA))
    return {Answer(query, Rcode::kOk, {}, limit, kNegativeSeconds)};
  const auto address = names_.AddressOf(name, now);
  if (!address) return {Answer(query, Rcode::kFailed, {}, limit, 0)};
  const std::array records = {Record{
      .type = RecordType::kA, .ttl_seconds = NameTable::kLifetime.count(), .address = *address}};
  return {Answer(query, Rcode::kOk, records, limit, kNegativeSeconds)};
}

std::string DnsResponder::OfReverse(const Query& query, const Address& address, size_t limit,
                                    NameTable::Clock::time_point now) {
  std::string name = names_.NameOf(address, now);
  if (const auto pinned = pinned_.NamesOf(address, now); name.empty() && !pinned.empty())
    name = pinned.front();
  if (name.empty()) return Answer(query, Rcode::kNoSuchName, {}, limit, kNegativeSeconds);
  const std::array records = {
      Record{.type = RecordType::kPtr, .ttl_seconds = NameTable::kLifetime.count(), .name = name}};
  const bool asked = query.type == static_cast<uint16_t>(RecordType::kPtr);
  return Answer(query, Rcode::kOk, std::span(records).first(asked ? 1 : 0), limit,
                kNegativeSeconds);
}

}  // namespace cay::network
