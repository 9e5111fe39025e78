#include "template/layers/written_layer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "archive/directory_walk.h"
#include "base/os/sys.h"
#include "template/layers/lower_chain.h"

namespace cay::templates {
namespace {

constexpr mode_t kDirectoryBits = 01777;
constexpr Bytes kProgressBytes = kMiB;
// Of the names by which further links of a file are found.
constexpr size_t kMaxLinkBytes = size_t{64} << 20;
constexpr size_t kMaxRedirect = 4096;

// What a node that is looked at again may have become meanwhile.
bool IsChange(const Error& error) {
  const int number = error.sys_errno();
  return number == ENOENT || number == ENOTDIR || number == ELOOP || number == ESTALE;
}
bool IsDenied(const Error& error) {
  return error.sys_errno() == EACCES || error.sys_errno() == EPERM;
}

class Copier {
 public:
  Copier(const Fd& upper, const Fd& root, const WrittenOptions& options)
      : options_(options), upper_(upper), root_(root) {
    rules_ = {.ownership = options.ownership,
              .max_file_bytes = options.max_bytes,
              .id_offset = options.id_offset,
              .add_content = [this](Bytes bytes) { return AddContent(bytes); }};
  }

  // Depth first, without recursion: each directory that is open holds what is still to do in it.
  Result<WrittenReport> Run() {
    from_.emplace(TRY(upper_.Duplicate()), archive::Mounts::kStayOut);
    to_.emplace(TRY(root_.Duplicate()), archive::Mounts::kStayOut);
    TRY(Begin());
    while (!open_.empty()) {
      if (open_.back().names.empty()) {
        TRY(End());
        continue;
      }
      const std::string name = std::move(open_.back().names.back());
      open_.back().names.pop_back();
      TRY(Copy(name));
    }
    return report_;
  }

 private:
  struct Directory {
    std::vector<std::string> names;
    struct stat info{};
  };

  Result<void> Progress() {
    return options_.on_progress ? options_.on_progress(report_) : Result<void>{};
  }

  Result<void> CountEntry() {
    if (++report_.entries <= options_.max_entries) return Progress();
    return Failure(
        Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "the sandbox wrote more than " + std::to_string(options_.max_entries) + " files"));
  }

