// LayerTree: writing into the root directory of a layer, whose content may be hostile.
//
//   LayerTree tree = TRY(LayerTree::Open("/var/lib/cay/templates/.partial/x/root"));
//   TRY(tree.EnsureDirectory("proc", {.mode = 0555}));
//   TRY(tree.WriteFile("etc/passwd", text, {.mode = 0644}));
//
// Every path is relative to the layer, without ".." or empty parts, and is walked one component at
// a time by openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
// RESOLVE_NO_XDEV: a template whose /dev is a symlink to the host's, or which changes while we
// work, cannot make us write outside.
//
// Of a layer above others, what is looked at and read is what all of them show together, and what
// is written goes into this one.
//
// Ownership is that of the layer on disk (0 is the sandbox's root). A process that is not root
// cannot give files away: there every file stays the user's own, and the engine maps that user to
// uid 1000 inside.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::templates {

inline constexpr uid_t kUserUid = 1000;  // `user`, as whom commands run
inline constexpr uid_t kNobodyUid = 65534;

struct Attributes {
  mode_t mode = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
};

class LayerTree {
 public:
  // `lower`: the root directories of the layers below, the topmost first.
  static Result<LayerTree> Open(const std::string& root, std::span<const Fd> lower = {});
  ~LayerTree();
  LayerTree(LayerTree&&) noexcept;
  LayerTree& operator=(LayerTree&&) = delete;

  // Makes the missing directories of the path as root's 0755 and the last one as `node`. A symlink,
  // file or device in its place is removed, and the directory made.
  Result<void> EnsureDirectory(const std::string& path, const Attributes& node);

  // As EnsureDirectory, but a directory that is there keeps its mode and owner.
  Result<void> EnsureDirectoryKept(const std::string& path, const Attributes& node);

  // Replaces whatever is there (kIo when that is a directory). The parent must be a directory.
  Result<void> WriteFile(const std::string& path, std::string_view content, const Attributes& node);
  Result<void> WriteSymlink(const std::string& path, const std::string& target);

  // Copies the open regular file `source`, at most `max_bytes` of it; returns its size.
  Result<uint64_t> CopyFile(const Fd& source, uint64_t max_bytes, const std::string& path,
                            const Attributes& node);

  // Without following any symlink; ENOENT and ENOTDIR are kNotFound.
  Result<struct stat> Stat(const std::string& path) const;

  // A regular file's content; symlinks are followed but never out of the layer.
  Result<std::string> ReadInside(const std::string& path, size_t max_bytes) const;

  int fd() const { return root_.get(); }

 private:
  struct Below;
  LayerTree(Fd root, bool may_give_away);

  Result<Fd> OpenDirectory(const std::string& path) const;
  Result<Fd> OpenParent(const std::string& path) const;
  Result<void> Ensure(const std::string& path, const Attributes& node, bool keep);
  Result<Fd> MakeStep(const Fd& parent, const std::string& name, const Attributes& node, bool keep);
  Result<Fd> CreateFile(const std::string& path);
  Result<void> SetAttributes(const Fd& fd, const Attributes& node);
  Result<struct stat> StatHere(const std::string& path) const;
  // Of a directory that only the layers below have.
  Result<std::optional<Attributes>> AttributesBelow(const std::string& path) const;
  Result<Fd> OpenToRead(const std::string& path) const;

  Fd root_;
  bool may_give_away_;
  std::unique_ptr<Below> below_;  // null: there are no layers below
};

}  // namespace cay::templates
