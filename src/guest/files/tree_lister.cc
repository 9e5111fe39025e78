#include "guest/files/tree_lister.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::guest {
namespace {

bool IsProc(const Fd& directory) {
  struct statfs info{};
  return ::fstatfs(directory.get(), &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

TreeLister::TreeLister(const Temporaries& temporaries, Fd top, const ListOptions& options)
    : temporaries_(&temporaries),
      walk_(std::move(top), archive::Mounts::kEnter),
      options_(options) {}

Result<TreeLister> TreeLister::Open(const FileView& view, const std::string& path,
                                    const ListOptions& options) {
  TreeLister lister(view.temporaries(), TRY(view.OpenDirectory(path)), options);
  TRY(lister.BeginDirectory());
  return lister;
}

Result<void> TreeLister::BeginDirectory() {
  Fd own = TRY(sys::OpenAt(walk_.current().get(), ".", O_RDONLY | O_DIRECTORY));
  listing_.reset(::fdopendir(own.get()));
  if (!listing_) return Failure(Error::FromErrno("listing a directory"));
  static_cast<void>(std::move(own).Release());  // closedir closes it
  prefix_ = walk_.Path();
  if (!prefix_.empty()) prefix_ += '/';
  pending_.emplace_back();
  return {};
}

Result<bool> TreeLister::NextDirectory() {
  while (!pending_.empty()) {
    if (pending_.back().empty()) {
      pending_.pop_back();
      if (pending_.empty()) break;
      // The parent may have been moved away meanwhile; what is left of it cannot be named then.
      if (!walk_.Leave()) pending_.back().clear();
      continue;
    }
    std::string child = std::move(pending_.back().back());
    pending_.back().pop_back();
    if (!walk_.Enter(std::move(child))) continue;
    if (IsProc(walk_.current()) || !BeginDirectory()) {
      pending_.emplace_back();
      continue;
    }
    return true;
  }
  if (too_long_) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the tree is so deep that some paths are longer than " +
                             std::to_string(protocol::kMaxPathBytes) + " bytes")
                       .WithRemedy("list a directory further down"));
  }
  return false;
}

Result<void> TreeLister::Add(const dirent& entry, std::vector<protocol::FileInfo>& entries) {
  const std::string name = entry.d_name;
  if (name == "." || name == ".." || temporaries_->IsLive(name)) return {};
  std::string path = prefix_ + name;
  if (path.size() > protocol::kMaxPathBytes) {
    too_long_ = true;
    return {};
  }
  if (entries_ >= options_.max_entries) {
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "there are more than " + std::to_string(options_.max_entries) + " entries"));
  }
  Result<protocol::FileInfo> info = Describe(walk_.current(), name, path);
  if (!info) {
    const int why = info.error().sys_errno();
    if (why == ENOENT || why == ESTALE) return {};
    return Failure(std::move(info).error());
  }
  ++entries_;
  if (info->kind == protocol::FileKind::kDirectory && pending_.size() < options_.depth) {
    pending_.back().push_back(name);
  }
  entries.push_back(*std::move(info));
  return {};
}

Result<bool> TreeLister::Next(size_t max, std::vector<protocol::FileInfo>& entries) {
  const size_t wanted = entries.size() + max;
  while (!done_ && entries.size() < wanted) {
    errno = 0;
    const dirent* const entry = ::readdir(listing_.get());
    if (entry != nullptr) {
      TRY(Add(*entry, entries));
    } else if (errno != 0 && errno != ENOENT) {  // ENOENT: the directory was removed
      return Failure(Error::FromErrno("listing a directory"));
    } else {
      listing_.reset();
      done_ = !TRY(NextDirectory());
      break;  // one directory a call, so that empty ones do not keep the caller
    }
  }
  return !done_;
}

}  // namespace cay::guest
