// The end of a layer: what it removes of the layers below, said as overlayfs reads it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "template/layers/lower_chain.h"
#include "template/layers/merged_view.h"
#include "template/layers/overlay_marks.h"
#include "template/layers/upper_directories.h"

namespace cay::templates {

struct MarkCounts {
  uint64_t whiteouts = 0;
  uint64_t opaque_directories = 0;
};

// Marks only what would hide something: overlayfs lists a whiteout in a directory that merges with
// nothing as a name of its own. The root of a layer cannot be opaque (the kernel does not look):
// what is in it is removed name by name; at most `max_names`.
class LayerMarks {
 public:
  LayerMarks(MergedView& view, LowerChain& chain, UpperDirectories& directories,
             OverlayXattrs xattrs)
      : view_(view), chain_(chain), directories_(directories), xattrs_(xattrs) {}

  Result<MarkCounts> Write(Hidden& hidden, uint64_t max_names);

 private:
  Result<void> RemoveAllOfRoot(Hidden& hidden, uint64_t max_names);
  Result<void> MarkRemoved(const std::string& path);
  Result<void> MarkEmptied(const std::string& path);
  Result<void> MakeWhiteout(const Position& parent, const std::string& name);
  Result<void> MakeOpaque(const Fd& parent, const std::string& name);

  MergedView& view_;
  LowerChain& chain_;
  UpperDirectories& directories_;
  OverlayXattrs xattrs_;
  MarkCounts counts_;
};

}  // namespace cay::templates
