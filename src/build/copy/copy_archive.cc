#include "build/copy/copy_archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "archive/pack.h"
#include "archive/safe_path.h"
#include "archive/tar_writer.h"
#include "build/copy/plan_contents.h"
#include "build/copy/tar/tar_members.h"
#include "build/copy/tree_walk.h"
#include "crypto/digest.h"

namespace cay::build {
namespace {

using archive::EntryType;
using archive::Printable;
using archive::Segment;
using archive::TarEntry;

constexpr size_t kBufferBytes = 256 * 1024;

Failure Changed(std::string_view path) {
  return Failure(
      Error::Impossible("\"" + Printable(path) + "\" was changed while it was copied", ESTALE));
}

// The plan's entries into two archives at once, either of which may be missing.
class ArchiveWriter {
 public:
  ArchiveWriter(CopyPlan::Contents& plan, archive::ByteSink* real, archive::ByteSink* zero)
      : plan_(plan), buffer_(kBufferBytes) {
    if (real != nullptr) real_.emplace(*real);
    if (zero != nullptr) zero_.emplace(*zero);
  }

  Result<void> Run() {
    for (const PlanEntry& entry : plan_.entries) TRY(Write(entry));
    if (real_) TRY(real_->Finish());
    if (zero_) TRY(zero_->Finish());
    return {};
  }

 private:
  Result<void> Write(const PlanEntry& entry) {
    TRY(plan_.Step());
    if (entry.is_archive) return Unpack(entry);
    TarEntry tar;
    tar.type = entry.type;
    tar.path = plan_.TargetOf(entry);
    tar.link_target = entry.link;
    tar.mode = entry.mode;
    tar.uid = entry.uid;
    tar.gid = entry.gid;
    tar.mtime = entry.mtime;
    if (entry.type == EntryType::kFile) return WriteFile(entry, tar);
    if (entry.type == EntryType::kDirectory && !entry.made) {
      const Place place = TRY(Look(entry));
      if (place.kind != Place::Kind::kDirectory) return Changed(place.path);
      TRY(TakeXattrs(TRY(FileTree::OpenDirectory(place)), tar));
    }
    TRY(Begin(tar));
    return End();
  }

  Result<Place> Look(const PlanEntry& entry) {
    const PlanItem& item = plan_.items[entry.item];
    if (!cursor_ || cursor_tree_ != item.tree) {
      cursor_.emplace(*item.tree);
      cursor_tree_ = item.tree;
    }
    return cursor_->Look(JoinPath(item.source_top, entry.below));
  }

  // The file of an entry that comes from a tree, as long as it is the one that was planned.
  Result<Fd> OpenInTree(const PlanEntry& entry) {
    const Place place = TRY(Look(entry));
    if (place.kind != Place::Kind::kFile) return Changed(place.path);
    Fd file = TRY(FileTree::OpenFile(place));
    if (static_cast<uint64_t>(place.info().st_size) != entry.size) return Changed(place.path);
    return file;
  }

  // In an order that does not depend on the filesystem.
  static Result<void> TakeXattrs(const Fd& fd, TarEntry& tar) {
    archive::ReadUserXattrs(fd, tar);
    std::ranges::sort(tar.xattrs);
    return {};
  }

  Result<void> WriteFile(const PlanEntry& entry, TarEntry& tar) {
    const PlanItem& item = plan_.items[entry.item];
    tar.size = entry.size;
    if (item.tree == nullptr && !item.file) {
      TRY(Begin(tar));
      TRY(WriteData(item.content));
      return End();
    }
    if (item.tree == nullptr) return WriteContent(*item.file, tar);
    const Fd file = TRY(OpenInTree(entry));
    TRY(TakeXattrs(file, tar));
    return WriteContent(file, tar);
  }

  // Holes stay holes; with kZero they are zeros, for they depend on the filesystem.
  Result<void> WriteContent(const Fd& file, TarEntry& tar) {
    const Segment whole{.offset = 0, .length = tar.size};
    auto found = TRY(archive::FindSegments(file, tar.size));
    std::vector<Segment> segments = found ? *std::move(found) : std::vector{whole};
    tar.sparse = segments != std::vector{whole} && tar.size > 0;
    if (tar.sparse) {
      tar.segments = segments;
      // GNU tar takes the size of a file that ends in a hole from an empty run at its end.
      if (segments.empty() || segments.back().offset + segments.back().length < tar.size) {
        tar.segments.push_back({.offset = tar.size, .length = 0});
      }
    }
    TRY(Begin(tar));
    uint64_t at = 0;
    for (const Segment& segment : segments) {
      TRY(WriteZeros(segment.offset - at));
      TRY(WriteSegment(file, segment, tar.path));
      at = segment.offset + segment.length;
    }
    TRY(WriteZeros(tar.size - at));
    struct stat after{};
    if (::fstat(file.get(), &after) < 0 || static_cast<uint64_t>(after.st_size) != tar.size) {
      return Changed("/" + tar.path);
    }
    return End();
  }

