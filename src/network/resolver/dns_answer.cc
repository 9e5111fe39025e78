#include "network/resolver/dns_answer.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace cay::network {
namespace {

constexpr size_t kMaxWireName = 255;  // RFC 1035 section 2.3.4
constexpr size_t kMaxLabel = 63;
constexpr uint8_t kPointer = 0xc0;
// A name of 255 bytes has no more labels, and between two pointers there is at least one.
constexpr size_t kMaxPointers = 127;

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeCname = 5;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kClassInternet = 1;
constexpr uint32_t kMaxTtl = 0x7fff'ffff;

Failure Bad(std::string_view what) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                       "a name server's answer cannot be read: " + std::string(what)));
}

// Names are compared as they are in messages, labels behind their lengths, in lower case: as text,
// a label with a dot in it would be two.
std::string WireName(std::string_view name) {
  std::string wire;
  for (const std::string_view label : Split(name, '.')) {
    wire.push_back(static_cast<char>(label.size()));
    wire += Lower(label);
  }
  wire.push_back('\0');
  return wire;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }

  Result<uint16_t> U16() {
    if (bytes_.size() - at_ < 2) return Bad("it is cut");
    const uint16_t value = static_cast<uint16_t>(Byte(at_) << 8 | Byte(at_ + 1));
    at_ += 2;
    return value;
  }

  Result<uint32_t> U32() {
    const uint32_t high = TRY(U16());
    const uint32_t low = TRY(U16());
    return high << 16 | low;
  }

  Result<std::string_view> Take(size_t count) {
    if (bytes_.size() - at_ < count) return Bad("it is cut");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  Result<std::string> Name() {
    std::string name;
    size_t from = at_;
    size_t pointers = 0;
    bool jumped = false;
    while (true) {
      if (from >= bytes_.size()) return Bad("a name is cut");
      const size_t length = Byte(from);
      if ((length & kPointer) == kPointer) {
        if (from + 1 >= bytes_.size()) return Bad("a name is cut");
        const size_t target = (length & ~size_t{kPointer}) << 8 | Byte(from + 1);
        if (target >= from || ++pointers > kMaxPointers) return Bad("a name points into itself");
        if (!jumped) at_ = from + 2;
        jumped = true;
        from = target;
        continue;
      }
      if (length > kMaxLabel) return Bad("a label is of no known kind");
      if (bytes_.size() - from < length + 1) return Bad("a name is cut");
      if (name.size() + length + 1 > kMaxWireName) return Bad("a name is over 255 bytes");
      name += bytes_[from];
      name += Lower(bytes_.substr(from + 1, length));
      from += length + 1;
      if (length == 0) break;
    }
    if (!jumped) at_ = from;
    return name;
  }

 private:
  uint8_t Byte(size_t index) const { return static_cast<uint8_t>(bytes_[index]); }

  std::string_view bytes_;
  size_t at_ = 0;
};

// A record that says something of where a name leads.
struct Step {
  std::string owner;
  std::string alias_of;  // empty: `address` it is
  Address address;
  uint32_t ttl = 0;
};

Address AddressOf(std::string_view data) {
  std::array<uint8_t, Address::kBytes> bytes{};
  std::ranges::transform(data, bytes.begin(), [](char c) { return static_cast<uint8_t>(c); });
  if (data.size() == Address::kBytes) return Address::V6(bytes);
  return Address::V4(static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
                     static_cast<uint32_t>(bytes[2]) << 8 | bytes[3]);
}

// One record; added to `steps` when it is of use.
Result<void> ReadRecord(Reader& reader, Family family, std::vector<Step>& steps) {
  Step step;
  step.owner = TRY(reader.Name());
  const uint16_t type = TRY(reader.U16());
  const uint16_t klass = TRY(reader.U16());
  const uint32_t ttl = TRY(reader.U32());
  step.ttl = ttl > kMaxTtl ? 0 : ttl;  // RFC 2181 section 8
  const uint16_t length = TRY(reader.U16());
  if (klass == kClassInternet && type == kTypeCname) {
    const size_t end = reader.at() + length;
    step.alias_of = TRY(reader.Name());
    if (reader.at() != end) return Bad("an alias is not as long as it says");
    steps.push_back(std::move(step));
    return {};
  }
  const std::string_view data = TRY(reader.Take(length));
  if (klass != kClassInternet || type != (family == Family::kV4 ? kTypeA : kTypeAaaa)) return {};
  if (data.size() != (family == Family::kV4 ? 4 : Address::kBytes)) {
    return Bad("an address is not as long as addresses are");
  }
  step.address = AddressOf(data);
  steps.push_back(std::move(step));
  return {};
}

// From `name` along aliases to addresses.
Result<void> Follow(const std::vector<Step>& steps, std::string name, DnsAnswer& answer) {
  uint32_t ttl = kMaxTtl;
  for (size_t aliases = 0;; ++aliases) {
    const Step* alias = nullptr;
    for (const Step& step : steps) {
      if (step.owner != name) continue;
      if (!step.alias_of.empty()) {
        alias = &step;
        continue;
      }
      ttl = std::min(ttl, step.ttl);
      if (answer.addresses.size() < DnsAnswer::kMaxAddresses &&
          std::ranges::find(answer.addresses, step.address) == answer.addresses.end()) {
        answer.addresses.push_back(step.address);
      }
    }
    if (!answer.addresses.empty()) {
      answer.ttl_seconds = ttl;
      return {};
    }
    if (alias == nullptr) return {};
    if (aliases == DnsAnswer::kMaxAliases) return Bad("its aliases do not end");
    ttl = std::min(ttl, alias->ttl);
    name = alias->alias_of;
  }
}

}  // namespace

Result<DnsAnswer> ReadDnsAnswer(std::string_view bytes, std::string_view name, Family family) {
  Reader reader(bytes);
  TRY(reader.U16());  // its id is the asker's business
  const uint16_t flags = TRY(reader.U16());
  const uint16_t questions = TRY(reader.U16());
  const uint16_t answers = TRY(reader.U16());
  TRY(reader.U32());  // what else there is follows behind
  if ((flags & 0x8000) == 0) return Bad("it is a question");
  if (questions != 1) return Bad("it is not to one question");
  const std::string wanted = WireName(name);
  const std::string asked = TRY(reader.Name());
  const uint16_t type = TRY(reader.U16());
  const uint16_t klass = TRY(reader.U16());
  if (asked != wanted || type != (family == Family::kV4 ? kTypeA : kTypeAaaa) ||
      klass != kClassInternet) {
    return Bad("it is to another question");
  }
  DnsAnswer answer;
  answer.rcode = static_cast<uint8_t>(flags & 0xf);
  if (answer.rcode != DnsAnswer::kOk) return answer;
  std::vector<Step> steps;
  for (uint16_t i = 0; i < answers; ++i) TRY(ReadRecord(reader, family, steps));
  TRY(Follow(steps, wanted, answer));
  return answer;
}

}  // namespace cay::network
