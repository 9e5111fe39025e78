// FileTree: files that are looked at and never changed: a build's context, or the layers of a stage
// or image as overlayfs shows them together. Sources of COPY come from one, and what a destination
// means is seen in one.
//
//   FileTree context = TRY(FileTree::OfContext(directory, TRY(IgnorePatterns::ParseFile(text))));
//   FileTree stage = TRY(FileTree::OfLayers(layers, OverlayXattrsOfCaller()));
//   const Place etc = TRY(stage.Resolve("/etc"));            // symlinks are followed, inside
//   const Place hosts = TRY(stage.Child(etc, "hosts"));      // none is
//
// Whatever the tree holds, and whatever runs beside and renames things: nothing outside is reached.
// Every step is one openat(2) of one component that follows nothing; symlinks are resolved here, by
// their text, with the tree's root as "/" and above which ".." does not lead. Look-ups are counted
// and bounded (LowerChain). One thread at a time.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/dockerfile/patterns/ignore.h"
#include "template/layers/lower_chain.h"

namespace cay::build {

// Longer paths the kernel does not take in one call (PATH_MAX), and other builders not at all.
inline constexpr size_t kMaxTreePath = 4095;
inline constexpr int kMaxTreeSymlinks = 40;  // for one path, path_resolution(7)
inline constexpr uint64_t kMaxTreeEntries = 2'000'000;
inline constexpr uint64_t kMaxDirectoryNames = 500'000;  // in one directory of one layer

// Where a path leads. `path` has no symlinks, "." or "..", no slash at its ends; "" is the root.
struct Place {
  enum class Kind : uint8_t { kNothing, kDirectory, kFile, kSymlink, kOther };
  std::string path{};
  Kind kind = Kind::kNothing;
  templates::LowerNode node{};  // descriptors that are only looked through (O_PATH)

  bool exists() const { return kind != Kind::kNothing; }
  const struct stat& info() const { return node.info; }  // of what exists
};

enum class LastLink : uint8_t { kFollow, kKeep };
// Whether what a context's patterns ignore is not there, or is: to say why it is not.
enum class Ignored : uint8_t { kHidden, kShown };

class FileTree {
 public:
  // A directory on disk. Of it, what `ignore` ignores is not there: but a directory in which
  // something could be taken back is.
  static Result<FileTree> OfContext(const Fd& directory,
                                    templates::dockerfile::IgnorePatterns ignore);
  // The root directories of layers, the topmost first; there may be none. `form` is what marks
  // opaque directories in them.
  static Result<FileTree> OfLayers(std::span<const Fd> layers, templates::OverlayXattrs form);

  // Owners in a context mean nothing elsewhere: copies are root's. In layers they are the image's.
  bool has_owners() const { return has_owners_; }

  Place Root() const;

  // `name` is one component. A symlink is kSymlink. What vanished is kNothing.
  Result<Place> Child(const Place& directory, const std::string& name,
                      Ignored ignored = Ignored::kHidden);

  // "/" at the beginning changes nothing. What is missing is kNothing, at the path where it would
  // be. kInvalidArgument: on the way is what is no directory (ENOTDIR), more than kMaxTreeSymlinks
  // symlinks (ELOOP), a path too long (ENAMETOOLONG).
  Result<Place> Resolve(std::string_view path, LastLink last = LastLink::kFollow,
                        Ignored ignored = Ignored::kHidden);

  // Sorted by their bytes, and those of ignored files among them; kLimitTooHigh for more than
  // kMaxDirectoryNames.
  static Result<std::vector<std::string>> Names(const Place& directory);

  // Whether a path (of Place) is kept out by the context's ignore patterns. Below a directory that
  // is kept out something may be taken back.
  bool Ignores(std::string_view path) const { return !path.empty() && ignore_.Ignores(path); }

  // For reading. It is what was looked at, whatever has that name now. kPermissionDenied.
  static Result<Fd> OpenFile(const Place& file);
  static Result<Fd> OpenDirectory(const Place& directory);
  static Result<std::string> LinkTarget(const Place& symlink);

 private:
  FileTree(templates::LowerChain chain, templates::dockerfile::IgnorePatterns ignore,
           bool has_owners)
      : chain_(std::move(chain)), ignore_(std::move(ignore)), has_owners_(has_owners) {}

  Result<Place> Walk(std::string_view path, Ignored ignored);

  templates::LowerChain chain_;
  templates::dockerfile::IgnorePatterns ignore_;
  bool has_owners_;
};

}  // namespace cay::build
