#include "guest/files/tree_watcher.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "archive/directory_walk.h"
#include "archive/safe_path.h"
#include "base/os/sys.h"
#include "protocol/frame.h"

namespace cay::guest {
namespace {

using protocol::WatchEvent;
using protocol::WatchKind;

constexpr uint32_t kEvents = IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
                             IN_EXCL_UNLINK;
constexpr size_t kMaxWatchedPathBytes = protocol::kMaxPathBytes - protocol::kMaxNameBytes - 1;
constexpr uint64_t kMaxNames = 100'000;  // of one directory, when it is first looked at
constexpr size_t kMaxNew = 8192;
// Whoever renames directories faster than they can be looked at does not keep the guest from its
// work.
constexpr int kTries = 8;             // of one call
constexpr int kMaxDisturbances = 64;  // then it is said that something may be missing

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

// Of a directory that is to be watched: it is not there, or not this user's to read. Anything else
// is a fault.
bool IsAbsent(int sys_errno) {
  return sys_errno == ENOENT || sys_errno == ENOTDIR || sys_errno == ELOOP || sys_errno == ESTALE;
}
bool IsRefused(int sys_errno) {
  return sys_errno == EACCES || sys_errno == EPERM || sys_errno == EXDEV;
}

bool TakesADirectoryAway(const Inotify::Event& event) {
  return event.directory() && (event.mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0;
}

}  // namespace

TreeWatcher::TreeWatcher(Inotify inotify, const FileView& view, std::string top,
                         Recursive recursive)
    : inotify_(std::move(inotify)), view_(&view), top_(std::move(top)), recursive_(recursive) {}

Result<TreeWatcher> TreeWatcher::Begin(const FileView& view, const std::string& path,
                                       Recursive recursive) {
  TreeWatcher watcher(TRY(Inotify::Open()), view, path, recursive);
  for (int left = kTries;; --left) {
    TRY(watcher.LookAtAll());
    if (!watcher.inotify_.Waits()) break;
    if (left == 0) {
      watcher.LoseTrack();
      break;
    }
    TRY(watcher.inotify_.Read());  // of before the beginning
  }
  return watcher;
}

Result<Fd> TreeWatcher::OpenTop() {
  Fd top = TRY(view_->OpenDirectory(top_));
  struct stat info{};
  if (::fstat(top.get(), &info) < 0) return Failure(FileError(top_, errno));
  if (!identity_) identity_.emplace(info.st_dev, info.st_ino);
  if (*identity_ != std::pair(info.st_dev, info.st_ino)) return Failure(FileError(top_, ENOENT));
  return top;
}

Result<Fd> TreeWatcher::OpenWatched(const std::string& path) {
  return archive::OpenDirectoryBeneath(TRY(OpenTop()), path, O_RDONLY | O_DIRECTORY);
}

// The directory's watch, which it may have had before. Nothing: there are too many already.
Result<std::optional<int>> TreeWatcher::AddWatch(const Fd& directory, Look& look) {
  const std::optional<int> watch = TRY(inotify_.Watch(directory, kEvents));
  if (!watch || directories_.Find(*watch).where != Where::kUnknown) return watch;
  if (directories_.size() >= kMaxWatches) {
    inotify_.Unwatch(*watch);
    return std::nullopt;
  }
  look.added.push_back(*watch);
  return watch;
}

// Watches a directory that was found in another one. Nothing: nothing of it is looked at.
std::optional<TreeWatcher::Directory> TreeWatcher::Enter(const Fd& directory,
                                                         const Directory& parent,
                                                         const std::string& name, Look& look) {
  std::string path = Join(parent.path, name);
  const Result<std::optional<int>> watch =
      path.size() > kMaxWatchedPathBytes ? std::optional<int>() : AddWatch(directory, look);
  if (!watch) return std::nullopt;  // removed meanwhile
  if (!*watch) {
    look.too_much = true;
    return std::nullopt;
  }
  const Place place{.parent = parent.watch, .name = name};
  if (directories_.Find(**watch).where == Where::kInside && !directories_.IsAt(**watch, place)) {
    look.moving = true;
    return std::nullopt;
  }
  if (directories_.Find(**watch).where != Where::kUnknown) look.returned.push_back(**watch);
  directories_.Set(**watch, place);
  return Directory{.watch = **watch, .path = std::move(path)};
}

// Watches all that is below a directory, which is watched itself.
Result<void> TreeWatcher::LookAt(Fd directory, Directory top, Look& look) {
  struct Level {
    Directory at;
    std::vector<std::string> directories;
  };
  archive::DirectoryWalk walk(std::move(directory), archive::Mounts::kStayOut);
  std::vector<Level> levels;
  const auto read = [&](Directory at) -> Result<void> {
    Level& level = levels.emplace_back(Level{.at = std::move(at), .directories = {}});
    for (std::string& name : TRY(archive::ReadNames(walk.current(), kMaxNames))) {
      struct stat info{};
      if (IsTemporary(name) ||
          ::fstatat(walk.current().get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        continue;
      }
      const bool is_directory = S_ISDIR(info.st_mode);
      if (look.tells && look.found.size() <= kMaxQueued) {
        look.found.push_back({.kind = WatchKind::kCreated,
                              .path = Join(level.at.path, name),
                              .directory = is_directory});
      }
      if (is_directory) level.directories.push_back(std::move(name));
    }
    return {};
  };
  TRY(read(std::move(top)));
  while (!levels.empty()) {
    if (levels.back().directories.empty()) {
      levels.pop_back();
      if (levels.empty() || walk.Leave()) continue;
      look.too_much = true;  // moved away while we looked
      return {};
    }
    const std::string name = std::move(levels.back().directories.back());
    levels.back().directories.pop_back();
    if (!walk.Enter(name)) continue;  // unreadable, a mount, or gone
    std::optional<Directory> found = Enter(walk.current(), levels.back().at, name, look);
    if (!found) {
      levels.emplace_back();  // left again at once
    } else if (const Result<void> looked = read(*std::move(found)); !looked) {
      // Unreadable ones have no content for this user; one with too many names has.
      if (looked.error().code() == ErrorCode::kLimitTooHigh) look.too_much = true;
    }
  }
  return {};
}

// Everything is where it is found now, whatever was thought of it.
Result<void> TreeWatcher::LookAtAll() {
  Fd top = TRY(OpenTop());
  const std::vector<int> before = directories_.All();
  directories_.Clear();
  new_.clear();
  absent_.clear();
  some_left_ = false;
  Look look{.tells = false, .added = {}};
  const std::optional<int> watch = TRY(AddWatch(top, look));
  if (!watch) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "the kernel's limit of inotify watches is reached"));
  }
  top_watch_ = *watch;
  directories_.SetTop(*watch);
  if (recursive_ == Recursive::kYes) {
    TRY(LookAt(std::move(top), {.watch = *watch, .path = {}}, look));
  }
  for (const int old : before) {
    if (directories_.Find(old).where == Where::kUnknown) inotify_.Unwatch(old);
  }
  if (look.too_much) QueueOverflow();
  return {};
}

