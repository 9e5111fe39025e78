#include "network/names/name_table.h"

#include <algorithm>
#include <utility>

namespace cay::network {

bool NameTable::IsSynthetic(const Address& address) {
  return address.family() == Family::kV4 && address.v4() - kFirst < kCount;
}

void NameTable::Use(Entries::iterator entry, Clock::time_point now) {
  entry->used = now;
  entries_.splice(entries_.end(), entries_, entry);
}

void NameTable::Add(std::string name, uint32_t index, Clock::time_point now) {
  entries_.push_back({std::move(name), index, now});
  const auto entry = std::prev(entries_.end());
  by_name_.emplace(entry->name, entry);
  by_index_.emplace(index, entry);
}

Result<NameTable> NameTable::In(std::shared_ptr<NameBook> book, Clock::time_point now) {
  NameTable table;
  uint32_t last = 0;
  for (NameBook::Entry& known : TRY(book->Read(NameBook::Part::kGiven))) {
    const uint32_t index = known.line + 1;
    if (known.address != Address::V4(kFirst + index) || table.by_name_.contains(known.name))
      return Failure(NameBook::NotWrittenByTables());
    last = std::max(last, index);
    table.number_ = known.number;
    table.Add(std::move(known.name), index, now);
  }
  // They are given one after the other.
  if (last != table.size()) return Failure(NameBook::NotWrittenByTables());
  table.next_ = last + 1;
  table.book_ = std::move(book);
  return table;
}

std::optional<Address> NameTable::AddressOf(std::string_view name, Clock::time_point now) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    Use(known->second, now);
    return Address::V4(kFirst + known->second->index);
  }
  const bool is_full = entries_.size() >= kMaxNames;
  if (is_full && now - entries_.front().used < kRest) return std::nullopt;
  const uint32_t index = is_full ? entries_.front().index : next_;
  const Address address = Address::V4(kFirst + index);
  const NameBook::Entry written{
      .line = index - 1, .number = number_ + 1, .address = address, .name = std::string(name)};
  if (book_ && !book_->Write(NameBook::Part::kGiven, written)) return std::nullopt;
  ++number_;
  if (is_full) {
    by_name_.erase(entries_.front().name);
    by_index_.erase(index);
    entries_.pop_front();
  } else {
    ++next_;
  }
  Add(written.name, index, now);
  return address;
}

std::string NameTable::NameOf(const Address& address, Clock::time_point now) {
  if (!IsSynthetic(address)) return {};
  const auto found = by_index_.find(address.v4() - kFirst);
  if (found == by_index_.end()) return {};
  Use(found->second, now);
  return found->second->name;
}

}  // namespace cay::network
