// What sandboxes leave behind when they, or their owners, did not end as they should.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/units.h"

namespace cay::engine {

struct GarbageOptions {
  bool dry_run = false;  // only report
  // Remove sandboxes that have been orphaned (Engine::Disown) for longer than this.
  std::optional<Millis> orphans_older{};
};

// What only this engine has, of one kind.
struct GarbageKind {
  std::string key;   // "id_ranges": stable, for JSON
  std::string what;  // in plural, for people: "uid ranges without a sandbox"
  // How many were removed; or, where each was of a sandbox, the ids of those.
  std::variant<uint64_t, std::vector<std::string>> removed;

  uint64_t count() const {
    const auto* ids = std::get_if<std::vector<std::string>>(&removed);
    return ids != nullptr ? ids->size() : std::get<uint64_t>(removed);
  }
};

struct GarbageReport {
  std::vector<std::string> sandboxes;  // ids of what was removed
  std::vector<std::string> orphans;    // ids of orphaned sandboxes that were removed
  std::vector<GarbageKind> others;     // always the same, in the same order, for each engine
  std::vector<std::string> failures;   // what could not be removed, and why
  std::vector<std::string> kept;       // what is kept although nobody uses it, and why

  // Whether there was nothing to remove, except orphans.
  bool nothing() const {
    uint64_t count = sandboxes.size();
    for (const GarbageKind& other : others) count += other.count();
    return count == 0;
  }
};

}  // namespace cay::engine
