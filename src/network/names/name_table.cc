#include "network/names/name_table.h"

namespace cay::network {

bool NameTable::IsSynthetic(const Address& address) {
  return address.family() == Family::kV4 && address.v4() - kFirst < kCount;
}

void NameTable::Use(Entries::iterator entry, Clock::time_point now) {
  entry->used = now;
  entries_.splice(entries_.end(), entries_, entry);
}

std::optional<Address> NameTable::AddressOf(std::string_view name, Clock::time_point now) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    Use(known->second, now);
    return Address::V4(kFirst + known->second->index);
  }
  uint32_t index = 0;
  if (entries_.size() < kMaxNames) {
    index = next_++;
  } else {
    Entry& oldest = entries_.front();
    if (now - oldest.used < kRest) return std::nullopt;
    index = oldest.index;
    by_name_.erase(oldest.name);
    by_index_.erase(index);
    entries_.pop_front();
  }
  entries_.push_back({std::string(name), index, now});
  const auto entry = std::prev(entries_.end());
  by_name_.emplace(entry->name, entry);
  by_index_.emplace(index, entry);
  return Address::V4(kFirst + index);
}

std::string NameTable::NameOf(const Address& address, Clock::time_point now) {
  if (!IsSynthetic(address)) return {};
  const auto found = by_index_.find(address.v4() - kFirst);
  if (found == by_index_.end()) return {};
  Use(found->second, now);
  return found->second->name;
}

}  // namespace cay::network
