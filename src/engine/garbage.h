// What sandboxes leave behind when they, or their owners, did not end as they should.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"

namespace cay::engine {

struct GarbageOptions {
  bool dry_run = false;  // only report
  // Remove sandboxes that have been orphaned (Engine::Disown) for longer than this.
  std::optional<Millis> orphans_older{};
};

// How many things of a kind that only this engine has were removed.
struct GarbageCount {
  std::string what;  // in plural: "uid ranges"
  uint64_t count = 0;
};

struct GarbageReport {
  std::vector<std::string> sandboxes;  // ids of what was removed
  std::vector<std::string> orphans;    // ids of orphaned sandboxes that were removed
  std::vector<GarbageCount> others;    // always the same, in the same order, for each engine
  std::vector<std::string> failures;   // what could not be removed, and why
  std::vector<std::string> kept;       // what is kept although nobody uses it, and why

  // Whether there was nothing to remove, except orphans.
  bool nothing() const {
    uint64_t count = sandboxes.size();
    for (const GarbageCount& other : others) count += other.count;
    return count == 0;
  }
};

}  // namespace cay::engine
