// TreeWatcher: what changes in a directory, or in all directories below it (inotify(7)).
//
//   TreeWatcher watcher = TRY(TreeWatcher::Begin(view, "/workspace", Recursive::kYes));
//   poll watcher.fd(); TRY(watcher.Collect());
//   std::vector<protocol::WatchEvent> events = watcher.Take(256);
//
// Events: kCreated and kRemoved for a name that came or went (a rename is kRemoved of the old and
// kRenamed of the new name), kModified for content, kAttributes for mode, owner or times. Equal
// events that follow one another are one. Two bounds: kMaxQueued events wait at most, and at most
// kMaxWatches directories are watched; where either does not suffice, or the kernel lost events,
// there is a kOverflow: what is there has to be looked at again. What was in a directory before its
// watch stood (somebody made a tree quickly) is told as kCreated, perhaps twice.
//
// When the directory itself is removed, gone() says so, after the last events.
#pragma once

#include <sys/inotify.h>

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "guest/files/file_view.h"
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

  int fd() const { return inotify_.get(); }

  // Reads what the kernel has, without waiting. Reads at most one buffer.
  Result<void> Collect();

  bool HasEvents() const { return !queue_.empty(); }
  bool gone() const { return gone_; }
  // The oldest, at most `max`.
  std::vector<protocol::WatchEvent> Take(size_t max);

 private:
  TreeWatcher(Fd inotify, const FileView& view, std::string top, Recursive recursive);
  Result<Fd> OpenTop();
  Result<void> AddTree(const std::string& path, bool tell);
  Result<bool> Add(const Fd& directory, const std::string& path);
  void ForgetTree(const std::string& path);
  void On(const inotify_event& event, const std::string& name);
  void Queue(protocol::WatchKind kind, std::string path, bool directory);
  void QueueOverflow();

  Fd inotify_;
  const FileView* view_;
  // Not held open: a directory that is open somewhere gives no event when it is removed.
  std::string top_;
  std::optional<std::pair<dev_t, ino_t>> identity_;
  Recursive recursive_;
  std::unordered_map<int, std::string> paths_;  // by watch descriptor; relative, "" is the top
  std::deque<protocol::WatchEvent> queue_;
  bool overflowed_ = false;  // the newest event in the queue says so
  bool gone_ = false;
};

}  // namespace cay::guest
