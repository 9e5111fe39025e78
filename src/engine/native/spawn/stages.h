// The stages of the native engine's creates, each of which is timed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/engine.h"

namespace cay::engine::native {

// In order. What they are called is told to users, and kept with each sandbox.
enum class Stage : uint8_t {
  kPrepare,  // validation, id range, directories, record
  kCgroup,   // directories and limits
  kScratch,  // the writable filesystem
  kNetns,    // taken from the pool, or made
  kClone,    // clone3
  kIdMap,    // uid_map, gid_map
  kAttach,   // v1 cgroups (v2 is part of kClone)
  kLayers,   // overlays over idmapped layers, /dev; the child makes /proc meanwhile
  kConfine,  // in the child: mounts, pivot_root, limits, capabilities, seccomp
  kExec,     // until the guest runs
};
inline constexpr size_t kStageCount = 10;
inline constexpr std::array<std::string_view, kStageCount> kStageNames = {
    "prepare", "cgroup", "scratch", "netns",   "clone",
    "id_map",  "attach", "layers",  "confine", "exec"};

// Microseconds of each Stage.
using StageLaps = std::array<uint32_t, kStageCount>;

inline StageTimes Named(const StageLaps& laps) {
  StageTimes times;
  times.reserve(laps.size());
  for (size_t i = 0; i < laps.size(); ++i) times.push_back({std::string(kStageNames[i]), laps[i]});
  return times;
}

}  // namespace cay::engine::native
