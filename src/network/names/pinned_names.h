// PinnedNames: which names of one sandbox were answered with which real addresses (DnsMode::kReal).
// A program that then connects to such an address means one of those names, the newest first.
//
//   names.Pin("example.com", addresses, now);         // false: the table is full
//   names.NamesOf(address, now);                      // {"example.com"}
//
// An address is forgotten when it was not used for NameTable::kRest and others need its place.
#pragma once

#include <list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "network/names/name_table.h"
#include "network/policy/address.h"

namespace cay::network {

class PinnedNames {
 public:
  using Clock = NameTable::Clock;
  static constexpr size_t kMaxAddresses = 4096;
  // Of one address, as of a machine that serves many: the newest.
  static constexpr size_t kMaxNames = 16;

  // All of them, or none. `name` is in lower case, without a trailing dot.
  bool Pin(const std::string& name, std::span<const Address> addresses, Clock::time_point now);
  // The newest first; empty: none was answered with it. It counts as a use.
  std::vector<std::string> NamesOf(const Address& address, Clock::time_point now);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Address address;  // unmapped
    std::vector<std::string> names;
    Clock::time_point used;
  };
  using Entries = std::list<Entry>;  // the longest unused first
  Entry& Use(Entries::iterator entry, Clock::time_point now);
  bool MakeRoom(size_t fresh, Clock::time_point now);

  Entries entries_;
  std::map<Address, Entries::iterator> by_address_;
};

}  // namespace cay::network
