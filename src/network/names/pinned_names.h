// PinnedNames: which names of one sandbox were answered with which real addresses (DnsMode::kReal).
// A program that then connects to such an address means one of those names, the newest first.
//
//   names.Pin("example.com", addresses, now);         // false: the table is full
//   names.NamesOf(address, now);                      // {"example.com"}
//
// An address is forgotten when it was not used for NameTable::kRest and others need its place.
//
// Those in a book (name_book.h) are as earlier ones in the same book were.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "network/names/name_book.h"
#include "network/names/name_table.h"
#include "network/policy/address.h"

namespace cay::network {

class PinnedNames {
 public:
  using Clock = NameTable::Clock;
  static constexpr size_t kMaxAddresses = 4096;
  // Of one address, as of a machine that serves many: the newest.
  static constexpr size_t kMaxNames = 16;
  static_assert(kMaxAddresses * kMaxNames == NameBook::kPinnedLines);

  PinnedNames() = default;
  PinnedNames(PinnedNames&&) = default;
  PinnedNames& operator=(PinnedNames&&) = default;
  PinnedNames(const PinnedNames&) = delete;
  PinnedNames& operator=(const PinnedNames&) = delete;
  ~PinnedNames() = default;

  // With what is in the book, all of it as if it were used just now. kProtocol for what none has
  // written.
  static Result<PinnedNames> In(std::shared_ptr<NameBook> book, Clock::time_point now);

  // All of them, or where there is no place for one, none; false also when the book cannot be
  // written. `name` is in lower case, without a trailing dot.
  bool Pin(const std::string& name, std::span<const Address> addresses, Clock::time_point now);
  // The newest first; empty: none was answered with it. It counts as a use.
  std::vector<std::string> NamesOf(const Address& address, Clock::time_point now);
  size_t size() const { return entries_.size(); }

 private:
  struct Name {
    std::string text;
    uint32_t line;  // of the book
  };
  struct Entry {
    Address address;  // unmapped
    std::vector<Name> names;
    Clock::time_point used;
  };
  using Entries = std::list<Entry>;  // the longest unused first
  Entry& Use(Entries::iterator entry, Clock::time_point now);
  Entry& Add(const Address& address, Clock::time_point now);
  bool MakeRoom(size_t fresh, Clock::time_point now);
  bool PutFirst(Entry& entry, const std::string& name);
  bool Restore(const NameBook::Entry& known, Clock::time_point now);
  uint32_t FreeLine();

  Entries entries_;
  std::map<Address, Entries::iterator> by_address_;
  std::shared_ptr<NameBook> book_;    // null: none
  std::vector<uint32_t> free_lines_;  // those below the next one
  uint32_t next_line_ = 0;
  uint64_t number_ = 0;  // of what was written last
};

}  // namespace cay::network