  Result<void> WriteZeros(uint64_t count) {
    if (!zero_ || count == 0) return {};
    std::fill(buffer_.begin(), buffer_.end(), '\0');
    while (count > 0) {
      TRY(plan_.Step());
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(count, buffer_.size()));
      TRY(zero_->WriteData({buffer_.data(), piece}));
      count -= piece;
    }
    return {};
  }

  Result<void> WriteSegment(const Fd& file, Segment segment, const std::string& path) {
    while (segment.length > 0) {
      TRY(plan_.Step());
      const size_t want = static_cast<size_t>(std::min<uint64_t>(segment.length, buffer_.size()));
      const ssize_t got =
          ::pread(file.get(), buffer_.data(), want, static_cast<off_t>(segment.offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading \"/" + Printable(path) + "\""));
      if (got == 0) return Changed("/" + path);
      TRY(WriteData({buffer_.data(), static_cast<size_t>(got)}));
      segment.offset += static_cast<uint64_t>(got);
      segment.length -= static_cast<uint64_t>(got);
    }
    return {};
  }

  Result<void> Unpack(const PlanEntry& entry) {
    const PlanItem& item = plan_.items[entry.item];
    std::optional<Fd> opened;
    if (item.tree != nullptr) opened = TRY(OpenInTree(entry));
    std::optional<MemberOwner> owner;
    if (item.archive_owner) owner = {item.archive_owner->uid, item.archive_owner->gid};
    const TarMembers members{.file = opened ? *opened : *item.file,
                             .size = entry.size,
                             .target = item.target_top,
                             .owner = owner,
                             .max_bytes = plan_.limits.max_bytes};
    if (zero_) TRY(WriteArchiveItself(entry, members));
    return members.Write(real_ ? &*real_ : nullptr, zero_ ? &*zero_ : nullptr);
  }

  // What an archive holds follows from its own bytes, and to whom it is given from the header: an
  // attribute that no file can have tells it from a file that is copied.
  Result<void> WriteArchiveItself(const PlanEntry& entry, const TarMembers& members) {
    TarEntry tar;
    tar.path = members.target.empty() ? "." : members.target;
    tar.size = entry.size;
    tar.uid = entry.uid;
    tar.gid = entry.gid;
    tar.xattrs.emplace_back("cay.unpacked", members.owner ? "owner" : "");
    return zero_->Begin(tar);
  }

  Result<void> Begin(const TarEntry& tar) {
    if (real_) TRY(real_->Begin(tar));
    if (!zero_) return {};
    TarEntry plain = tar;
    plain.mtime = {};
    plain.sparse = false;
    plain.segments.clear();
    return zero_->Begin(plain);
  }
  Result<void> WriteData(std::string_view bytes) {
    if (real_) TRY(real_->WriteData(bytes));
    return zero_ ? zero_->WriteData(bytes) : Result<void>{};
  }
  Result<void> End() {
    if (real_) TRY(real_->End());
    return zero_ ? zero_->End() : Result<void>{};
  }

  CopyPlan::Contents& plan_;
  std::vector<char> buffer_;
  std::optional<archive::TarWriter> real_{};
  std::optional<archive::TarWriter> zero_{};
  std::optional<TreeCursor> cursor_{};
  const FileTree* cursor_tree_ = nullptr;
};

class DigestSink final : public archive::ByteSink {
 public:
  explicit DigestSink(Sha256 digest) : digest_(std::move(digest)) {}
  Result<void> Write(std::string_view bytes) override { return digest_.Add(bytes); }
  Result<std::string> Hex() && { return std::move(digest_).Hex(); }

 private:
  Sha256 digest_;
};

}  // namespace

Result<void> WriteCopyArchive(CopyPlan& plan, archive::ByteSink& sink, TimesMode times) {
  const bool zero = times == TimesMode::kZero;
  return ArchiveWriter(plan.contents(), zero ? nullptr : &sink, zero ? &sink : nullptr).Run();
}

Result<std::string> CopyDigest(CopyPlan& plan) {
  DigestSink digest(TRY(Sha256::Start()));
  TRY(ArchiveWriter(plan.contents(), nullptr, &digest).Run());
  return std::move(digest).Hex();
}

Result<std::string> WriteAndDigest(CopyPlan& plan, archive::ByteSink& sink) {
  DigestSink digest(TRY(Sha256::Start()));
  TRY(ArchiveWriter(plan.contents(), &sink, &digest).Run());
  return std::move(digest).Hex();
}

}  // namespace cay::build
