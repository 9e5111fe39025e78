#include "template/layers/layer_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "archive/directory_ends.h"
#include "archive/extraction.h"
#include "archive/safe_path.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "template/layers/copy_up.h"
#include "template/layers/layer_marks.h"
#include "template/layers/lower_chain.h"
#include "template/layers/merged_view.h"
#include "template/layers/upper_directories.h"

namespace cay::templates {
namespace {

using archive::EntryType;
using archive::Refused;
using archive::SplitLast;
using archive::TarEntry;

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kReserved = ".wh..wh.";  // names that aufs keeps for itself
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr size_t kMaxCopiesBytes = 64 << 20;
constexpr size_t kMaxOpenDescriptors = 128;

// Some writers begin names, and targets of hardlinks, with "/": it is the image's root.
Result<std::string> NormalizeLayerPath(std::string_view path) {
  const size_t first = path.find_first_not_of('/');
  if (!path.empty() && first == std::string_view::npos) return std::string();
  return archive::NormalizeEntryPath(path.empty() ? path : path.substr(first));
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Which files of layers below were copied for hardlinks to them, and where the copies lie. A later
// member may replace a copy; its inode's number does not tell, since it is given away anew.
class Copies {
 public:
  Result<void> Add(const std::string& target, const std::string& copy) {
    bytes_ += 2 * (target.size() + copy.size()) + 8 * sizeof(std::string);
    if (bytes_ > kMaxCopiesBytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "layer: it links to too many files of layers below"));
    }
    by_target_.insert_or_assign(target, copy);
    by_copy_.insert_or_assign(copy, target);
    return {};
  }

  const std::string* Of(const std::string& target) const {
    const auto found = by_target_.find(target);
    return found == by_target_.end() ? nullptr : &found->second;
  }

  // What is at that path, and below it, is gone.
  void Replaced(const std::string& path) {
    Erase(by_copy_.lower_bound(path), by_copy_.upper_bound(path));
    // '0' is the character after '/'.
    Erase(by_copy_.lower_bound(path + "/"), by_copy_.lower_bound(path + "0"));
  }

  const std::map<std::string, std::string>& all() const { return by_target_; }

 private:
  using Map = std::map<std::string, std::string>;

  void Erase(Map::iterator from, Map::iterator to) {
    for (auto at = from; at != to; ++at) by_target_.erase(at->second);
    by_copy_.erase(from, to);
  }

  Map by_target_;
  Map by_copy_;
  size_t bytes_ = 0;
};

class LayerWriter {
 public:
  LayerWriter(archive::ByteSource& tar, LowerChain chain, const Fd& root,
              const archive::UnpackOptions& options, OverlayXattrs xattrs)
      : extraction_(tar, options),
        chain_(std::move(chain)),
        view_(root, chain_, hidden_),
        directories_(view_, ends_, options.ownership),
        root_(root),
        options_(options),
        xattrs_(xattrs) {}

  Result<LayerReport> Run() {
    TRY(directories_.Begin());
    while (std::optional<TarEntry> entry = TRY(extraction_.Next())) {
      chain_.AllowEntry();
      TRY(Write(*entry));
      TRY(extraction_.Progress());
    }
    parent_.reset();
    TRY(LinkCopies());
    const MarkCounts marks =
        TRY(LayerMarks(view_, chain_, directories_, xattrs_).Write(hidden_, options_.max_entries));
    TRY(ends_.Apply(root_));
    report_.whiteouts = marks.whiteouts;
    report_.opaque_directories = marks.opaque_directories;
    report_.unpacked = extraction_.report();
    return report_;
  }

 private:
  struct Open {
    std::string name;  // as the archive says it
    Position at;
  };

  Result<void> Write(TarEntry& entry) {
    const std::string path = TRY(NormalizeLayerPath(entry.path));
    if (path.empty()) return WriteRoot(entry);
    const auto [parent, name_view] = SplitLast(path);
    const std::string name(name_view);
    if (("/" + std::string(parent)).find("/.wh.") != std::string::npos ||
        (name.starts_with(kReserved) && name != kOpaque)) {
      ++extraction_.report().skipped_whiteouts;
      return {};
    }
    if (name.starts_with(kWhiteout)) return Hide(entry, parent, name);
    CountCapabilities(entry);
    TRY(EnterParent(parent));
    if (archive::IsSpecial(entry.type)) return SkipSpecial(entry, name);
    switch (entry.type) {
      case EntryType::kDirectory:
        return WriteDirectory(entry, name);
      case EntryType::kHardLink:
        return WriteHardLink(entry, name);
      case EntryType::kSymlink:
        TRY(MakeWay(name));
        ForgetIfLinked();
        return extraction_.WriteSymlink(entry, *parent_->upper, name);
      default:
        TRY(MakeWay(name));
        return extraction_.WriteFile(entry, *parent_->upper, name);
    }
  }

  void CountCapabilities(const TarEntry& entry) {
    for (const auto& [name, value] : entry.xattrs) {
      if (name == "security.capability") ++report_.dropped_capabilities;
    }
  }