void TreeWatcher::LoseTrack() {
  QueueOverflow();
  lost_track_ = true;
}

void TreeWatcher::LookAgain() {
  if (!LookAtAll()) return;  // the top is gone, or away
  // What happened meanwhile is not in the order of what was seen. At last that has to do.
  if (inotify_.Waits() && ++disturbances_ < kMaxDisturbances) return;
  disturbances_ = 0;
  lost_track_ = false;
  QueueOverflow();  // nothing was told until now
}

void TreeWatcher::Unwatch(const std::vector<int>& watches) {
  for (const int watch : watches) {
    inotify_.Unwatch(watch);
    directories_.Forget(watch);
  }
}

void TreeWatcher::TakeBack(const Look& look) {
  for (const int watch : look.returned) directories_.SetOutside(watch);
  some_left_ |= !look.returned.empty();
  Unwatch(look.added);
}

// Whether a directory was taken away or put there while it was looked at, above or in it: events
// are read that are older than what was seen.
bool TreeWatcher::IsDisturbed(const Place& place, const Look& look, bool may_read) {
  if (!inotify_.Waits()) return look.moving;
  if (!may_read) return true;
  Result<std::vector<Inotify::Event>> events = inotify_.Read();
  if (!events) return true;
  peeked_ = *std::move(events);
  const std::set<Place> way = directories_.WayTo(place);
  return look.moving || inotify_.Waits() ||
         std::ranges::any_of(peeked_, [&](const Inotify::Event& event) {
           return (event.mask & IN_Q_OVERFLOW) != 0 ||
                  (TakesADirectoryAway(event) &&
                   (way.contains({.parent = event.watch, .name = event.name}) ||
                    std::ranges::find(look.added, event.watch) != look.added.end()));
         });
}

