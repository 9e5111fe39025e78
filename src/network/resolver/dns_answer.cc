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

constexpr uint16_t kTypeCname = 5;
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
  std::string alias_of;  // empty: it is what was asked for
  Address address;
  std::string data;
  uint32_t ttl = 0;
};

Address AddressOf(std::string_view data) {
  std::array<uint8_t, Address::kBytes> bytes{};
  std::ranges::transform(data, bytes.begin(), [](char c) { return static_cast<uint8_t>(c); });
  if (data.size() == Address::kBytes) return Address::V6(bytes);
  return Address::V4(static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
                     static_cast<uint32_t>(bytes[2]) << 8 | bytes[3]);
}

bool IsOfAddresses(QuestionType asked) {
  return asked == QuestionType::kA || asked == QuestionType::kAaaa;
}

// RFC 1035, 3.3.9: a preference and a name. RFC 2782: priority, weight and port, and a name. It may
// be compressed, and ends where the record does.
Result<std::string> ReadNumbersAndName(Reader& reader, size_t numbers, size_t length) {
  const size_t end = reader.at() + length;
  std::string data(TRY(reader.Take(numbers)));
  data += TRY(reader.Name());
  if (reader.at() != end) return Bad("a record is not as long as it says");
  return data;
}

// RFC 1035, 3.3.14: one or more texts behind their lengths.
Result<std::string> ReadTexts(Reader& reader, size_t length) {
  const std::string_view data = TRY(reader.Take(length));
  if (data.empty()) return Bad("a text of nothing");
  for (size_t at = 0; at < data.size();) {
    at += 1 + static_cast<uint8_t>(data[at]);
    if (at > data.size()) return Bad("a text is cut");
  }
  return std::string(data);
}

Result<Address> ReadAddress(Reader& reader, QuestionType asked, size_t length) {
  const std::string_view data = TRY(reader.Take(length));
  if (data.size() != (asked == QuestionType::kA ? 4 : Address::kBytes))
    return Bad("an address is not as long as addresses are");
  return AddressOf(data);
}

// One record; added to `steps` when it is of use.
Result<void> ReadRecord(Reader& reader, QuestionType asked, std::vector<Step>& steps) {
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
  if (klass != kClassInternet || type != static_cast<uint16_t>(asked)) {
    TRY(reader.Take(length));
    return {};
  }
  switch (asked) {
    case QuestionType::kA:
    case QuestionType::kAaaa:
      step.address = TRY(ReadAddress(reader, asked, length));
      break;
    case QuestionType::kMx:
      step.data = TRY(ReadNumbersAndName(reader, 2, length));
      break;
    case QuestionType::kSrv:
      step.data = TRY(ReadNumbersAndName(reader, 6, length));
      break;
    case QuestionType::kTxt:
      step.data = TRY(ReadTexts(reader, length));
      break;
  }
  steps.push_back(std::move(step));
  return {};
}

// One that leads no further.
Result<void> Note(const Step& step, QuestionType asked, DnsAnswer& answer) {
  if (!IsOfAddresses(asked)) {
    size_t bytes = step.data.size();
    for (const std::string& record : answer.records) bytes += record.size();
    if (bytes > DnsAnswer::kMaxData) return Bad("its records are over 16 KiB");
    answer.records.push_back(step.data);
  } else if (answer.addresses.size() < DnsAnswer::kMaxAddresses &&
             std::ranges::find(answer.addresses, step.address) == answer.addresses.end()) {
    answer.addresses.push_back(step.address);
  }
  return {};
}

// From `name` along aliases to what was asked for.
Result<void> Follow(const std::vector<Step>& steps, QuestionType asked, std::string name,
                    DnsAnswer& answer) {
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
      TRY(Note(step, asked, answer));
    }
    if (!answer.addresses.empty() || !answer.records.empty()) {
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

Result<DnsAnswer> ReadDnsAnswer(std::string_view bytes, std::string_view name, QuestionType asked) {
  Reader reader(bytes);
  TRY(reader.U16());  // its id is the asker's business
  const uint16_t flags = TRY(reader.U16());
  const uint16_t questions = TRY(reader.U16());
  const uint16_t answers = TRY(reader.U16());
  TRY(reader.U32());  // what else there is follows behind
  if ((flags & 0x8000) == 0) return Bad("it is a question");
  if (questions != 1) return Bad("it is not to one question");
  const std::string wanted = WireName(name);
  const std::string of = TRY(reader.Name());
  const uint16_t type = TRY(reader.U16());
  const uint16_t klass = TRY(reader.U16());
  if (of != wanted || type != static_cast<uint16_t>(asked) || klass != kClassInternet) {
    return Bad("it is to another question");
  }
  DnsAnswer answer;
  answer.rcode = static_cast<uint8_t>(flags & 0xf);
  if (answer.rcode != DnsAnswer::kOk) return answer;
  std::vector<Step> steps;
  for (uint16_t i = 0; i < answers; ++i) TRY(ReadRecord(reader, asked, steps));
  TRY(Follow(steps, asked, wanted, answer));
  return answer;
}

}  // namespace cay::network
