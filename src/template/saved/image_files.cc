#include "template/saved/image_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "archive/safe_path.h"
#include "base/os/sys.h"
#include "template/oci/docker_archive.h"

namespace cay::templates {
namespace {

using archive::Printable;

Result<std::optional<FileRange>> FindBelow(const Fd& directory, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  auto opened = sys::OpenAt2(directory.get(), path.c_str(), how);
  if (!opened) {
    const int why = opened.error().sys_errno();
    if (why == ENOENT || why == ENOTDIR) return std::optional<FileRange>();
    if (why == ELOOP) {
      return Failure(
          Error::Invalid("the layout's \"" + Printable(path) + "\" is behind a symlink"));
    }
    return Failure(std::move(opened).error());
  }
  struct stat info{};
  if (::fstat(opened->get(), &info) < 0)
    return Failure(Error::FromErrno("looking at " + Printable(path)));
  if (!S_ISREG(info.st_mode)) {
    return Failure(Error::Invalid("the layout's \"" + Printable(path) + "\" is not a file"));
  }
  return std::optional(FileRange{.file = std::make_shared<const Fd>(*std::move(opened)),
                                 .offset = 0,
                                 .size = static_cast<Bytes>(info.st_size)});
}

bool IsThere(const Fd& directory, std::string_view name, mode_t type) {
  struct stat info{};
  return ::fstatat(directory.get(), std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         (info.st_mode & S_IFMT) == type;
}

}  // namespace

Result<bool> ImageFiles::IsLayout(const Fd& directory) {
  for (const std::string_view name : {"bin", "etc", "usr"}) {
    struct stat info{};
    if (::fstatat(directory.get(), std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
      return false;
  }
  return IsThere(directory, oci::kLayoutMark, S_IFREG) &&
         IsThere(directory, oci::kLayoutIndex, S_IFREG);
}

Result<std::optional<FileRange>> ImageFiles::Find(const std::string& path) const {
  if (directory_) return FindBelow(*directory_, path);
  const auto place = TRY(members_->Find(path));
  if (!place) return std::optional<FileRange>();
  return std::optional(FileRange{.file = archive_, .offset = place->offset, .size = place->size});
}

Result<FileRange> ImageFiles::Get(const std::string& path) const {
  auto found = TRY(Find(path));
  if (found) return *std::move(found);
  return Failure(Error::Invalid(std::string(directory_ ? "the layout" : "the archive") +
                                " has no \"" + Printable(path) + "\", which it speaks of"));
}

Result<std::string> ImageFiles::Read(const std::string& path, Bytes max) const {
  const FileRange range = TRY(Get(path));
  if (range.size > max) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "\"" + Printable(path) + "\" has " + HumanBytes(range.size) +
                             ", and may have " + HumanBytes(max)));
  }
  const auto source = range.Open();
  std::string bytes(static_cast<size_t>(range.size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const size_t got = TRY(source->Read(std::span(bytes).subspan(have)));
    if (got == 0) return Failure(Error::Invalid("\"" + Printable(path) + "\" is cut short"));
    have += got;
  }
  return bytes;
}

}  // namespace cay::templates
