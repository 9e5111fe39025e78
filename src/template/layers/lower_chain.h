// LowerChain: the layers below the one that is being made, looked at as overlayfs will show them:
// directories of several layers merge, a whiteout or something that is no directory hides what is
// below it, and so does an opaque directory.
//
//   LowerChain chain(layers, OverlayXattrs::kTrusted);
//   const LowerNode etc = TRY(chain.Child(chain.root(), "etc"));
//   const LowerNode hosts = TRY(chain.Child(etc.directories, "hosts"));
//
// One component at a time, by descriptor, and no symlink is ever followed. Nothing is changed.
// Every look-up is counted and bounded, so that an archive of long names over many layers ends.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/layers/overlay_marks.h"

namespace cay::templates {

// An O_PATH descriptor, shared by those who stand there.
using Node = std::shared_ptr<const Fd>;

struct LowerNode {
  std::vector<Node> directories;  // of a directory: those that merge, the topmost first
  Node other;                     // of what is none
  struct stat info{};             // of the topmost

  bool exists() const { return other != nullptr || !directories.empty(); }
};

class LowerChain {
 public:
  // The root directories of the layers, the topmost first; they are read by descriptors of our own.
  static Result<LowerChain> Open(std::span<const Fd> layers, OverlayXattrs form);

  const std::vector<Node>& root() const { return root_; }

  // kNotSupported for a directory that was renamed in a layer (overlayfs's redirect_dir): what it
  // merges with lies elsewhere. kLimitTooHigh when the look-ups are used up.
  Result<LowerNode> Child(const std::vector<Node>& directories, const std::string& name);

  // One more entry may look up some names more.
  void AllowEntry() { lookups_left_ += kLookupsPerEntry; }
  Result<void> CountLookup();

 private:
  static constexpr uint64_t kLookupsPerEntry = 256;
  static constexpr uint64_t kLookupsAhead = 200'000;

  LowerChain(std::vector<Node> root, OverlayXattrs form) : root_(std::move(root)), form_(form) {}

  std::vector<Node> root_;
  OverlayXattrs form_;
  uint64_t lookups_left_ = kLookupsAhead;
};

// The root directory of a layer, for reading: Cay's own path, whose last part is no symlink.
Result<Fd> OpenLayerRoot(const std::string& path);
// Of each, in their order.
Result<std::vector<Fd>> OpenLayerRoots(std::span<const std::string> paths);

// Nothing when there is nothing of that name in the directory.
Result<Node> OpenNode(const Fd& directory, const std::string& name, struct stat& info);

// A path that leads to what a descriptor (of any kind) stands for: for the calls that take none
// that was opened with O_PATH.
std::string PathOf(const Fd& node);

}  // namespace cay::templates
