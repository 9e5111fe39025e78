// The part of SandboxNetwork that has questions for names asked elsewhere (DnsMode::kReal), and
// knows the answers again in connections.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "network/relay/sandbox_network.h"

namespace cay::network {
namespace {

// Of an answer: more would not fit into a datagram, and no program tries them.
constexpr size_t kMaxTold = 16;

}  // namespace

// A name of the machine leads to no address that a program could be told, and which address one
// has that a proxy connects to, the proxy alone knows.
bool SandboxNetwork::IsReal(const std::string& name) const {
  return dns_mode_ == DnsMode::kReal && parts_.proxy == nullptr && !IsHostName(name);
}

void SandboxNetwork::AskForReal(uint64_t number, const OpenQuestion& question) {
  const auto type = static_cast<RecordType>(question.query.type);
  if (type == RecordType::kA || type == RecordType::kAaaa) {
    questions_[number] = parts_.resolver.Resolve(
        question.name, [this, number, question](const Result<std::vector<Address>>& addresses) {
          AnswerAddresses(number, question, addresses);
        });
    return;
  }
  questions_[number] =
      parts_.resolver.ResolveRecords(question.name, static_cast<QuestionType>(type),
                                     [this, number, type](const Result<DnsAnswer>& answer) {
                                       AnswerRecords(number, type, answer);
                                     });
}

void SandboxNetwork::AnswerAddresses(uint64_t number, const OpenQuestion& question,
                                     const Result<std::vector<Address>>& addresses) {
  const auto ticket = questions_.extract(number);
  if (!addresses) {
    const Error& error = addresses.error();
    const bool is_none = error.code() == ErrorCode::kNotFound;
    const Rcode none = error.sys_errno() == ENODATA ? Rcode::kOk : Rcode::kNoSuchName;
    Tell({.time_unix_ms = UnixMs(),
          .name = question.name,
          .verdict = Verdict::kFailed,
          .reason = addresses.error().message()});
    return dns_->Answer(number, is_none ? none : Rcode::kFailed, {});
  }
  const auto type = static_cast<RecordType>(question.query.type);
  const Family family = type == RecordType::kA ? Family::kV4 : Family::kV6;
  std::vector<Address> told;
  std::vector<Record> records;
  const Address* hidden = nullptr;
  for (const Address& address : *addresses) {
    if (!policy_.MayTell(address, parts_.machine.IsOwn(address))) {
      hidden = &address;
    } else if (address.family() == family && told.size() < kMaxTold) {
      told.push_back(address);
      records.push_back(
          {.type = type, .ttl_seconds = NameTable::kLifetime.count(), .address = address});
    }
  }
  if (hidden != nullptr && told.empty()) {
    const Decision why{.why = parts_.machine.IsOwn(*hidden) ? Why::kOwn : Why::kSpecial};
    Tell({.time_unix_ms = UnixMs(),
          .name = question.name,
          .verdict = Verdict::kDenied,
          .reason = Explain(why, question.name, hidden),
          .rule = why.rule});
  }
  const bool pinned = pinned_.Pin(question.name, told, NameTable::Clock::now());
  dns_->Answer(number, pinned ? Rcode::kOk : Rcode::kFailed,
               pinned ? std::span(records) : std::span<Record>());
}

void SandboxNetwork::AnswerRecords(uint64_t number, RecordType type,
                                   const Result<DnsAnswer>& answer) {
  const auto ticket = questions_.extract(number);
  if (!answer) return dns_->Answer(number, Rcode::kFailed, {});
  if (answer->rcode == DnsAnswer::kNoSuchName) return dns_->Answer(number, Rcode::kNoSuchName, {});
  const uint32_t ttl = std::min<uint32_t>(answer->ttl_seconds, NameTable::kLifetime.count());
  std::vector<Record> records;
  for (const std::string& data : answer->records)
    records.push_back({.type = type, .ttl_seconds = ttl, .data = data});
  dns_->Answer(number, Rcode::kOk, records);
}

// The newest of its names that may be reached at this port; without one it is an address, if that
// may be reached, and otherwise the newest, to be refused by that name.
void SandboxNetwork::NamePinned(Destination& destination) {
  std::vector<std::string> names = pinned_.NamesOf(destination.address, NameTable::Clock::now());
  if (names.empty()) return;
  destination.by_address = policy_
                               .OfAddress({}, destination.address, destination.port,
                                          parts_.machine.IsOwn(destination.address))
                               .allowed;
  const std::string newest = names.front();
  std::erase_if(names, [&](const std::string& name) {
    return !policy_.OfConnection(name, destination.port).allowed;
  });
  if (names.empty()) {
    if (!destination.by_address) destination.name = newest;
    return;
  }
  destination.pinned = true;
  destination.name = names.front();
  destination.also.assign(names.begin() + 1, names.end());
}

}  // namespace cay::network