  Result<void> WriteRoot(const TarEntry& entry) {
    if (entry.type != EntryType::kDirectory) {
      return Failure(Refused(entry, "is the root itself, but the archive says otherwise"));
    }
    // Whoever is not root must still be able to add to the layer; and a sandbox's root directory is
    // that of its writable layer.
    if (options_.ownership != archive::Ownership::kArchive) return {};
    const Fd root = TRY(OpenForChange(root_, "."));
    return TakeDirectory(entry, root, {});
  }

  Result<void> TakeDirectory(const TarEntry& entry, const Fd& made, const std::string& path) {
    TRY(RemoveUserXattrs(made));
    TRY(extraction_.SetOwnerAndXattrs(entry, made));
    return ends_.Set(path, {.mode = extraction_.AllowedMode(entry), .mtime = entry.mtime});
  }

  // Whiteouts are remembered, and made at the end: they stand for the layers below alone, and a
  // later member of this layer may still be of that name.
  Result<void> Hide(const TarEntry& entry, std::string_view parent, const std::string& name) {
    const std::string target = name.substr(kWhiteout.size());
    if (target.empty() || target == "." || target == "..") {
      return Failure(Refused(entry, "removes a name that is none"));
    }
    const Result<Position> at = Resolve(parent);
    // Some writers say of a directory that became a file what was in it, too.
    if (!at && at.error().sys_errno() == ENOTDIR) return {};
    if (!at) return Failure(at.error());
    Forget();
    if (name == kOpaque) return hidden_.Empty(at->path);
    return hidden_.Remove(Join(at->path, target));
  }

  // It is not made, but what it replaces is gone.
  Result<void> SkipSpecial(const TarEntry& entry, const std::string& name) {
    archive::UnpackReport& report = extraction_.report();
    ++(archive::IsWhiteoutDevice(entry) ? report.skipped_whiteouts : report.skipped_special);
    TRY(MakeWay(name));
    const std::string path = Join(parent_->path, name);
    Forget();
    return hidden_.Remove(path);
  }

  // From the parent that the last members had and that is nearest above: most archives go through
  // their directories in order.
  Result<Position> Resolve(std::string_view parent) {
    while (!open_.empty() && parent != open_.back().name &&
           !archive::IsBelow(parent, open_.back().name)) {
      Close(open_.size() - 1);
    }
    if (open_.empty()) return view_.Resolve(TRY(view_.Root()), parent);
    const Open& nearest = open_.back();
    if (parent == nearest.name) return nearest.at;
    return view_.Resolve(nearest.at, archive::Below(parent, nearest.name));
  }

  Result<void> EnterParent(std::string_view parent) {
    if (!open_.empty() && parent == open_.back().name) {
      parent_ = open_.back().at;
      return {};
    }
    Position at = TRY(Resolve(parent));
    parent_ = TRY(directories_.Make(std::move(at)));
    parent_name_ = parent;
    if (parent.empty()) return {};
    open_descriptors_ += 1 + parent_->lower.size();
    open_.push_back({.name = parent_name_, .at = *parent_});
    while (open_descriptors_ > kMaxOpenDescriptors && open_.size() > 1) Close(0);
    return {};
  }

  void Close(size_t index) {
    open_descriptors_ -= 1 + open_[index].at.lower.size();
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(index));
  }

  // What names mean may be another thing from now on. The directory of this member stays open.
  void Forget() {
    open_.clear();
    open_descriptors_ = 0;
  }

  // The same after a change in the directory of this member: the directory itself stays what it is
  // unless a symlink led to it.
  void ForgetIfLinked() {
    if (parent_->path != parent_name_) Forget();
  }

  // Removes what this layer has of that name. A directory comes with all that is in it.
  Result<void> MakeWay(const std::string& name) {
    const Fd& parent = *parent_->upper;
    const bool file = ::unlinkat(parent.get(), name.c_str(), 0) == 0;
    if (!file && errno == ENOENT) return {};
    const std::string path = Join(parent_->path, name);
    ForgetIfLinked();
    copies_.Replaced(path);
    if (file) return {};
    ends_.Forget(path);
    return RemoveTreeAt(parent.get(), name);
  }

  Result<void> WriteDirectory(const TarEntry& entry, const std::string& name) {
    const Fd& parent = *parent_->upper;
    const std::string path = Join(parent_->path, name);
    struct stat own{};
    const bool there = ::fstatat(parent.get(), name.c_str(), &own, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT) {
      return Failure(Error::FromErrno("looking at " + archive::Printable(entry.path)));
    }
    if (there && !S_ISDIR(own.st_mode)) {
      // What it replaces had replaced what the layers below have: nothing merges.
      TRY(MakeWay(name));
      TRY(hidden_.Empty(path));
    }
    if (!there || !S_ISDIR(own.st_mode)) {
      TRY(sys::MkdirAt(parent.get(), name.c_str(), 0700));
      ForgetIfLinked();
    }
    const Fd made = TRY(OpenForChange(parent, name));
    return TakeDirectory(entry, made, path);
  }

