#include "network/names/pinned_names.h"

#include <algorithm>
#include <utility>

namespace cay::network {

PinnedNames::Entry& PinnedNames::Use(Entries::iterator entry, Clock::time_point now) {
  entry->used = now;
  entries_.splice(entries_.end(), entries_, entry);
  return *entry;
}

PinnedNames::Entry& PinnedNames::Add(const Address& address, Clock::time_point now) {
  entries_.push_back({.address = address, .names = {}, .used = now});
  by_address_.emplace(address, std::prev(entries_.end()));
  return entries_.back();
}

uint32_t PinnedNames::FreeLine() {
  if (free_lines_.empty()) return next_line_++;
  const uint32_t line = free_lines_.back();
  free_lines_.pop_back();
  return line;
}

// For so many new ones, of those that nobody may remember any more.
bool PinnedNames::MakeRoom(size_t fresh, Clock::time_point now) {
  size_t free = kMaxAddresses - entries_.size();
  for (auto old = entries_.begin(); free < fresh && old != entries_.end(); ++old, ++free)
    if (now - old->used < NameTable::kRest) return false;
  while (entries_.size() + fresh > kMaxAddresses) {
    Entry& oldest = entries_.front();
    for (; !oldest.names.empty(); oldest.names.pop_back()) {
      const uint32_t line = oldest.names.back().line;
      if (book_ && !book_->Erase(NameBook::Part::kPinned, line)) return false;
      free_lines_.push_back(line);
    }
    by_address_.erase(oldest.address);
    entries_.pop_front();
  }
  return true;
}

bool PinnedNames::PutFirst(Entry& entry, const std::string& name) {
  std::vector<Name>& names = entry.names;
  if (!names.empty() && names.front().text == name) return true;
  auto place = std::ranges::find(names, name, &Name::text);
  // In that of the oldest, where there are enough.
  if (place == names.end() && names.size() == kMaxNames) --place;
  const bool is_more = place == names.end();
  const uint32_t line = is_more ? FreeLine() : place->line;
  const NameBook::Entry written{
      .line = line, .number = number_ + 1, .address = entry.address, .name = name};
  if (book_ && !book_->Write(NameBook::Part::kPinned, written)) {
    if (is_more) free_lines_.push_back(line);
    return false;
  }
  ++number_;
  if (!is_more) names.erase(place);
  names.insert(names.begin(), {.text = name, .line = line});
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
    const auto known = by_address_.find(address.Unmapped());
    Entry& entry =
        known == by_address_.end() ? Add(address.Unmapped(), now) : Use(known->second, now);
    if (!PutFirst(entry, name)) return false;
  }
  return true;
}

// One after the other, as they were written. Whether a table has written it.
bool PinnedNames::Restore(const NameBook::Entry& known, Clock::time_point now) {
  const auto found = by_address_.find(known.address);
  if (found == by_address_.end() && entries_.size() == kMaxAddresses) return false;
  Entry& entry = found == by_address_.end() ? Add(known.address, now) : Use(found->second, now);
  std::vector<Name>& names = entry.names;
  const bool is_there = std::ranges::find(names, known.name, &Name::text) != names.end();
  if (is_there || names.size() == kMaxNames) return false;
  names.insert(names.begin(), {.text = known.name, .line = known.line});
  number_ = known.number;
  return true;
}

Result<PinnedNames> PinnedNames::In(std::shared_ptr<NameBook> book, Clock::time_point now) {
  PinnedNames pinned;
  std::vector<bool> used;
  for (const NameBook::Entry& known : TRY(book->Read(NameBook::Part::kPinned))) {
    if (!pinned.Restore(known, now)) return Failure(NameBook::NotWrittenByTables());
    used.resize(std::max<size_t>(used.size(), size_t{known.line} + 1));
    used[known.line] = true;
  }
  pinned.next_line_ = static_cast<uint32_t>(used.size());
  for (uint32_t line = 0; line < pinned.next_line_; ++line)
    if (!used[line]) pinned.free_lines_.push_back(line);
  pinned.book_ = std::move(book);
  return pinned;
}

std::vector<std::string> PinnedNames::NamesOf(const Address& address, Clock::time_point now) {
  const auto found = by_address_.find(address.Unmapped());
  if (found == by_address_.end()) return {};
  std::vector<std::string> names;
  for (const Name& name : Use(found->second, now).names) names.push_back(name.text);
  return names;
}

}  // namespace cay::network
