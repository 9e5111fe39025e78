// UpperDirectories: directories of the layer being made that its archive does not speak of, but
// needs: as the layers below have them, or root's 0755.
#pragma once

#include "archive/directory_ends.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "template/layers/merged_view.h"

namespace cay::templates {

class UpperDirectories {
 public:
  // All outlive it.
  UpperDirectories(MergedView& view, archive::DirectoryEnds& ends, archive::Ownership ownership)
      : view_(view), ends_(ends), ownership_(ownership) {}

  // The same position, and it is there with all that is above it.
  Result<Position> Make(Position at);

  // The root gets owner, mode and time of the topmost root below, as long as nobody says otherwise;
  // with kCaller it stays as it is.
  Result<void> Begin();

 private:
  Result<void> MakeOne(const Position& parent, const std::string& name, Position& at);
  Result<void> TakeFromBelow(const Position& at, const Fd& made);

  MergedView& view_;
  archive::DirectoryEnds& ends_;
  archive::Ownership ownership_;
};

// A directory for reading, so that it can be changed by its descriptor.
Result<Fd> OpenForChange(const Fd& parent, const std::string& name);

}  // namespace cay::templates
