#include "guest/files/file_writer.h"

#include <fcntl.h>
#include <sys/random.h>

#include <cstdio>

#include "archive/safe_path.h"
#include "base/sys.h"

namespace cay::guest {
namespace {

constexpr mode_t kDefaultMode = 0644;
constexpr mode_t kPermissionBits = 0777;

std::string RandomName() {
  uint64_t number = 0;
  // Without entropy (never on a running system) the name is taken from the address of the stack:
  // O_EXCL does not need it to be secret.
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
    number = reinterpret_cast<uintptr_t>(&number);
  }
  std::string name = ".cay-write-";
  for (int i = 0; i < 16; ++i, number >>= 4U) name += "0123456789abcdef"[number & 0xfU];
  return name;
}

}  // namespace

FileWriter::FileWriter(std::string path, FileView::Place place, std::string temporary, Fd file,
                       mode_t mode)
    : path_(std::move(path)),
      place_(std::move(place)),
      temporary_(std::move(temporary)),
      file_(std::move(file)),
      mode_(mode) {}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      place_(std::move(other.place_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      mode_(other.mode_) {}

FileWriter::~FileWriter() {
  if (!temporary_.empty()) ::unlinkat(place_.directory.get(), temporary_.c_str(), 0);
}

Result<FileWriter> FileWriter::Begin(const FileView& view, const std::string& path,
                                     const WriteOptions& options) {
  if (options.mode && (*options.mode & ~kPermissionBits) != 0) {
    return Failure(Error::Invalid("a file's mode has more than permission bits"));
  }
  FileView::Place place = TRY(view.OpenPlace(path, options.make_parents));
  struct stat old{};
  mode_t mode = options.mode.value_or(kDefaultMode);
  if (::fstatat(place.directory.get(), place.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(old.st_mode) && !S_ISLNK(old.st_mode)) {
      return Failure(Error::Invalid(archive::Printable(path) + " is " +
                                    std::string(KindName(old.st_mode)) + ", not a regular file"));
    }
    if (S_ISREG(old.st_mode) && !options.mode) mode = old.st_mode & kPermissionBits;
  } else if (errno != ENOENT) {
    return Failure(FileError(path, errno));
  }
  constexpr int kTries = 8;  // a name of 64 random bits is taken only if somebody makes fun of us
  for (int left = kTries; left > 0; --left) {
    std::string temporary = RandomName();
    Result<Fd> file = sys::OpenAt(place.directory.get(), temporary.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0600);
    if (file) {
      return FileWriter(path, std::move(place), std::move(temporary), *std::move(file), mode);
    }
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

Result<protocol::FileInfo> FileWriter::Finish() {
  if (::fchmod(file_.get(), mode_) < 0) return Failure(FileError(path_, errno));
  if (::renameat(place_.directory.get(), temporary_.c_str(), place_.directory.get(),
                 place_.name.c_str()) < 0) {
    return Failure(FileError(path_, errno));
  }
  temporary_.clear();
  return Describe(file_, "", path_);
}

}  // namespace cay::guest
