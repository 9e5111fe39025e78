#include "volume/store/volume_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "base/names/owned_name.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/sys.h"
#include "json/json_members.h"
#include "volume/disk/ext4_image.h"
#include "volume/volume_dir.h"

namespace cay::volume {
namespace {

constexpr size_t kMaxAboutBytes = 16 * kKiB;

Result<void> CheckVolumeName(const std::string& name) {
  if (IsShortName(name) || ParseOwnedName(name)) return {};
  return Failure(
      Error::Invalid("not a name for a volume: \"" + name.substr(0, 80) + "\"")
          .WithRemedy(
              "use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a letter or a digit"));
}

Error NoVolume(const std::string& name) {
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is no volume \"" + name + "\"");
}

std::string AboutText(const VolumeInfo& info) {
  boost::json::object about;
  about["name"] = info.name;
  about["owner"] = info.owner;
  about["size"] = info.size;
  about["created_unix_ms"] = info.created_unix_ms;
  return boost::json::serialize(about) + "\n";
}

std::string OwnerOf(const std::string& name) {
  const auto owned = ParseOwnedName(name);
  return owned ? owned->owner : std::string();
}

}  // namespace

std::string VolumeInfo::short_name() const {
  const auto owned = ParseOwnedName(name);
  return owned ? owned->name : name;
}

VolumeStore::VolumeStore(const Paths& paths, UserLister users)
    : directory_(paths.volumes_dir()), users_(std::move(users)) {}

std::string VolumeStore::DirectoryOf(std::string_view name) const {
  return directory_ + "/" + FileOfOwned(name);
}

Result<std::vector<VolumeUser>> VolumeStore::UsersOf(const std::string& directory) const {
  std::vector<VolumeUser> users = TRY(users_());
  std::erase_if(users,
                [&](const VolumeUser& user) { return !IsSameVolume(user.directory, directory); });
  return users;
}

Result<VolumeInfo> VolumeStore::Look(const std::string& name) const {
  const std::string path = DirectoryOf(name);
  struct stat image{};
  if (::lstat((path + "/" + kImageName).c_str(), &image) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Failure(NoVolume(name));
    return Failure(Error::FromErrno("looking at volume " + name));
  }
  VolumeInfo info{.name = name, .owner = OwnerOf(name)};
  // The image says how large it is, and its directory whose: what is written down could be lost.
  info.size = static_cast<Bytes>(image.st_size);
  info.used = static_cast<Bytes>(image.st_blocks) * 512;
  const auto text = ReadFile(path + "/" + kAboutName, kMaxAboutBytes);
  const auto about = text ? ParseObject(*text) : std::nullopt;
  info.created_unix_ms = about ? NumberOf(*about, "created_unix_ms").value_or(0) : 0;
  return info;
}

Result<VolumeInfo> VolumeStore::Get(const std::string& name) {
  TRY(CheckVolumeName(name));
  VolumeInfo info = TRY(Look(name));
  info.users = TRY(UsersOf(DirectoryOf(name)));
  return info;
}

Result<std::vector<VolumeInfo>> VolumeStore::List() {
  std::vector<VolumeInfo> all;
  auto listing = Listing::Open(directory_);
  if (!listing && listing.error().sys_errno() == ENOENT) return all;
  if (!listing) return Failure(std::move(listing).error());
  const std::vector<VolumeUser> users = TRY(users_());
  while (const dirent* entry = TRY(listing->Next())) {
    const auto name = NameOfOwnedFile(entry->d_name);
    if (!name) continue;
    auto info = Look(*name);
    if (!info && info.error().code() == ErrorCode::kNotFound) continue;  // removed meanwhile
    if (!info) return Failure(std::move(info).error());
    const std::string directory = DirectoryOf(*name);
    std::ranges::copy_if(users, std::back_inserter(info->users), [&](const VolumeUser& user) {
      return IsSameVolume(user.directory, directory);
    });
    all.push_back(*std::move(info));
  }
  std::ranges::sort(all, {}, &VolumeInfo::name);
  return all;
}

