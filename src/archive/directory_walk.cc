#include "archive/directory_walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::archive {
namespace {

constexpr size_t kOpenDirectories = 32;
constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NONBLOCK;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

std::string DirectoryWalk::PathTo(size_t depth) const {
  std::string path;
  for (size_t i = 0; i < depth; ++i) {
    if (i > 0) path += '/';
    path += frames_[i].name;
  }
  return path;
}

uint64_t DirectoryWalk::Resolve() const {
  return mounts_ == Mounts::kStayOut ? RESOLVE_NO_XDEV : 0;
}

Result<Fd> DirectoryWalk::OpenChild(const Fd& directory, const std::string& name) const {
  open_how how{};
  how.flags = kFlags | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | Resolve();
  return sys::OpenAt2(directory.get(), name.c_str(), how);
}

Result<void> DirectoryWalk::Enter(std::string name) {
  Fd opened = TRY(OpenChild(current(), name));
  frames_.push_back({.name = std::move(name), .fd = std::move(opened)});
  if (frames_.size() > kOpenDirectories) frames_[frames_.size() - 1 - kOpenDirectories].fd.reset();
  return {};
}

Result<void> DirectoryWalk::Leave() {
  frames_.pop_back();
  if (frames_.empty() || frames_.back().fd) return {};
  // Open the innermost ones again, so that the way up costs one long path for many directories.
  const size_t first = frames_.size() > kOpenDirectories ? frames_.size() - kOpenDirectories : 0;
  frames_[first].fd = TRY(OpenDirectoryBeneath(top_, PathTo(first + 1), kFlags, Resolve()));
  for (size_t i = first + 1; i < frames_.size(); ++i) {
    frames_[i].fd = TRY(OpenChild(*frames_[i - 1].fd, frames_[i].name));
  }
  return {};
}

Result<std::vector<std::string>> ReadNames(const Fd& directory, uint64_t max) {
  // A description of its own: the read position is not shared with other users of `directory`.
  Fd own = TRY(sys::OpenAt(directory.get(), ".", kFlags));
  const std::unique_ptr<DIR, DirCloser> listing(::fdopendir(own.get()));
  if (!listing) return Failure(Error::FromErrno("listing a directory"));
  static_cast<void>(std::move(own).Release());  // closedir closes it
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(listing.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= max) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "a directory has more than " + std::to_string(max) + " entries"));
    }
    names.emplace_back(name);
  }
  if (errno != 0) return Failure(Error::FromErrno("listing a directory"));
  return names;
}

}  // namespace cay::archive
