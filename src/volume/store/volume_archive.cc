// Volumes as archives, which is how they are kept elsewhere.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "archive/compression.h"
#include "base/os/sys.h"
#include "volume/disk/ext4_image.h"
#include "volume/store/volume_store.h"
#include "volume/volume_dir.h"

namespace cay::volume {
namespace {

// More than a volume has inodes: one for each 16 KiB.
constexpr uint64_t kMaxEntries = kMaxVolume / (16 * kKiB);

// For one that has just been stopped.
constexpr Millis kWriterPatience{1000};

Result<void> CheckCanMount() {
  const std::string why_not = WhyNoImages();
  if (why_not.empty()) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "volumes cannot be mounted here: " + why_not));
}

Error WhyItDoesNotFit(Error error, Bytes size) {
  const bool too_much = error.code() == ErrorCode::kLimitTooHigh;
  const bool full = error.code() == ErrorCode::kResourceExhausted && error.sys_errno() == ENOSPC;
  if (!too_much && !full) return error;
  return Error(ErrorCode::kResourceExhausted, Fault::kCaller,
               "what the archive has does not fit into a volume of " + FormatBytes(size))
      .WithRemedy("ask for a larger one");
}

Result<archive::UnpackReport> UnpackInto(const std::string& path, Bytes size,
                                         archive::ByteSource& source) {
  const Fd mount = TRY(MountVolume(path, Use::kWrite));
  const auto plain = TRY(archive::Decompress(source));
  archive::UnpackOptions options;
  options.max_entries = kMaxEntries;
  options.max_bytes = size;
  options.max_file_bytes = kMaxVolume;
  options.ownership = archive::Ownership::kArchive;
  options.keep_sticky_directories = true;
  auto report = archive::Unpack(*plain, mount, options);
  if (!report) return Failure(WhyItDoesNotFit(std::move(report).error(), size));
  const Fd top = TRY(sys::OpenAt(mount.get(), ".", O_RDONLY | O_DIRECTORY));
  if (::syncfs(top.get()) < 0) return Failure(Error::FromErrno("writing a volume"));
  return report;
}

}  // namespace

Result<archive::PackReport> VolumeStore::Export(const std::string& name, archive::ByteSink& sink) {
  const VolumeInfo info = TRY(Get(name));
  TRY(CheckCanMount());
  const std::string path = DirectoryOf(info.name);
  // A sandbox that has it to write need not run; one that does is not waited for.
  const bool has_writer = !std::ranges::all_of(info.users, &VolumeUser::read_only);
  auto mount = MountVolume(path, Use::kRead, has_writer ? kWriterPatience : kLockPatience);
  if (!mount) return Failure(WithUsers(std::move(mount).error(), path));
  archive::PackOptions options;
  options.max_entries = kMaxEntries;
  options.max_bytes = kMaxVolume;
  return archive::Pack(*mount, ".", ".", sink, options);
}

Result<VolumeStore::Imported> VolumeStore::Import(const std::string& name, Bytes size,
                                                  archive::ByteSource& source) {
  TRY(CheckNew(name));
  TRY(CheckCanMount());
  (void)CollectGarbage();
  VolumeDraft draft = TRY(VolumeDraft::Begin(directory_, size));
  const archive::UnpackReport report = TRY(UnpackInto(draft.path(), size, source));
  // Until it is unmounted, and so whole.
  TRY(LockImage(draft.lock(), Use::kWrite, kLockPatience));
  VolumeInfo info = TRY(Publish(std::move(draft), name, size));
  return Imported{.info = std::move(info), .report = report};
}

}  // namespace cay::volume
