// WatchedDirectories: where the directories of a watched tree are, by watch descriptor, as the
// events of inotify(7) tell it. No I/O.
//
// A watch follows its directory wherever that is renamed to; only the name has to follow too.
// inotify says what a rename took away (IN_MOVED_FROM), where to (IN_MOVED_TO, with the same
// cookie), and at last which watch it was (IN_MOVE_SELF). Where one watch has the place that was
// taken away, it is that one. Where two have it (the one took the other's place: it is removed, or
// the two were exchanged), the last event says which. A directory that moved and was given no other
// place has left.
//
//   directories.SetTop(1);
//   directories.Set(2, {.parent = 1, .name = "a"});
//   directories.BeginRename(cookie, {.parent = 1, .name = "a"});     // IN_MOVED_FROM
//   directories.EndRename(cookie, {.parent = 1, .name = "b"});       // IN_MOVED_TO
//   directories.Find(2).path                                         // "b"
//   directories.Moved(2);                                            // IN_MOVE_SELF
//
// This is right as long as each place is set at a moment when all events up to then have been told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace cay::guest {

class WatchedDirectories {
 public:
  // Renames that are remembered. Between the three events of one there are as many of others as
  // there are processors, and a few more.
  static constexpr size_t kMaxRenames = 1024;

  struct Place {
    int parent = 0;  // its watch
    std::string name{};
    auto operator<=>(const Place&) const = default;
  };

  enum class Where {
    kUnknown,  // no such watch
    kInside,   // below the top, or the top
    kOutside,  // moved out of the tree, or below such a one
    kLost,     // its place leads nowhere, or is longer than paths are
  };
  struct Found {
    Where where;
    std::string path;  // kInside: relative to the top
  };

  void SetTop(int watch);
  void Set(int watch, Place place);
  // It has left the tree.
  void SetOutside(int watch);
  void Forget(int watch);
  void Clear();
  size_t size() const { return places_.size(); }

  Found Find(int watch) const;
  bool IsAt(int watch, const Place& place) const;
  // The one watch that is there; nothing where there is none, or more.
  std::optional<int> At(const Place& place) const;
  bool IsAnyAt(const Place& place) const { return by_place_.contains(place); }
  // The place, that of its parent, and so on.
  std::set<Place> WayTo(const Place& place) const;
  std::vector<int> All() const;

  // False: there are so many under way that one had to be forgotten.
  bool BeginRename(uint32_t cookie, Place from);
  // For a directory or any other name. Returns where it came from; nothing where that was not
  // watched. What comes from outside stays there, to be set anew.
  std::optional<Place> EndRename(uint32_t cookie, const Place& to, bool directory);

  // IN_MOVE_SELF. One that was set when its rename was half told is where it was set.
  Where Moved(int watch);

 private:
  struct Rename {
    uint32_t cookie;
    Place from;  // of no directory: it is not known
    std::optional<Place> to;
  };
  std::unordered_map<int, Place> places_;
  std::multimap<Place, int> by_place_;
  std::deque<Rename> renames_;  // the newest at the end
};

}  // namespace cay::guest
