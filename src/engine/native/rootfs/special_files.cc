#include "engine/native/rootfs/special_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "base/os/listing.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

Result<Fd> OpenBelow(const Fd& mount, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return sys::OpenAt2(mount.get(), path.c_str(), how);
}

Result<mode_t> TypeOf(const Fd& place) {
  struct stat info{};
  if (::fstat(place.get(), &info) < 0)
    return Failure(Error::FromErrno("looking at a mounted file"));
  return info.st_mode;
}

class Search {
 public:
  Search(const Fd& mount, const SpecialFileBounds& bounds)
      : mount_(mount), bounds_(bounds), until_(Clock::now() + bounds.time) {}

  Result<SpecialFiles> Run() {
    directories_.emplace_back(".");
    while (!directories_.empty()) {
      const std::string directory = std::move(directories_.back());
      directories_.pop_back();
      TRY(LookThrough(directory));
    }
    return std::move(files_);
  }

 private:
  Result<void> LookThrough(const std::string& directory) {
    auto opened = OpenBelow(mount_, directory, O_RDONLY | O_DIRECTORY);
    if (!opened) return NoteUnseen(directory, opened.error());
    Listing listing = TRY(Listing::Of(*std::move(opened)));
    while (const dirent* entry = TRY(listing.Next())) {
      if (++looked_at_ > bounds_.entries || Clock::now() > until_) {
        files_.complete = false;
        directories_.clear();
        return {};
      }
      const std::string name = entry->d_name;
      TRY(LookAt(directory == "." ? name : directory + "/" + name, entry->d_type));
    }
    return {};
  }

  Result<void> LookAt(std::string path, unsigned char listed_as) {
    if (listed_as == DT_REG || listed_as == DT_LNK) return {};
    if (listed_as == DT_DIR) {
      directories_.push_back(std::move(path));
      return {};
    }
    auto place = OpenBelow(mount_, path, O_PATH);
    if (!place) return NoteUnseen(path, place.error());
    const mode_t type = TRY(TypeOf(*place));
    if (S_ISDIR(type)) directories_.push_back(std::move(path));
    if (!S_ISSOCK(type) && !S_ISFIFO(type)) return {};
    if (files_.places.size() == bounds_.found) {
      return Failure(Error::Invalid("it has more than " + std::to_string(bounds_.found) +
                                    " sockets and FIFOs, which are kept from a sandbox")
                         .WithRemedy("mount a directory without them"));
    }
    files_.places.push_back(*std::move(place));
    return {};
  }

  // What cannot be opened and not be passed through cannot be reached by that way; what is mounted
  // there (EXDEV) is not looked for. Anything else may have been moved, and be reached by its name
  // all the same.
  Result<void> NoteUnseen(const std::string& path, const Error& error) {
    if (error.code() == ErrorCode::kResourceExhausted) return Failure(error);
    const bool shut = error.sys_errno() == EACCES && !OpenBelow(mount_, path + "/.", O_PATH);
    if (!shut && error.sys_errno() != EXDEV) files_.complete = false;
    return {};
  }

  const Fd& mount_;
  const SpecialFileBounds bounds_;
  const Clock::time_point until_;
  std::vector<std::string> directories_;  // at most bounds_.entries
  size_t looked_at_ = 0;
  SpecialFiles files_;
};

}  // namespace

Result<SpecialFiles> FindSpecialFiles(const Fd& mount, const SpecialFileBounds& bounds) {
  return Search(mount, bounds).Run();
}

}  // namespace cay::engine::native
