#include "template/export/layer_tar.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "archive/directory_walk.h"
#include "archive/extraction.h"
#include "archive/safe_path.h"
#include "archive/tar_writer.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

using archive::EntryType;
using archive::Printable;
using archive::TarEntry;

constexpr std::string_view kWhiteout = ".wh.";
constexpr const char* kOpaque = ".wh..wh..opq";
constexpr size_t kBufferBytes = 256 * kKiB;
constexpr size_t kMaxLinkBytes = 256 << 20;       // of names of files that have several
constexpr size_t kMaxXattrListBytes = 64 * kKiB;  // what the kernel gives (xattr(7))
constexpr size_t kMaxXattrBytes = 64 * kKiB;

Error CannotSay(const std::string& path, std::string_view why) {
  return {
      ErrorCode::kNotSupported, Fault::kCaller,
      "\"" + Printable(path) + "\" cannot be written into a layer's archive: " + std::string(why)};
}

Error TooMuch(const std::string& what) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller, "the layer has more than " + what};
}

// What overlayfs reads at a file or directory of the layer.
struct Marks {
  bool opaque = false;
  bool redirected = false;
  bool metacopy = false;
};

std::string OverlayPrefix(OverlayXattrs form) {
  return form == OverlayXattrs::kTrusted ? "trusted.overlay." : "user.overlay.";
}

class LayerTarWriter {
 public:
  LayerTarWriter(archive::ByteSink& sink, const LayerTarOptions& options)
      : writer_(sink), options_(options), buffer_(kBufferBytes) {}

  // Depth first, without recursion: each level of `pending` holds the subdirectories still to do.
  Result<void> Run(const Fd& root) {
    archive::DirectoryWalk walk(
        TRY(sys::OpenAt(root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        archive::Mounts::kStayOut);
    std::vector<std::vector<std::string>> pending;
    pending.push_back(TRY(WriteDirectory(walk.current(), "")));
    while (true) {
      if (pending.back().empty()) {
        pending.pop_back();
        if (pending.empty()) return writer_.Finish();
        TRY(walk.Leave());
        continue;
      }
      std::string child = std::move(pending.back().back());
      pending.back().pop_back();
      const std::string inner = walk.Path();
      const std::string path = inner.empty() ? child : inner + "/" + child;
      TRY(walk.Enter(std::move(child)));
      pending.push_back(TRY(WriteDirectory(walk.current(), path)));
    }
  }

 private:
  TarEntry EntryOf(const struct stat& info, EntryType type, std::string path) const {
    TarEntry entry;
    entry.type = type;
    entry.path = std::move(path);
    entry.mode = info.st_mode & 07777;
    entry.uid = options_.owned_by_root ? 0 : info.st_uid;
    entry.gid = options_.owned_by_root ? 0 : info.st_gid;
    entry.mtime = {.seconds = info.st_mtim.tv_sec,
                   .nanoseconds = static_cast<uint32_t>(info.st_mtim.tv_nsec)};
    return entry;
  }

  Result<void> Count() {
    if (++entries_ > options_.max_entries)
      return Failure(TooMuch(std::to_string(options_.max_entries) + " files"));
    return options_.on_progress ? options_.on_progress(bytes_) : Result<void>{};
  }

  Result<void> WriteHeader(const TarEntry& entry) {
    TRY(writer_.Begin(entry));
    TRY(writer_.End());
    return Count();
  }

  // It has no owner and no time: those of what it stands for are not known.
  Result<void> WriteMark(std::string path) {
    TarEntry entry;
    entry.path = std::move(path);
    return WriteHeader(entry);
  }

  // The directory's own entry and everything in it that is no directory. Gives the subdirectories.
  Result<std::vector<std::string>> WriteDirectory(const Fd& directory, const std::string& path) {
    struct stat info{};
    if (::fstat(directory.get(), &info) < 0)
      return Failure(Error::FromErrno("looking at " + Printable(path)));
    TarEntry entry = EntryOf(info, EntryType::kDirectory, path.empty() ? "./" : path + "/");
    const Marks marks = TRY(ReadXattrs(directory, path, entry));
    if (marks.redirected)
      return Failure(CannotSay(path, "it was renamed by a sandbox, and part of it lies elsewhere"));
    // The root of an ordinary user's layer is as that user made it, whatever the archive said.
    if (!path.empty() || !options_.owned_by_root) TRY(WriteHeader(entry));
    const std::string inside = path.empty() ? "" : path + "/";
    if (marks.opaque) TRY(WriteMark(inside + kOpaque));
    std::vector<std::string> names = TRY(archive::ReadNames(directory, options_.max_entries));
    std::ranges::sort(names);
    std::vector<std::string> subdirectories;
    for (std::string& name : names) {
      struct stat node{};
      const std::string child = inside + name;
      if (::fstatat(directory.get(), name.c_str(), &node, AT_SYMLINK_NOFOLLOW) < 0)
        return Failure(Error::FromErrno("looking at " + Printable(child)));
      if (IsWhiteout(node)) {
        TRY(WriteMark(inside + std::string(kWhiteout) + name));
        continue;
      }
      if (name.starts_with(kWhiteout))
        return Failure(CannotSay(child, "there its name says that a file is removed"));
      if (S_ISDIR(node.st_mode)) {
        subdirectories.push_back(std::move(name));
      } else {
        TRY(WriteNode(directory, name, child, node));
      }
    }
    // They are taken from the back.
    std::ranges::reverse(subdirectories);
    return subdirectories;
  }

  Result<void> WriteNode(const Fd& directory, const std::string& name, const std::string& path,
                         const struct stat& info) {
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
      return Failure(CannotSay(path, "it is a device, a FIFO or a socket"));
    if (info.st_nlink > 1) {
      const auto [first, is_first] = links_.try_emplace({info.st_dev, info.st_ino}, path);
      if (!is_first) {
        TarEntry entry = EntryOf(info, EntryType::kHardLink, path);
        entry.link_target = first->second;
        return WriteHeader(entry);
      }
      link_bytes_ += path.size() + 2 * sizeof(std::string) + 64;
      if (link_bytes_ > kMaxLinkBytes) return Failure(TooMuch("can be remembered of hardlinks"));
    }
    if (S_ISLNK(info.st_mode)) return WriteSymlink(directory, name, path, info);
    return WriteFile(directory, name, path, info);
  }

  Result<void> WriteSymlink(const Fd& directory, const std::string& name, const std::string& path,
                            const struct stat& info) {
    std::array<char, PATH_MAX> target;
    const ssize_t length =
        ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
    if (length < 0) return Failure(Error::FromErrno("reading " + Printable(path)));
    TarEntry entry = EntryOf(info, EntryType::kSymlink, path);
    entry.link_target.assign(target.data(), static_cast<size_t>(length));
    return WriteHeader(entry);
  }

  Result<void> WriteFile(const Fd& directory, const std::string& name, const std::string& path,
                         const struct stat& info) {
    const Fd file = TRY(sys::OpenAt(directory.get(), name.c_str(),
                                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    TarEntry entry = EntryOf(info, EntryType::kFile, path);
    entry.size = static_cast<uint64_t>(info.st_size);
    if (TRY(ReadXattrs(file, path, entry)).metacopy)
      return Failure(CannotSay(path, "its content lies in a layer below"));
    if (entry.size > options_.max_bytes - bytes_)
      return Failure(TooMuch(HumanBytes(options_.max_bytes)));
    TRY(writer_.Begin(entry));
    for (uint64_t left = entry.size; left > 0;) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size()));
      const ssize_t got = ::read(file.get(), buffer_.data(), want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading " + Printable(path)));
      if (got == 0) {
        return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                             "\"" + Printable(path) +
                                 "\" shrank while it was read: a layer was "
                                 "changed by somebody"));
      }
      TRY(writer_.WriteData({buffer_.data(), static_cast<size_t>(got)}));
      left -= static_cast<uint64_t>(got);
      const Bytes before = bytes_;
      bytes_ += static_cast<uint64_t>(got);
      if (before / kMiB != bytes_ / kMiB && options_.on_progress) TRY(options_.on_progress(bytes_));
    }
    TRY(writer_.End());
    return Count();
  }

