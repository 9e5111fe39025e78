#include "guest/files/watched_directories.h"

#include <algorithm>
#include <ranges>
#include <string_view>
#include <utility>

#include "protocol/messages.h"

namespace cay::guest {
namespace {

// As parents; watches are positive.
constexpr int kAboveTop = -1;
constexpr int kOutsideOfAll = -2;

}  // namespace

void WatchedDirectories::SetTop(int watch) { Set(watch, {.parent = kAboveTop, .name = {}}); }

void WatchedDirectories::SetOutside(int watch) {
  Set(watch, {.parent = kOutsideOfAll, .name = {}});
}

void WatchedDirectories::Set(int watch, Place place) {
  Forget(watch);
  by_place_.emplace(place, watch);
  places_.emplace(watch, std::move(place));
}

void WatchedDirectories::Forget(int watch) {
  const auto found = places_.find(watch);
  if (found == places_.end()) return;
  const auto [first, last] = by_place_.equal_range(found->second);
  by_place_.erase(std::find_if(first, last, [&](const auto& at) { return at.second == watch; }));
  places_.erase(found);
}

void WatchedDirectories::Clear() {
  places_.clear();
  by_place_.clear();
  renames_.clear();
}

WatchedDirectories::Found WatchedDirectories::Find(int watch) const {
  std::vector<std::string_view> names;
  size_t bytes = 0;
  auto found = places_.find(watch);
  if (found == places_.end()) return {.where = Where::kUnknown, .path = {}};
  for (int parent = found->second.parent; parent != kAboveTop; parent = found->second.parent) {
    if (parent == kOutsideOfAll) return {.where = Where::kOutside, .path = {}};
    names.emplace_back(found->second.name);
    bytes += names.back().size() + 1;  // which ends a circle too
    found = places_.find(parent);
    if (found == places_.end() || bytes > protocol::kMaxPathBytes) {
      return {.where = Where::kLost, .path = {}};
    }
  }
  Found inside{.where = Where::kInside, .path = {}};
  for (const std::string_view name : names | std::views::reverse) {
    if (!inside.path.empty()) inside.path += '/';
    inside.path += name;
  }
  return inside;
}

bool WatchedDirectories::IsAt(int watch, const Place& place) const {
  const auto found = places_.find(watch);
  return found != places_.end() && found->second == place;
}

std::optional<int> WatchedDirectories::At(const Place& place) const {
  const auto [first, last] = by_place_.equal_range(place);
  if (first == last || std::next(first) != last) return std::nullopt;
  return first->second;
}

std::set<WatchedDirectories::Place> WatchedDirectories::WayTo(const Place& place) const {
  std::set<Place> way = {place};
  for (auto found = places_.find(place.parent); found != places_.end();
       found = places_.find(found->second.parent)) {
    if (!way.insert(found->second).second) break;  // a circle
  }
  return way;
}

std::vector<int> WatchedDirectories::All() const {
  std::vector<int> watches;
  for (const auto& [watch, place] : places_) watches.push_back(watch);
  return watches;
}

bool WatchedDirectories::BeginRename(uint32_t cookie, Place from) {
  renames_.push_back({.cookie = cookie, .from = std::move(from), .to = std::nullopt});
  if (renames_.size() <= kMaxRenames) return true;
  const bool needed = IsAnyAt(renames_.front().from);
  renames_.pop_front();
  return !needed;
}

std::optional<WatchedDirectories::Place> WatchedDirectories::EndRename(uint32_t cookie,
                                                                       const Place& to,
                                                                       bool directory) {
  const auto rename =
      std::find_if(renames_.rbegin(), renames_.rend(),
                   [&](const Rename& candidate) { return candidate.cookie == cookie; });
  if (rename == renames_.rend()) {
    if (directory) {
      static_cast<void>(BeginRename(cookie, {}));
      renames_.back().to = to;
    }
    return std::nullopt;
  }
  Place from = rename->from;
  if (!directory) {  // nothing more is said of it
    renames_.erase(std::next(rename).base());
    return from;
  }
  rename->to = to;
  const std::optional<int> moved = At(from);
  if (moved && Find(*moved).where == Where::kOutside) {
    SetOutside(*moved);
  } else if (moved) {
    Set(*moved, to);
  }
  return from;
}

WatchedDirectories::Where WatchedDirectories::Moved(int watch) {
  const auto moved = places_.find(watch);
  if (moved == places_.end()) return Where::kUnknown;
  const Place place = moved->second;
  if (place.parent == kAboveTop) return Where::kInside;
  if (place.parent == kOutsideOfAll) return Where::kOutside;
  const auto rename =
      std::find_if(renames_.rbegin(), renames_.rend(), [&](const Rename& candidate) {
        return candidate.from == place || candidate.to == place;  // `to`: set there already
      });
  if (rename == renames_.rend()) return Find(watch).where;
  const bool was_outside = Find(watch).where == Where::kOutside;
  const std::optional<Place> to = std::move(rename->to);
  renames_.erase(std::next(rename).base());
  if (!to || was_outside) {
    SetOutside(watch);
    return Where::kOutside;
  }
  Set(watch, *to);
  return Where::kInside;
}

}  // namespace cay::guest