  Result<void> AddContent(Bytes bytes) {
    if (bytes > options_.max_bytes - report_.bytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "the sandbox wrote more than " + HumanBytes(options_.max_bytes)));
    }
    const Bytes before = report_.bytes;
    report_.bytes += bytes;
    return before / kProgressBytes != report_.bytes / kProgressBytes ? Progress() : Result<void>{};
  }

  void Add(const CopyLoss& loss) {
    report_.loss.stripped_modes += loss.stripped_modes;
    report_.loss.dropped_xattrs += loss.dropped_xattrs;
    report_.loss.replaced_owners += loss.replaced_owners;
  }

  // Both walks are in a directory, which is empty on the side of the copy.
  Result<void> Begin() {
    const Fd& from = from_->current();
    Directory directory;
    if (::fstat(from.get(), &directory.info) < 0)
      return Failure(Error::FromErrno("looking at a directory that a sandbox wrote"));
    directory.names = TRY(archive::ReadNames(from, options_.max_entries));
    std::ranges::sort(directory.names, std::greater<>());  // taken from the back
    Add(TRY(CopyDirectory(from, directory.info, to_->current(), rules_)));
    if ((directory.info.st_mode & (S_ISUID | S_ISGID)) != 0) ++report_.loss.stripped_modes;
    TRY(CopyMarks(from, to_->current()));
    open_.push_back(std::move(directory));
    return {};
  }

  // Mode and time come last: until then it must be writable.
  Result<void> End() {
    const struct stat& info = open_.back().info;
    const Fd& to = to_->current();
    if (::fchmod(to.get(), info.st_mode & kDirectoryBits) < 0)
      return Failure(Error::FromErrno("setting the mode of a copied directory"));
    const timespec times[2] = {info.st_atim, info.st_mtim};
    ::futimens(to.get(), times);  // a time the filesystem cannot hold is not worth an error
    open_.pop_back();
    if (open_.empty()) return {};
    if (auto left = from_->Leave(); !left) {
      return Failure(
          std::move(left).error().WithContext("copying a tree that the sandbox is moving"));
    }
    return to_->Leave();
  }

  // Opaque, and what a renamed directory was called (overlayfs.rst, "redirect_dir").
  Result<void> CopyMarks(const Fd& from, const Fd& to) {
    const auto copy = [&](const char* name) -> Result<bool> {
      std::array<char, kMaxRedirect> value{};
      const ssize_t length = ::fgetxattr(from.get(), name, value.data(), value.size());
      if (length < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) return false;
      if (length < 0 ||
          ::fsetxattr(to.get(), name, value.data(), static_cast<size_t>(length), 0) < 0)
        return Failure(Error::FromErrno("copying a mark of a directory that a sandbox wrote"));
      return true;
    };
    if (TRY(copy(OpaqueName(options_.xattrs)))) ++report_.opaque_directories;
    if (TRY(copy(RedirectName(options_.xattrs)))) ++report_.redirects;
    return {};
  }

  Result<void> Copy(const std::string& name) {
    const Fd& from = from_->current();
    auto node = sys::OpenAt(from.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (!node && IsChange(node.error())) return Note(report_.changed_meanwhile);
    if (!node) return Failure(std::move(node).error());
    struct stat info{};
    if (::fstat(node->get(), &info) < 0)
      return Failure(Error::FromErrno("looking at a file that a sandbox wrote"));
    TRY(CountEntry());
    if (S_ISDIR(info.st_mode)) return Enter(name);
    if (IsWhiteout(info)) {
      ++report_.whiteouts;
      return sys::MknodAt(to_->current().get(), name.c_str(), S_IFCHR, 0);
    }
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) return Note(report_.skipped_special);
    return CopyLeaf(*node, info, name);
  }

  static Result<void> Note(uint64_t& counter) {
    ++counter;
    return {};
  }

  Result<void> Enter(const std::string& name) {
    if (auto entered = from_->Enter(name); !entered) {
      if (IsChange(entered.error())) return Note(report_.changed_meanwhile);
      if (IsDenied(entered.error())) return Note(report_.skipped_unreadable);
      return entered;
    }
    TRY(sys::MkdirAt(to_->current().get(), name.c_str(), 0700));
    TRY(to_->Enter(name));
    return Begin();
  }

  Result<void> CopyLeaf(const Fd& node, const struct stat& info, const std::string& name) {
    const Fd& parent = to_->current();
    if (info.st_nlink > 1 && TRY(Link(info, name))) return {};
    auto copied = CopyNode(node, info, parent, name, rules_);
    if (!copied && IsDenied(copied.error())) return Note(report_.skipped_unreadable);
    Add(TRY(std::move(copied)));
    return {};
  }

  // One more name of a file that was copied. False: it is the first, or one whose first name could
  // not be kept, and is copied.
  Result<bool> Link(const struct stat& info, const std::string& name) {
    const std::pair<dev_t, ino_t> key(info.st_dev, info.st_ino);
    const auto found = links_.find(key);
    if (found != links_.end()) {
      if (::linkat(root_.get(), found->second.c_str(), to_->current().get(), name.c_str(), 0) == 0)
        return true;
      return Failure(Error::FromErrno("linking a file that a sandbox wrote"));
    }
    const std::string path = to_->Path().empty() ? name : to_->Path() + "/" + name;
    const size_t bytes = path.size() + sizeof(std::string) + sizeof key;
    if (path.size() >= PATH_MAX || bytes > kMaxLinkBytes - link_bytes_) return false;
    link_bytes_ += bytes;
    links_.emplace(key, path);
    return false;
  }

  const WrittenOptions& options_;
  const Fd& upper_;
  const Fd& root_;
  CopyRules rules_;
  std::optional<archive::DirectoryWalk> from_;
  std::optional<archive::DirectoryWalk> to_;
  std::vector<Directory> open_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  size_t link_bytes_ = 0;
  WrittenReport report_;
};

}  // namespace

Result<WrittenReport> CopyWritten(const Fd& upper, const Fd& root, const WrittenOptions& options) {
  return Copier(upper, root, options).Run();
}

}  // namespace cay::templates
