// ScratchMaker: a worker of the launcher's (worker.h) that makes and mounts an empty writable layer ahead of the sandbox
// that will have it: some 1.5 ms, most of them waiting for a loop device and the disk, which nobody who creates a sandbox
// should wait for.
//
// One at a time, of the size that was asked for last. It has no name yet: whatever dies, nothing remains of it. Where it
// fails, Take gives nothing, and the launcher does the work itself and finds out why.
#pragma once

#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/rootfs/scratch.h"

namespace cay::engine::native {

class ScratchMaker {
 public:
  explicit ScratchMaker(std::string images_dir) : images_dir_(std::move(images_dir)) {}

  // Begins to make one for these limits; false when one is there or under way. One of another size is let go of.
  Result<bool> Prepare(const Limits& limits);

  bool holds_one() const { return coming_.has_value(); }

  // Ends the worker, and with it what was not taken.
  void LetGo();

  // The one for these limits, waited for if it is under way; nullopt when there is none.
  std::optional<UnnamedScratch> Take(const Limits& limits);

 private:
  struct Size {
    Bytes disk;
    uint64_t inodes;
    bool operator==(const Size&) const = default;
  };
  static Size SizeOf(const Limits& limits) { return {limits.disk, EffectiveInodes(limits)}; }
  Result<UnnamedScratch> Receive();

  std::string images_dir_;
  std::optional<Fd> socket_;    // null: the worker is not there
  std::optional<Size> coming_;  // asked for and not taken
};

}  // namespace cay::engine::native
