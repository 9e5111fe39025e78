// NameCache: what became of questions for names, for as long as it holds. Bounded; one thread.
//
//   cache.Put("example.com", addresses, seconds(60), now);
//   if (const NameCache::Outcome* known = cache.Find("example.com", now)) …
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"

namespace cay::network {

class NameCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Outcome = Result<std::vector<Address>>;
  static constexpr size_t kMaxNames = 1024;

  // Null: it is not known. Valid until the next call.
  const Outcome* Find(const std::string& name, Time now) const {
    const auto found = entries_.find(name);
    return found == entries_.end() || found->second.until <= now ? nullptr : &found->second.outcome;
  }

  // In the place of what is known of the name, or, among kMaxNames, of the one that ends first.
  void Put(const std::string& name, Outcome outcome, std::chrono::seconds holds, Time now) {
    if (holds.count() <= 0) return;
    if (entries_.size() >= kMaxNames && !entries_.contains(name)) DropFirstToEnd();
    entries_.insert_or_assign(name, Entry{.outcome = std::move(outcome), .until = now + holds});
  }

  void Clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Outcome outcome;
    Time until;
  };

  void DropFirstToEnd() {
    auto first = entries_.begin();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second.until < first->second.until) first = at;
    }
    entries_.erase(first);
  }

  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace cay::network
