// NameTable: the addresses that stand for names inside one sandbox. A program that asks for
// example.com gets 198.18.0.1, and when it connects there the relay knows which name was meant, for
// every protocol; no question leaves before there is a connection.
//
//   const auto address = names.AddressOf("example.com");      // nothing: the table is full
//   names.NameOf(Address::V4(0xC6120001));
//
// An address is never given to another name while somebody may still remember it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "network/policy/address.h"

namespace cay::network {

class NameTable {
 public:
  using Clock = std::chrono::steady_clock;

  // RFC 2544's, for benchmarks of devices: nothing public is there.
  static constexpr uint32_t kFirst = 0xC612'0000;  // 198.18.0.0
  static constexpr uint32_t kCount = 1U << 17;     // /15
  static constexpr size_t kMaxNames = 4096;
  // Told with each answer, and how long after its last use an address may be another name's.
  static constexpr std::chrono::seconds kLifetime{60};
  static constexpr std::chrono::seconds kRest{15 * 60};

  static bool IsSynthetic(const Address& address);

  // `name` is in lower case, without a trailing dot.
  std::optional<Address> AddressOf(std::string_view name, Clock::time_point now);
  // Empty: no name has it. It counts as a use.
  std::string NameOf(const Address& address, Clock::time_point now);
  size_t size() const { return by_name_.size(); }

 private:
  struct Entry {
    std::string name;
    uint32_t index;
    Clock::time_point used;
  };
  using Entries = std::list<Entry>;  // the longest unused first
  void Use(Entries::iterator entry, Clock::time_point now);

  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_name_;  // keys are in the entries
  std::unordered_map<uint32_t, Entries::iterator> by_index_;
  uint32_t next_ = 1;
};

}  // namespace cay::network