Result<void> VolumeStore::CheckNew(const std::string& name) const {
  TRY(CheckVolumeName(name));
  if (::access(DirectoryOf(name).c_str(), F_OK) != 0) return {};
  return Failure(
      Error(ErrorCode::kAlreadyExists, Fault::kCaller, "there is a volume " + name + " already"));
}

Result<VolumeInfo> VolumeStore::Publish(VolumeDraft draft, const std::string& name, Bytes size) {
  VolumeInfo info{.name = name, .owner = OwnerOf(name), .size = size, .created_unix_ms = UnixMs()};
  info.used = ImageUse(draft.lock());
  TRY(std::move(draft).Publish(directory_, FileOfOwned(name), AboutText(info)));
  return info;
}

Result<VolumeInfo> VolumeStore::Create(const std::string& name, Bytes size) {
  TRY(CheckNew(name));
  (void)CollectGarbage();
  VolumeDraft draft = TRY(VolumeDraft::Begin(directory_, size));
  return Publish(std::move(draft), name, size);
}

Error VolumeStore::WithUsers(Error error, const std::string& directory) const {
  if (error.code() != ErrorCode::kIllegalState) return error;
  const auto users = UsersOf(directory);
  if (!users || users->empty()) return error;
  std::string ids;
  for (const VolumeUser& user : *users) ids += (ids.empty() ? "" : ", ") + user.sandbox;
  return Error(ErrorCode::kIllegalState, Fault::kCaller,
               "volume " + NameOfDirectory(directory) + " is in use: sandbox " + ids + " has it")
      .WithRemedy("stop or destroy it first");
}

Result<void> VolumeStore::Remove(const std::string& name) {
  TRY(CheckVolumeName(name));
  const std::string path = DirectoryOf(name);
  const Fd lock = TRY(LockVolume(path));
  const std::vector<VolumeUser> users = TRY(UsersOf(path));
  if (!users.empty()) {
    return Failure(
        Error(ErrorCode::kIllegalState, Fault::kCaller,
              "volume " + name + " is in use: sandbox " + users.front().sandbox + " has it")
            .WithRemedy("destroy that sandbox first"));
  }
  // Nobody mounts it any more. One whose image is lost can be removed all the same.
  auto image = LockImage(lock, Use::kWrite, kLockPatience);
  if (!image && image.error().sys_errno() != ENOENT)
    return Failure(WithUsers(std::move(image).error(), path));
  std::string aside = directory_ + "/" + kRemovingPrefix + "XXXXXX";
  if (::mkdtemp(aside.data()) == nullptr) return Failure(Error::FromErrno("removing a volume"));
  if (::rename(path.c_str(), aside.c_str()) < 0) {
    const Error error = Error::FromErrno("removing volume " + name);
    ::rmdir(aside.c_str());
    return Failure(error);
  }
  return RemoveTreeAt(AT_FDCWD, aside);
}

Result<uint64_t> VolumeStore::CollectGarbage(bool dry_run) {
  auto listing = Listing::Open(directory_);
  if (!listing && listing.error().sys_errno() == ENOENT) return uint64_t{0};
  if (!listing) return Failure(std::move(listing).error());
  const std::string lock_path = directory_ + "/" + kStoreLock;
  const Fd lock =
      TRY(sys::OpenAt(AT_FDCWD, lock_path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW, 0600));
  // Somebody begins one at this moment, which takes no time.
  while (::flock(lock.get(), LOCK_EX) < 0)
    if (errno != EINTR) return Failure(Error::FromErrno("locking " + lock_path));
  uint64_t removed = 0;
  while (const dirent* entry = TRY(listing->Next())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kMakingPrefix) && !name.starts_with(kRemovingPrefix)) continue;
    const auto directory =
        sys::OpenAt(listing->fd(), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;  // gone meanwhile
    // Who makes it, or removes it, lives.
    if (::flock(directory->get(), LOCK_EX | LOCK_NB) < 0) continue;
    if (!dry_run) TRY(RemoveTreeAt(listing->fd(), entry->d_name));
    ++removed;
  }
  return removed;
}

}  // namespace cay::volume
