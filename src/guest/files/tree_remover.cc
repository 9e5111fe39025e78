#include "guest/files/tree_remover.h"

#include <fcntl.h>

#include <utility>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::guest {
namespace {

// Somebody who makes files in a directory as fast as they are removed does not keep us for ever.
constexpr int kMaxPasses = 16;

constexpr uint64_t kMaxNames = 10'000'000;  // of one directory, at once in memory

}  // namespace

Failure TreeRemover::Fail(const Error& error) const {
  std::string path = path_;
  if (walk_ && walk_->depth() > 0) path.append("/").append(walk_->Path());
  return Failure(
      FileError(path, error.sys_errno()).WithContext("removing " + archive::Printable(path_)));
}

Result<TreeRemover> TreeRemover::Begin(const FileView& view, const std::string& path) {
  TreeRemover remover(path, TRY(view.OpenPlace(path, false)));
  const Result<void> removed = view.Remove(path);
  if (removed) return remover;
  const int why = removed.error().sys_errno();
  if (why != ENOTEMPTY && why != EEXIST) return Failure(removed.error());
  const FileView::Place& place = remover.place_;
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  how.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  Result<Fd> top = sys::OpenAt2(place.directory.get(), place.name.c_str(), how);
  if (!top)
    return Failure(
        FileError(path, top.error().sys_errno() == EXDEV ? EBUSY : top.error().sys_errno()));
  remover.walk_.emplace(*std::move(top), archive::Mounts::kStayOut);
  remover.levels_.push_back({.name = place.name, .files = {}, .directories = {}});
  TRY(remover.Look());
  return remover;
}

// The names of the current directory, as files first: unlink tells which are directories.
Result<void> TreeRemover::Look() {
  Level& level = levels_.back();
  level.files = TRY(archive::ReadNames(walk_->current(), kMaxNames));
  ++level.passes;
  return {};
}

Result<void> TreeRemover::RemoveFile(const std::string& name) {
  if (::unlinkat(walk_->current().get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  const int why = errno;
  if (why == EISDIR || why == EPERM) {
    struct stat info{};
    if (::fstatat(walk_->current().get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(info.st_mode)) {
      levels_.back().directories.push_back(name);
      return {};
    }
  }
  return Fail(Error::FromErrno(name, why));
}

Result<void> TreeRemover::EnterNext() {
  std::string name = std::move(levels_.back().directories.back());
  levels_.back().directories.pop_back();
  const Result<void> entered = walk_->Enter(name);
  if (entered) {
    levels_.push_back({.name = std::move(name), .files = {}, .directories = {}});
    return Look();
  }
  switch (entered.error().sys_errno()) {
    case ENOENT:  // somebody else removed it, or made a file of it: seen in the next pass
    case ENOTDIR:
    case ELOOP:
      return {};
    case EXDEV:
      return Fail(Error::FromErrno(name, EBUSY));
    default:
      return Fail(entered.error());
  }
}

// The current directory was emptied: removes it from its parent.
Result<void> TreeRemover::FinishLevel() {
  if (levels_.size() == 1) {
    if (::unlinkat(place_.directory.get(), place_.name.c_str(), AT_REMOVEDIR) == 0 ||
        errno == ENOENT) {
      walk_.reset();
      return {};
    }
  } else {
    const std::string name = levels_.back().name;
    const int passes = levels_.back().passes;
    if (const Result<void> left = walk_->Leave(); !left) return Fail(left.error());
    levels_.pop_back();
    if (::unlinkat(walk_->current().get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
      return {};
    }
    if ((errno == ENOTEMPTY || errno == EEXIST) && passes < kMaxPasses) {
      if (const Result<void> entered = walk_->Enter(name); !entered) return Fail(entered.error());
      levels_.push_back({.name = name, .files = {}, .directories = {}, .passes = passes});
      return Look();
    }
    return Fail(Error::FromErrno(name));
  }
  if ((errno == ENOTEMPTY || errno == EEXIST) && levels_.back().passes < kMaxPasses) return Look();
  return Fail(Error::FromErrno(path_));
}

Result<bool> TreeRemover::Step(size_t max) {
  for (size_t done = 0; done < max && walk_; ++done) {
    Level& level = levels_.back();
    if (!level.files.empty()) {
      const std::string name = std::move(level.files.back());
      level.files.pop_back();
      TRY(RemoveFile(name));
    } else if (!level.directories.empty()) {
      TRY(EnterNext());
    } else {
      TRY(FinishLevel());
    }
  }
  return walk_.has_value();
}

}  // namespace cay::guest
