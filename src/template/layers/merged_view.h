// MergedView: the tree that a layer being made and the layers below it will show together, while
// the layer grows: what a name in a layer's archive means there.
//
//   MergedView view(root, chain, hidden);
//   const Position at = TRY(view.Resolve(view.Root(), "lib/x86"));   // through "lib" -> "usr/lib"
//   const Found found = TRY(view.Look(at, "libc.so"));
//
// Symlinks, of whichever layer, are resolved inside: "/" and ".." never lead above the root, no
// more than 40 of them are followed for a name (path_resolution(7)), and every component is opened
// by itself, without following.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/layers/lower_chain.h"

namespace cay::templates {

// What the layer's archive has said so far about the layers below. Paths are resolved ones.
class Hidden {
 public:
  // kLimitTooHigh when there are too many.
  Result<void> Remove(std::string path) { return Add(removed_, std::move(path)); }
  // All that a directory holds in the layers below; "" is the root.
  Result<void> Empty(std::string path) { return Add(emptied_, std::move(path)); }

  const std::set<std::string, std::less<>>& removed() const { return removed_; }
  const std::set<std::string, std::less<>>& emptied() const { return emptied_; }

 private:
  Result<void> Add(std::set<std::string, std::less<>>& set, std::string path);

  std::set<std::string, std::less<>> removed_;
  std::set<std::string, std::less<>> emptied_;
  size_t bytes_ = 0;
};

// A directory of the merged tree, or a place where none is yet.
struct Position {
  std::string path;         // resolved, "" is the root
  Node upper;               // in the layer being made; nothing when it is not there
  std::vector<Node> lower;  // below, the topmost first
  struct stat info{};       // of the topmost below
  bool emptied = false;     // what is in `lower` is hidden

  bool exists() const { return upper != nullptr || !lower.empty(); }
};

struct Found {
  enum class Kind : uint8_t { kNothing, kDirectory, kSymlink, kFile, kOther };
  Kind kind = Kind::kNothing;
  Position directory;     // of a directory, and where one could be made
  Node node;              // of what is none
  struct stat info{};     // of what is none
  bool in_upper = false;  // of what is none
};

class MergedView {
 public:
  // All outlive it.
  MergedView(const Fd& root, LowerChain& chain, const Hidden& hidden);

  Result<Position> Root() const;
  // `name` is one component. Its last symlink is not followed.
  Result<Found> Look(const Position& at, const std::string& name);
  // kInvalidArgument when the path goes through what is no directory (ENOTDIR), or through too many
  // symlinks (ELOOP).
  Result<Position> Resolve(Position at, std::string_view path);
  // A resolved path; nothing when something that is no directory is there now, or on the way.
  Result<std::optional<Position>> Walk(std::string_view path);

 private:
  Result<Position> Above(const Position& at);

  const Fd& root_;
  LowerChain& chain_;
  const Hidden& hidden_;
};

std::string Join(std::string_view directory, std::string_view name);

}  // namespace cay::templates
