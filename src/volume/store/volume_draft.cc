#include "volume/store/volume_draft.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <utility>

#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "volume/volume_dir.h"

namespace cay::volume {
namespace {

Result<void> SyncDirectory(const std::string& path) {
  const Fd directory = TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) < 0) return Failure(Error::FromErrno("writing " + path));
  return {};
}

}  // namespace

// The store's lock is held until the draft has its own: who collects garbage takes it alone.
Result<VolumeDraft> VolumeDraft::Begin(const std::string& volumes_dir, Bytes size) {
  TRY(CheckVolumeSize(size));
  TRY(MakeDirectories(volumes_dir, 0700));
  const std::string lock_path = volumes_dir + "/" + kStoreLock;
  std::optional<Fd> store =
      TRY(sys::OpenAt(AT_FDCWD, lock_path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW, 0600));
  while (::flock(store->get(), LOCK_SH) < 0)
    if (errno != EINTR) return Failure(Error::FromErrno("locking " + lock_path));
  std::string path = volumes_dir + "/" + kMakingPrefix + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return Failure(Error::FromErrno("making " + path));
  auto lock = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!lock) {
    ::rmdir(path.c_str());
    return Failure(std::move(lock).error());
  }
  VolumeDraft draft(path, *std::move(lock));
  if (::flock(draft.lock_.get(), LOCK_EX | LOCK_NB) < 0)
    return Failure(Error::FromErrno("locking " + path));
  store.reset();
  TRY(MakeImage(path, size));
  return draft;
}

VolumeDraft::VolumeDraft(VolumeDraft&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

VolumeDraft::~VolumeDraft() {
  if (path_.empty()) return;
  if (const auto removed = RemoveTreeAt(AT_FDCWD, path_); !removed)
    LogWarning("removing " + path_ + ": " + removed.error().message());
}

Result<void> VolumeDraft::Publish(const std::string& volumes_dir, const std::string& file,
                                  const std::string& about) && {
  TRY(WriteFileAtomic(path_ + "/" + kAboutName, about, 0600, true));
  TRY(SyncDirectory(path_));
  const std::string path = volumes_dir + "/" + file;
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) < 0) {
    if (errno != EEXIST) return Failure(Error::FromErrno("naming a volume"));
    return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                         "there is a volume " + NameOfDirectory(path) + " already"));
  }
  path_.clear();
  return SyncDirectory(volumes_dir);
}

}  // namespace cay::volume
