// NameTable: the addresses that stand for names inside one sandbox. A program that asks for
// example.com gets 198.18.0.1, and when it connects there the relay knows which name was meant, for
// every protocol; no question leaves before there is a connection.
//
//   const auto address = names.AddressOf("example.com");      // nothing: the table is full
//   names.NameOf(Address::V4(0xC6120001));
//
// An address is never given to another name while somebody may still remember it.
//
// A table in a book (name_book.h) says what an earlier one in the same book has said.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "network/names/name_book.h"
#include "network/policy/address.h"

namespace cay::network {

class NameTable {
 public:
  using Clock = std::chrono::steady_clock;

  // RFC 2544's, for benchmarks of devices: nothing public is there.
  static constexpr uint32_t kFirst = 0xC612'0000;  // 198.18.0.0
  static constexpr uint32_t kCount = 1U << 17;     // /15
  static constexpr size_t kMaxNames = NameBook::kGivenLines;
  // Told with each answer, and how long after its last use an address may be another name's.
  static constexpr std::chrono::seconds kLifetime{60};
  static constexpr std::chrono::seconds kRest{15 * 60};

  static bool IsSynthetic(const Address& address);

  NameTable() = default;
  NameTable(NameTable&&) = default;
  NameTable& operator=(NameTable&&) = default;
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;
  ~NameTable() = default;

  // With what is in the book, all of it as if it were used just now. kProtocol for what no table
  // has written.
  static Result<NameTable> In(std::shared_ptr<NameBook> book, Clock::time_point now);

  // `name` is in lower case, without a trailing dot. Nothing: the table is full, or the book cannot
  // be written.
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
  void Add(std::string name, uint32_t index, Clock::time_point now);

  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_name_;  // keys are in the entries
  std::unordered_map<uint32_t, Entries::iterator> by_index_;
  uint32_t next_ = 1;
  std::shared_ptr<NameBook> book_;  // null: none. An index's line there is the one before
  uint64_t number_ = 0;             // of what was written last
};

}  // namespace cay::network