  Result<Marks> ReadXattrs(const Fd& node, const std::string& path, TarEntry& entry) const {
    std::string list(kMaxXattrListBytes, '\0');
    const ssize_t length = ::flistxattr(node.get(), list.data(), list.size());
    if (length < 0 && errno == EOPNOTSUPP) return Marks{};
    if (length < 0) return Failure(Error::FromErrno("reading attributes of " + Printable(path)));
    const std::string overlay = OverlayPrefix(options_.xattrs);
    Marks marks;
    std::string_view names(list.data(), static_cast<size_t>(length));
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find('\0')));
      names.remove_prefix(std::min(name.size() + 1, names.size()));
      const bool is_overlays = name.starts_with(overlay);
      if (!is_overlays && !archive::MayKeepXattr(name)) continue;  // no layer has any of them
      std::string value(kMaxXattrBytes, '\0');
      const ssize_t got = ::fgetxattr(node.get(), name.c_str(), value.data(), value.size());
      if (got < 0) return Failure(Error::FromErrno("reading attributes of " + Printable(path)));
      value.resize(static_cast<size_t>(got));
      if (!is_overlays) {
        if (name.contains('=')) return Failure(CannotSay(path, "an attribute's name has a \"=\""));
        entry.xattrs.emplace_back(name, std::move(value));
        continue;
      }
      marks.opaque |= name == OpaqueName(options_.xattrs) && value == "y";
      marks.redirected |= name == RedirectName(options_.xattrs);
      marks.metacopy |= name == overlay + "metacopy";
    }
    std::ranges::sort(entry.xattrs);
    return marks;
  }

  archive::TarWriter writer_;
  const LayerTarOptions& options_;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  size_t link_bytes_ = 0;
  uint64_t entries_ = 0;
  Bytes bytes_ = 0;
};

}  // namespace

Result<void> WriteLayerTar(const Fd& root, archive::ByteSink& sink,
                           const LayerTarOptions& options) {
  return LayerTarWriter(sink, options).Run(root);
}

}  // namespace cay::templates
