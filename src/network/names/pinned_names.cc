#include "network/names/pinned_names.h"

#include <algorithm>

namespace cay::network {

PinnedNames::Entry& PinnedNames::Use(Entries::iterator entry, Clock::time_point now) {
  entry->used = now;
  entries_.splice(entries_.end(), entries_, entry);
  return *entry;
}

// For so many new ones, of those that nobody may remember any more.
bool PinnedNames::MakeRoom(size_t fresh, Clock::time_point now) {
  size_t free = kMaxAddresses - entries_.size();
  for (auto old = entries_.begin(); free < fresh && old != entries_.end(); ++old, ++free)
    if (now - old->used < NameTable::kRest) return false;
  while (entries_.size() + fresh > kMaxAddresses) {
    by_address_.erase(entries_.front().address);
    entries_.pop_front();
  }
  return true;
}

bool PinnedNames::Pin(const std::string& name, std::span<const Address> addresses,
                      Clock::time_point now) {
  // Those that are known are used first, so that making room takes none of them.
  size_t fresh = 0;
  for (const Address& address : addresses) {
    const auto known = by_address_.find(address.Unmapped());
    if (known == by_address_.end()) {
      ++fresh;
    } else {
      Use(known->second, now);
    }
  }
  if (fresh > kMaxAddresses || !MakeRoom(fresh, now)) return false;
  for (const Address& address : addresses) {
    auto [place, is_new] = by_address_.try_emplace(address.Unmapped(), entries_.end());
    if (is_new) place->second = entries_.insert(entries_.end(), {address.Unmapped(), {}, now});
    std::vector<std::string>& names = place->second->names;
    std::erase(names, name);
    names.insert(names.begin(), name);
    if (names.size() > kMaxNames) names.pop_back();
  }
  return true;
}

std::vector<std::string> PinnedNames::NamesOf(const Address& address, Clock::time_point now) {
  const auto found = by_address_.find(address.Unmapped());
  if (found == by_address_.end()) return {};
  return Use(found->second, now).names;
}

}  // namespace cay::network
