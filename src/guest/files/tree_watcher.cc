#include "guest/files/tree_watcher.h"

#include <fcntl.h>

#include <array>
#include <cstring>

#include "archive/directory_walk.h"
#include "archive/safe_path.h"
#include "base/sys.h"
#include "protocol/frame.h"

namespace cay::guest {
namespace {

using protocol::WatchKind;

constexpr uint32_t kEvents = IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
                             IN_EXCL_UNLINK;
constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kMaxWatchedPathBytes = protocol::kMaxPathBytes - protocol::kMaxNameBytes - 1;
constexpr uint64_t kMaxNames = 100'000;  // of one directory, when it is first looked at

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

bool IsBelow(const std::string& path, const std::string& directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

}  // namespace

TreeWatcher::TreeWatcher(Fd inotify, const FileView& view, std::string top, Recursive recursive)
    : inotify_(std::move(inotify)), view_(&view), top_(std::move(top)), recursive_(recursive) {}

Result<TreeWatcher> TreeWatcher::Begin(const FileView& view, const std::string& path,
                                       Recursive recursive) {
  const int raw = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("inotify_init1"));
  TreeWatcher watcher(Fd::Adopt(raw), view, path, recursive);
  TRY(watcher.AddTree({}, false));
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

// False: there are too many already.
Result<bool> TreeWatcher::Add(const Fd& directory, const std::string& path) {
  if (paths_.size() >= kMaxWatches) return false;
  // inotify_add_watch(2) takes a path alone; this one is the descriptor.
  const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  const int watch = ::inotify_add_watch(inotify_.get(), link.c_str(), kEvents);
  if (watch < 0) {
    if (errno == ENOSPC) return false;  // the user's limit of watches
    return Failure(FileError(path.empty() ? "the directory" : path, errno));
  }
  paths_[watch] = path;
  return true;
}

// Watches `path` and, when asked for, what is below. `tell`: what is found there is new.
Result<void> TreeWatcher::AddTree(const std::string& path, bool tell) {
  Fd first = TRY(archive::OpenDirectoryBeneath(TRY(OpenTop()), path, O_RDONLY | O_DIRECTORY));
  if (!TRY(Add(first, path))) {
    if (path.empty()) {
      return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                           "the kernel's limit of inotify watches is reached"));
    }
    QueueOverflow();
    return {};
  }
  if (recursive_ == Recursive::kNo) return {};
  archive::DirectoryWalk walk(std::move(first), archive::Mounts::kStayOut);
  std::vector<std::vector<std::string>> pending;
  const auto look = [&](const std::string& at) -> Result<void> {
    pending.emplace_back();
    for (std::string& name : TRY(archive::ReadNames(walk.current(), kMaxNames))) {
      struct stat info{};
      if (::fstatat(walk.current().get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
      if (tell) Queue(WatchKind::kCreated, Join(at, name), S_ISDIR(info.st_mode));
      if (S_ISDIR(info.st_mode)) pending.back().push_back(std::move(name));
    }
    return {};
  };
  TRY(look(path));
  while (!pending.empty()) {
    if (pending.back().empty()) {
      pending.pop_back();
      if (pending.empty() || walk.Leave()) continue;
      QueueOverflow();  // moved away while we looked
      return {};
    }
    const std::string name = std::move(pending.back().back());
    pending.back().pop_back();
    if (!walk.Enter(name)) continue;  // unreadable, a mount, or gone
    const std::string at = Join(path, walk.Path());
    const Result<bool> added = at.size() > kMaxWatchedPathBytes ? false : Add(walk.current(), at);
    if (added && !*added) QueueOverflow();
    if (!added || !*added) {
      pending.emplace_back();  // nothing of it is looked at
    } else if (const Result<void> looked = look(at); !looked) {
      // Unreadable ones have no content for this user; one with too many names has.
      if (looked.error().code() == ErrorCode::kLimitTooHigh) QueueOverflow();
    }
  }
  return {};
}

void TreeWatcher::ForgetTree(const std::string& path) {
  for (auto watched = paths_.begin(); watched != paths_.end();) {
    if (!IsBelow(watched->second, path)) {
      ++watched;
      continue;
    }
    ::inotify_rm_watch(inotify_.get(), watched->first);
    watched = paths_.erase(watched);
  }
}

void TreeWatcher::Queue(WatchKind kind, std::string path, bool directory) {
  if (overflowed_) return;  // the reader has to look again anyway
  if (!queue_.empty() && queue_.back().kind == kind && queue_.back().path == path) return;
  if (queue_.size() >= kMaxQueued || path.size() > protocol::kMaxPathBytes) {
    QueueOverflow();
    return;
  }
  queue_.push_back({.kind = kind, .path = std::move(path), .directory = directory});
}

void TreeWatcher::QueueOverflow() {
  if (overflowed_) return;
  queue_.push_back({.kind = WatchKind::kOverflow, .path = {}, .directory = false});
  overflowed_ = true;
}

std::vector<protocol::WatchEvent> TreeWatcher::Take(size_t max) {
  std::vector<protocol::WatchEvent> events;
  size_t path_bytes = 0;
  // A frame has kMaxListingBytes: long paths make fewer events.
  while (!queue_.empty() && events.size() < max && path_bytes < protocol::kMaxListingBytes / 2) {
    path_bytes += queue_.front().path.size();
    events.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (queue_.empty()) overflowed_ = false;
  return events;
}

void TreeWatcher::On(const inotify_event& event, const std::string& name) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    QueueOverflow();
    // Directories may have been made that nobody watches. Watching one again changes nothing.
    if (recursive_ == Recursive::kYes) static_cast<void>(AddTree({}, false));
    return;
  }
  const auto found = paths_.find(event.wd);
  if (found == paths_.end()) return;
  const std::string watched = found->second;
  if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
    if ((event.mask & IN_IGNORED) != 0) paths_.erase(found);
    // Of the others, the parent tells. A top that moved is still the same directory.
    if (watched.empty() && (event.mask & IN_MOVE_SELF) == 0) gone_ = true;
    return;
  }
  if (name.empty()) {  // of the directory itself: its own directory is told, but who tells of the
                       // top?
    if (watched.empty()) Queue(WatchKind::kAttributes, {}, true);
    return;
  }
  const std::string path = Join(watched, name);
  const bool directory = (event.mask & IN_ISDIR) != 0;
  const bool tree = directory && recursive_ == Recursive::kYes;
  if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    if (tree) ForgetTree(path);
    Queue(WatchKind::kRemoved, path, directory);
  } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    Queue((event.mask & IN_CREATE) != 0 ? WatchKind::kCreated : WatchKind::kRenamed, path,
          directory);
    // It may be gone again, or not for us to read: then there is nothing to watch.
    if (tree) static_cast<void>(AddTree(path, (event.mask & IN_CREATE) != 0));
  } else if ((event.mask & IN_MODIFY) != 0) {
    Queue(WatchKind::kModified, path, directory);
  } else if ((event.mask & IN_ATTRIB) != 0) {
    Queue(WatchKind::kAttributes, path, directory);
  }
}

Result<void> TreeWatcher::Collect() {
  std::vector<char> buffer(kBufferBytes);
  const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return {};
    return Failure(Error::FromErrno("reading inotify events"));
  }
  size_t at = 0;
  while (at + sizeof(inotify_event) <= static_cast<size_t>(got)) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* const name = buffer.data() + at + sizeof event;
    On(event, std::string(name, ::strnlen(name, event.len)));
    at += sizeof event + event.len;
  }
  return {};
}

}  // namespace cay::guest
