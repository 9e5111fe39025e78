// TreeWatcher: what changes in a directory, or in all directories below it (inotify(7)).
//
//   TreeWatcher watcher = TRY(TreeWatcher::Begin(view, "/workspace", Recursive::kYes));
//   poll watcher.fd(); TRY(watcher.Collect());
//   std::vector<protocol::WatchEvent> events = watcher.Take(256);
//
// Events: kCreated and kRemoved for a name that came or went, kModified for content, kAttributes
// for mode, owner or times. A rename is kRemoved of the old name and kRenamed of the new one, which
// says whence; without that it came from outside. Where the directory of an event is renamed, the
// event has the name of its time. Equal events that follow one another are one. What is written to
// take its place when it is complete (FileWriter) is one event, kCreated or kModified: its
// temporary name is not told.
//
// What was in a directory before its watch stood (somebody made a tree quickly, or moved one in) is
// told as kCreated, perhaps twice; what came and went before that is not seen. Otherwise nothing is
// lost in silence: kMaxQueued events wait at most, and at most kMaxWatches directories are watched;
// where either does not suffice, or the kernel lost events, there is a kOverflow: what is there has
// to be looked at again.
//
// When the directory itself is removed, gone() says so, after the last events.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/files/file_view.h"
#include "guest/files/inotify.h"
#include "guest/files/watched_directories.h"
#include "protocol/file_messages.h"

namespace cay::guest {

enum class Recursive { kNo, kYes };

class TreeWatcher {
 public:
  static constexpr size_t kMaxQueued = 4096;
  static constexpr size_t kMaxWatches = 8192;

  // `view` outlives it. Collect runs as the same user as this (FileCredentials): it opens
  // directories, too.
  static Result<TreeWatcher> Begin(const FileView& view, const std::string& path,
                                   Recursive recursive);

  int fd() const { return inotify_.fd(); }

  // Reads what the kernel has, without waiting. Reads at most one buffer, or a few when directories
  // are new. What is left makes fd() readable again.
  Result<void> Collect();

  bool HasEvents() const { return !queue_.empty(); }
  bool gone() const { return gone_; }
  // The oldest, at most `max`.
  std::vector<protocol::WatchEvent> Take(size_t max);

 private:
  using Place = WatchedDirectories::Place;
  using Where = WatchedDirectories::Where;

  // What was found below a directory that is new.
  struct Look {
    bool tells = true;
    std::vector<int> added;       // watches
    std::vector<int> returned{};  // watches that were outside
    std::vector<protocol::WatchEvent> found{};
    bool too_much = false;  // to be watched or told
    bool moving = false;    // something in it is known elsewhere: events are on their way
  };
  struct Directory {
    int watch;
    std::string path;
  };
  enum class Attached { kDone, kAbsent, kDisturbed };

  TreeWatcher(Inotify inotify, const FileView& view, std::string top, Recursive recursive);
  Result<Fd> OpenTop();
  Result<Fd> OpenWatched(const std::string& path);
  Result<std::optional<int>> AddWatch(const Fd& directory, Look& look);
  std::optional<Directory> Enter(const Fd& directory, const Directory& parent,
                                 const std::string& name, Look& look);
  Result<void> LookAt(Fd directory, Directory top, Look& look);
  Result<void> LookAtAll();
  void LookAgain();
  void CatchUp();
  Attached Attach(const Place& place, bool may_read);
  bool IsDisturbed(const Place& place, const Look& look, bool may_read);
  void TakeBack(const Look& look);
  void Unwatch(const std::vector<int>& watches);

  void On(const Inotify::Event& event);
  void OnOwn(const Inotify::Event& event);
  void OnName(const Inotify::Event& event, const std::optional<std::string>& path);
  void OnMovedTo(const Inotify::Event& event, const std::optional<std::string>& path);
  void OnNewDirectory(const Place& place);
  void OnAll(const std::vector<Inotify::Event>& events);
  bool IsTemporary(const std::string& name) const;
  void LoseTrack();
  void Queue(protocol::WatchEvent event);
  void QueueOverflow();

  Inotify inotify_;
  const FileView* view_;
  // Not held open: a directory that is open somewhere gives no event when it is removed.
  std::string top_;
  std::optional<std::pair<dev_t, ino_t>> identity_;
  Recursive recursive_;
  int top_watch_ = 0;
  WatchedDirectories directories_;
  // To be watched when all events were read, so that what is found there is what they tell of.
  std::set<Place> new_;
  std::set<Place> absent_;  // of those, what was not there: events are on their way
  std::vector<Inotify::Event> peeked_;
  int disturbances_ = 0;  // since the last time that there was none
  bool some_left_ = false;
  bool lost_track_ = false;  // of where directories are: nothing is told until it is known again
  std::deque<protocol::WatchEvent> queue_;
  bool overflowed_ = false;  // the newest event in the queue says so
  bool gone_ = false;
};

}  // namespace cay::guest
