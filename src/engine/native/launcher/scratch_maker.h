// ScratchMaker: a worker of the launcher's (worker.h) that makes and mounts an empty writable layer
// ahead of the sandbox that will have it: some 1.5 ms, most of it waiting for a loop device and the
// disk, which no create should wait for.
//
// It makes layers of the size that was asked for last: one, and up to kMostByDemand while one at a
// time is not enough. A layer has no name yet: whatever dies, nothing remains of it. Where it
// fails, Take gives nothing, and the launcher does the work itself and finds out why.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/supply/demand.h"
#include "engine/native/rootfs/scratch.h"

namespace cay::engine::native {

class ScratchMaker {
 public:
  explicit ScratchMaker(std::string images_dir) : images_dir_(std::move(images_dir)) {}

  // Each is a mounted filesystem.
  static constexpr size_t kMostByDemand = 4;

  // Begins to make what is missing for these limits; false when it is there or under way. What is
  // of another size is let go of.
  Result<bool> Prepare(const Limits& limits);

  size_t held() const { return coming_; }

  // Ends the worker, and with it what was not taken.
  void LetGo();
  // Keeps one at most. The others are the caller's to let go of.
  std::vector<UnnamedScratch> Shrink();

  // The one for these limits, waited for if it is under way; nullopt when there is none.
  std::optional<UnnamedScratch> Take(const Limits& limits);

 private:
  struct Size {
    Bytes disk;
    uint64_t inodes;
    bool operator==(const Size&) const = default;
  };
  static Size SizeOf(const Limits& limits) { return {limits.disk, EffectiveInodes(limits)}; }
  Result<void> Start();
  bool HasCome() const;
  Result<UnnamedScratch> Receive();

  std::string images_dir_;
  std::optional<Fd> socket_;  // null: the worker is not there
  std::optional<Size> size_;  // of what was asked for last
  size_t coming_ = 0;         // asked for and not taken
  Demand wanted_{1, kMostByDemand};
};

}  // namespace cay::engine::native
