#include "archive/directory_ends.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "archive/extraction.h"
#include "archive/safe_path.h"

namespace cay::archive {
namespace {

constexpr size_t kMaxBytes = 64 << 20;
constexpr mode_t kOwner = 0700;

size_t CostOf(std::string_view path) { return path.size() + 2 * sizeof(DirectoryEnd); }

Result<void> ApplyOne(std::string_view path, const DirectoryEnd& end, const Result<Fd>& opened) {
  if (!opened) {
    // Replaced by a later member, or moved by what runs beside us: nothing of ours to set.
    const int why = opened.error().sys_errno();
    if (why == ENOENT || why == ENOTDIR || why == ELOOP || why == EACCES) return {};
    return Failure(opened.error());
  }
  if (end.mtime) {
    const timespec times[2] = {ToTimespec(*end.mtime), ToTimespec(*end.mtime)};
    ::futimens(opened->get(), times);  // a time the filesystem cannot hold is not worth an error
  }
  if (::fchmod(opened->get(), end.mode) == 0) return {};
  if (errno == EPERM) return {};  // somebody else's directory that was there before
  return Failure(Error::FromErrno("setting the mode of " + Printable(path)));
}

}  // namespace

bool IsBelow(std::string_view path, std::string_view directory) {
  return !directory.empty() && path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

std::string_view Below(std::string_view path, std::string_view directory) {
  return path.substr(directory.size() + 1);
}

Result<void> DirectoryEnds::Set(std::string_view path, DirectoryEnd end) {
  const auto [place, made] = ends_.try_emplace(std::string(path));
  place->second = end;
  if (!made) return {};
  bytes_ += CostOf(path);
  if (bytes_ <= kMaxBytes) return {};
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller, "archive: it has too many directories"));
}

void DirectoryEnds::Forget(std::string_view path) {
  const auto erase = [&](auto from, auto to) {
    for (auto at = from; at != to; ++at) bytes_ -= CostOf(at->first);
    ends_.erase(from, to);
  };
  const auto [first, last] = ends_.equal_range(path);
  erase(first, last);
  // '0' is the character after '/': all that begins with "PATH/", and not "PATH-x".
  erase(ends_.lower_bound(std::string(path) + "/"), ends_.lower_bound(std::string(path) + "0"));
}

// First those that stay open to their owner, each from the last one where it is below that; then
// the others backwards: a directory that loses its search bit would hide those below it.
Result<void> DirectoryEnds::Apply(const Fd& root) const {
  std::string_view last_path;
  std::optional<Fd> last;
  for (const auto& [path, end] : ends_) {
    if ((end.mode & kOwner) != kOwner) continue;
    const bool below = last && IsBelow(path, last_path);
    Result<Fd> opened = below ? OpenDirectoryBeneath(*last, Below(path, last_path), O_RDONLY)
                              : OpenDirectoryBeneath(root, path, O_RDONLY);
    TRY(ApplyOne(path, end, opened));
    if (!opened) continue;
    last = *std::move(opened);
    last_path = path;
  }
  for (auto at = ends_.rbegin(); at != ends_.rend(); ++at) {
    if ((at->second.mode & kOwner) == kOwner) continue;
    TRY(ApplyOne(at->first, at->second, OpenDirectoryBeneath(root, at->first, O_RDONLY)));
  }
  return {};
}

}  // namespace cay::archive
