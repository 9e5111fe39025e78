#include "guest/files/file_writer.h"

#include <fcntl.h>

#include <cstdio>
#include <utility>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::guest {
namespace {

constexpr mode_t kDefaultMode = 0644;
constexpr mode_t kPermissionBits = 0777;

}  // namespace

FileWriter::FileWriter(Temporaries& temporaries, std::string path, FileView::Place place,
                       std::string temporary, Fd file, mode_t mode)
    : temporaries_(&temporaries),
      path_(std::move(path)),
      place_(std::move(place)),
      temporary_(std::move(temporary)),
      file_(std::move(file)),
      mode_(mode) {}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : temporaries_(other.temporaries_),
      path_(std::move(other.path_)),
      place_(std::move(other.place_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      mode_(other.mode_) {}

FileWriter::~FileWriter() {
  if (temporary_.empty()) return;
  ::unlinkat(place_.directory.get(), temporary_.c_str(), 0);
  temporaries_->End(temporary_, Temporaries::Fate::kRemoved);
}

Result<FileWriter> FileWriter::Begin(const FileView& view, const std::string& path,
                                     const WriteOptions& options) {
  if (options.mode && (*options.mode & ~kPermissionBits) != 0) {
    return Failure(Error::Invalid("a file's mode has more than permission bits"));
  }
  FileView::Place place = TRY(view.OpenPlaceToWrite(path, options.make_parents));
  struct stat old{};
  mode_t mode = options.mode.value_or(kDefaultMode);
  if (::fstatat(place.directory.get(), place.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(old.st_mode)) {
      return Failure(Error::Impossible(archive::Printable(path) + " is " +
                                       std::string(KindName(old.st_mode)) +
                                       ", not a regular file"));
    }
    if (!options.mode) mode = old.st_mode & kPermissionBits;
  } else if (errno != ENOENT) {
    return Failure(FileError(path, errno));
  }
  constexpr int kTries = 8;  // a name of 64 random bits is taken only if somebody makes fun of us
  for (int left = kTries; left > 0; --left) {
    std::string temporary = view.temporaries().Take();
    Result<Fd> file = sys::OpenAt(place.directory.get(), temporary.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0600);
    if (file) {
      return FileWriter(view.temporaries(), path, std::move(place), std::move(temporary),
                        *std::move(file), mode);
    }
    view.temporaries().End(temporary, Temporaries::Fate::kRemoved);
    if (file.error().sys_errno() != EEXIST) {
      return Failure(FileError(path, file.error().sys_errno()));
    }
  }
  return Failure(FileError(path, EEXIST));
}

Result<void> FileWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failure(FileError(path_, errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<Temporaries::Fate> FileWriter::TakePlace() {
  const int directory = place_.directory.get();
  const char* const name = place_.name.c_str();
  if (::renameat2(directory, temporary_.c_str(), directory, name, RENAME_NOREPLACE) == 0) {
    return Temporaries::Fate::kCreated;
  }
  if (errno != EEXIST && errno != EINVAL) return Failure(FileError(path_, errno));
  struct stat old{};  // EINVAL: a filesystem that does not know the flag
  const bool replaces = ::fstatat(directory, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (::renameat(directory, temporary_.c_str(), directory, name) < 0) {
    return Failure(FileError(path_, errno));
  }
  return replaces ? Temporaries::Fate::kReplaced : Temporaries::Fate::kCreated;
}

Result<protocol::FileInfo> FileWriter::Finish() {
  if (::fchmod(file_.get(), mode_) < 0) return Failure(FileError(path_, errno));
  const Temporaries::Fate fate = TRY(TakePlace());
  temporaries_->End(std::exchange(temporary_, {}), fate);
  return Describe(file_, "", path_);
}

}  // namespace cay::guest