// Watches a new directory with all that is in it, and tells of that. `may_read`: also when events
// have come meanwhile.
TreeWatcher::Attached TreeWatcher::Attach(const Place& place, bool may_read) {
  const auto parent = directories_.Find(place.parent);
  if (parent.where != Where::kInside) return Attached::kDone;
  Look look{.tells = true, .added = {}};
  const std::string path = Join(parent.path, place.name);
  if (path.size() > kMaxWatchedPathBytes) {
    QueueOverflow();
    return Attached::kDone;
  }
  Result<Fd> directory = OpenWatched(path);
  if (!directory) {
    const int why = directory.error().sys_errno();
    if (IsAbsent(why)) return Attached::kAbsent;
    if (!IsRefused(why)) QueueOverflow();
    return Attached::kDone;
  }
  const Result<std::optional<int>> watch = AddWatch(*directory, look);
  if (!watch) return Attached::kAbsent;  // removed meanwhile
  if (!*watch) {
    QueueOverflow();
    return Attached::kDone;
  }
  if (directories_.IsAt(**watch, place)) return Attached::kDone;  // watched all the time
  if (directories_.Find(**watch).where == Where::kInside) return Attached::kDisturbed;
  if (directories_.Find(**watch).where != Where::kUnknown) look.returned.push_back(**watch);
  directories_.Set(**watch, place);
  const auto looked = LookAt(*std::move(directory), {.watch = **watch, .path = path}, look);
  if (IsDisturbed(place, look, may_read)) {
    TakeBack(look);
    return Attached::kDisturbed;
  }
  for (WatchEvent& found : look.found) Queue(std::move(found));
  if (look.too_much || (!looked && looked.error().code() == ErrorCode::kLimitTooHigh)) {
    QueueOverflow();
  }
  return Attached::kDone;
}

// All events have been read.
void TreeWatcher::CatchUp() {
  if (lost_track_) LookAgain();
  new_.merge(absent_);
  absent_.clear();
  for (int left = kTries; left > 0 && !new_.empty() && !lost_track_ && !inotify_.Waits();) {
    const Place place = *new_.begin();
    new_.erase(new_.begin());
    switch (Attach(place, left > 1)) {
      case Attached::kDone:
        disturbances_ = 0;
        break;
      case Attached::kAbsent:
        absent_.insert(place);
        break;
      case Attached::kDisturbed:
        new_.insert(place);
        --left;
        if (++disturbances_ >= kMaxDisturbances) LoseTrack();
        break;
    }
    OnAll(std::exchange(peeked_, {}));
  }
  if (!std::exchange(some_left_, false)) return;
  std::vector<int> watches = directories_.All();
  std::erase_if(watches,
                [&](int watch) { return directories_.Find(watch).where != Where::kOutside; });
  Unwatch(watches);
}

bool TreeWatcher::IsTemporary(const std::string& name) const {
  return view_->temporaries().Find(name).has_value();
}

void TreeWatcher::Queue(WatchEvent event) {
  if (overflowed_) return;  // the reader has to look again anyway
  if (!queue_.empty() && queue_.back() == event) return;
  const size_t from_bytes = event.from ? event.from->size() : 0;
  if (queue_.size() >= kMaxQueued ||
      std::max(event.path.size(), from_bytes) > protocol::kMaxPathBytes) {
    QueueOverflow();
    return;
  }
  queue_.push_back(std::move(event));
}

void TreeWatcher::QueueOverflow() {
  if (overflowed_) return;
  queue_.push_back({.kind = WatchKind::kOverflow, .path = {}});
  overflowed_ = true;
}