  Result<void> WriteHardLink(const TarEntry& entry, const std::string& name) {
    const std::string target = TRY(NormalizeLayerPath(entry.link_target));
    if (target.empty()) return Failure(Refused(entry, "is a hardlink to a directory"));
    const std::string target_name(SplitLast(target).name);
    Position from = TRY(view_.Resolve(TRY(view_.Root()), SplitLast(target).parent));
    Found found = TRY(view_.Look(from, target_name));
    if (found.kind != Found::Kind::kFile && found.kind != Found::Kind::kSymlink) {
      const bool nothing = found.kind == Found::Kind::kNothing;
      return Failure(Refused(entry, "is a hardlink to \"" + archive::Printable(target) +
                                        (nothing ? "\", which is not there"
                                                 : "\", which is not a file or a symlink")));
    }
    const std::string path = Join(parent_->path, name);
    if (path == Join(from.path, target_name)) return {};  // a link to itself
    if (found.in_upper) return Link(entry, *from.upper, target_name, found.info, name);
    return LinkToBelow(entry, found, Join(from.path, target_name), name);
  }

  Result<void> Link(const TarEntry& entry, const Fd& from, const std::string& from_name,
                    const struct stat& info, const std::string& name) {
    struct stat own{};
    if (::fstatat(parent_->upper->get(), name.c_str(), &own, AT_SYMLINK_NOFOLLOW) == 0 &&
        SameFile(own, info)) {
      return {};  // there from before: unlinking first could lose the file
    }
    TRY(MakeWay(name));
    if (::linkat(from.get(), from_name.c_str(), parent_->upper->get(), name.c_str(), 0) == 0) {
      return {};
    }
    if (errno == ENOENT) {
      return Failure(Refused(entry, "is a hardlink to what it replaces"));
    }
    return Failure(Error::FromErrno("linking " + archive::Printable(entry.path)));
  }

  // The target's own name gets the copy at the end (LinkCopies), unless it is removed until then.
  Result<void> LinkToBelow(const TarEntry& entry, const Found& found, const std::string& target,
                           const std::string& name) {
    if (const std::string* const copy = copies_.Of(target)) {
      const auto [parent_path, copy_name_view] = SplitLast(*copy);
      const std::string copy_name(copy_name_view);
      const Fd parent = TRY(archive::OpenDirectoryBeneath(root_, parent_path, O_PATH));
      struct stat info{};
      if (::fstatat(parent.get(), copy_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return Failure(Error::FromErrno("looking at a copy of " + archive::Printable(target)));
      }
      return Link(entry, parent, copy_name, info, name);
    }
    TRY(MakeWay(name));
    const CopyRules rules{
        .ownership = options_.ownership,
        .max_file_bytes = options_.max_file_bytes,
        .add_content = [this](Bytes bytes) { return extraction_.AddContent(bytes); }};
    // What is in a layer already has nothing to lose.
    (void)TRY(CopyNode(*found.node, found.info, *parent_->upper, name, rules));
    ++report_.copied_up;
    return copies_.Add(target, Join(parent_->path, name));
  }

  // Both names are one file, as they are in the tree that the archive was made of.
  Result<void> LinkCopies() {
    for (const auto& [target, copy] : copies_.all()) {
      const auto [parent_path, name_view] = SplitLast(target);
      const std::string name(name_view);
      std::optional<Position> parent = TRY(view_.Walk(parent_path));
      if (!parent) continue;
      const Found found = TRY(view_.Look(*parent, name));
      if (!found.node || found.in_upper) continue;  // removed, or replaced by a member
      const Position to = TRY(directories_.Make(*std::move(parent)));
      const Fd from = TRY(archive::OpenDirectoryBeneath(root_, SplitLast(copy).parent, O_PATH));
      const std::string copy_name(SplitLast(copy).name);
      if (::linkat(from.get(), copy_name.c_str(), to.upper->get(), name.c_str(), 0) < 0) {
        return Failure(Error::FromErrno("linking " + archive::Printable(target)));
      }
    }
    return {};
  }

  archive::Extraction extraction_;
  LowerChain chain_;
  Hidden hidden_;
  MergedView view_;
  archive::DirectoryEnds ends_;
  UpperDirectories directories_;
  const Fd& root_;
  const archive::UnpackOptions& options_;
  OverlayXattrs xattrs_;
  LayerReport report_;
  std::optional<Position> parent_;  // of the last member
  std::string parent_name_;         // as the archive says it
  std::vector<Open> open_;          // parents, each below the one before
  size_t open_descriptors_ = 0;
  Copies copies_;
};

}  // namespace

Result<LayerReport> WriteLayer(archive::ByteSource& tar, std::span<const Fd> lower, const Fd& root,
                               const archive::UnpackOptions& options, OverlayXattrs xattrs) {
  LowerChain chain = TRY(LowerChain::Open(lower, xattrs));
  return LayerWriter(tar, std::move(chain), root, options, xattrs).Run();
}

}  // namespace cay::templates
