#include "engine/native/special_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>

#include "base/sys.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Listing = std::unique_ptr<DIR, DirCloser>;

Result<Fd> OpenBelow(const Fd& mount, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return sys::OpenAt2(mount.get(), path.c_str(), how);
}

unsigned char TypeOf(const dirent& entry, const Fd& place) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat info{};
  if (::fstat(place.get(), &info) < 0) return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

class Search {
 public:
  Search(const Fd& mount, const SpecialFileBounds& bounds)
      : mount_(mount), bounds_(bounds), until_(Clock::now() + bounds.time) {}

  Result<SpecialFiles> Run() {
    directories_.emplace_back(".");
    while (!directories_.empty() && files_.complete) {
      const std::string directory = std::move(directories_.back());
      directories_.pop_back();
      TRY(LookThrough(directory));
    }
    return std::move(files_);
  }

 private:
  // What cannot be opened (no right, gone, something mounted there) cannot be reached by that way.
  static std::optional<Listing> Open(Result<Fd> directory) {
    if (!directory) return std::nullopt;
    const int raw = (*std::move(directory)).Release();
    Listing listing(::fdopendir(raw));
    if (!listing) ::close(raw);
    return listing;
  }

  Result<void> LookThrough(const std::string& directory) {
    auto opened = OpenBelow(mount_, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (!opened && opened.error().sys_errno() == ENAMETOOLONG) files_.complete = false;
    const std::optional<Listing> listing = Open(std::move(opened));
    while (const dirent* entry = listing ? ::readdir(listing->get()) : nullptr) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++looked_at_ > bounds_.entries || Clock::now() > until_) {
        files_.complete = false;
        return {};
      }
      TRY(LookAt(directory == "." ? std::string(name) : directory + "/" + std::string(name),
                 *entry));
    }
    return {};
  }

  Result<void> LookAt(std::string path, const dirent& entry) {
    if (entry.d_type == DT_REG || entry.d_type == DT_LNK) return {};
    if (entry.d_type == DT_DIR) {
      directories_.push_back(std::move(path));
      return {};
    }
    auto place = OpenBelow(mount_, path, O_PATH);
    if (!place) return {};
    const unsigned char type = TypeOf(entry, *place);
    if (type == DT_DIR) directories_.push_back(std::move(path));
    if (type != DT_SOCK && type != DT_FIFO) return {};
    if (files_.places.size() == bounds_.found) {
      return Failure(Error::Invalid("it has more than " + std::to_string(bounds_.found) +
                                    " sockets and FIFOs, which are kept from a sandbox")
                         .WithRemedy("mount a directory without them"));
    }
    files_.places.push_back(*std::move(place));
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