std::vector<WatchEvent> TreeWatcher::Take(size_t max) {
  std::vector<WatchEvent> events;
  size_t path_bytes = 0;
  // A frame has kMaxListingBytes: long paths make fewer events.
  while (!queue_.empty() && events.size() < max && path_bytes < protocol::kMaxListingBytes / 2) {
    path_bytes += queue_.front().path.size();
    if (queue_.front().from) path_bytes += queue_.front().from->size();
    events.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (queue_.empty()) overflowed_ = false;
  return events;
}

void TreeWatcher::On(const Inotify::Event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return LoseTrack();
  const auto directory = directories_.Find(event.watch);
  if (directory.where == Where::kUnknown) return;
  if (event.name.empty()) return OnOwn(event);
  if (lost_track_) return;
  if (directory.where == Where::kLost) return LoseTrack();
  OnName(event, directory.where == Where::kInside ? std::optional(Join(directory.path, event.name))
                                                  : std::nullopt);
}

// What happened to a watched directory itself. Of most of it the one above it tells.
void TreeWatcher::OnOwn(const Inotify::Event& event) {
  const bool top = event.watch == top_watch_;
  if ((event.mask & IN_IGNORED) != 0) directories_.Forget(event.watch);
  if (top && (event.mask & (IN_DELETE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) gone_ = true;
  if (lost_track_) return;
  if ((event.mask & IN_MOVE_SELF) != 0) {
    if (directories_.Moved(event.watch) == Where::kOutside) some_left_ = true;
  } else if (top && (event.mask & IN_ATTRIB) != 0) {
    Queue({.kind = WatchKind::kAttributes, .path = {}, .directory = true});
  }
}

void TreeWatcher::OnNewDirectory(const Place& place) {
  if (recursive_ == Recursive::kNo) return;
  if (new_.size() >= kMaxNew) return LoseTrack();
  new_.insert(place);
}

// What happened to a name in a watched directory. No `path`: that is outside by now.
void TreeWatcher::OnName(const Inotify::Event& event, const std::optional<std::string>& path) {
  const Place place{.parent = event.watch, .name = event.name};
  if ((event.mask & IN_MOVED_TO) != 0) return OnMovedTo(event, path);
  if ((event.mask & IN_MOVED_FROM) != 0 && !directories_.BeginRename(event.cookie, place)) {
    LoseTrack();
  }
  if (IsTemporary(event.name)) return;
  const bool went = (event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
  if (went) {
    new_.erase(place);
    absent_.erase(place);
  }
  if (event.directory() && (event.mask & IN_DELETE) != 0) {
    // Whoever has it open keeps its watch alive otherwise.
    if (const std::optional<int> removed = directories_.At(place)) Unwatch({*removed});
  }
  if (!path) return;
  const bool created = (event.mask & IN_CREATE) != 0;
  Queue({.kind = went                            ? WatchKind::kRemoved
                 : created                       ? WatchKind::kCreated
                 : (event.mask & IN_MODIFY) != 0 ? WatchKind::kModified
                                                 : WatchKind::kAttributes,
         .path = *path,
         .directory = event.directory()});
  if (created && event.directory()) OnNewDirectory(place);
}

void TreeWatcher::OnMovedTo(const Inotify::Event& event, const std::optional<std::string>& path) {
  const Place place{.parent = event.watch, .name = event.name};
  const auto from = directories_.EndRename(event.cookie, place, event.directory());
  if (from && !event.directory()) {
    if (const auto fate = view_->temporaries().Find(from->name)) {
      const bool replaced = fate == Temporaries::Fate::kReplaced;
      if (path)
        Queue({.kind = replaced ? WatchKind::kModified : WatchKind::kCreated, .path = *path});
      return;
    }
  }
  WatchEvent told{
      .kind = WatchKind::kRenamed, .path = path.value_or(""), .directory = event.directory()};
  if (from) {
    const auto parent = directories_.Find(from->parent);
    if (parent.where == Where::kInside) told.from = Join(parent.path, from->name);
  }
  if (path) Queue(std::move(told));
  // Unless it is watched already, which is found out when it is looked at.
  if (path && event.directory()) OnNewDirectory(place);
}

void TreeWatcher::OnAll(const std::vector<Inotify::Event>& events) {
  for (const Inotify::Event& event : events) On(event);
}

Result<void> TreeWatcher::Collect() {
  OnAll(TRY(inotify_.Read()));
  if (!inotify_.Waits()) CatchUp();
  return {};
}

}  // namespace cay::guest
