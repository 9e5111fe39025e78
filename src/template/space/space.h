// What everything that Cay keeps takes on the disk, by what it is, and what of it could go.
//
//   const SpaceReport report = TRY(MeasureSpace(store));
//   report.used  …  report.budget.max_bytes
//
// Sizes are blocks on the disk, each layer in one row: that of several templates among the shared
// ones, that of a template and of what a build kept with the template. Blocking.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/disk_room.h"
#include "base/result.h"
#include "base/units.h"
#include "template/store/template_store.h"

namespace cay::templates {

enum class SpaceKind : uint8_t {
  kTemplates,    // layers of one template alone, and of `host`
  kShared,       // layers of several templates
  kSnapshots,    // layers of one snapshot alone
  kBuildCache,   // what steps of builds made, and no template has
  kCacheMounts,  // what RUN --mount=type=cache holds
  kDownloads,    // fetched of images, and not unpacked
  kOther,        // layers that nobody has: of sandboxes whose template went, being made, left
  kPackages,     // answers of registries, kept for sandboxes (network.cache)
  kVolumes,
  kScratch,  // what sandboxes write: not within the budget
};
inline constexpr size_t kSpaceKinds = 10;
std::string_view SpaceKindName(SpaceKind kind);  // "templates", "shared_layers" …

struct SpaceItem {
  std::string name;
  Bytes disk = 0;
  int64_t last_used_unix_ms = 0;  // 0: that is not kept
  bool in_use = false;
  bool reclaimable = false;  // Cay may remove it by itself
};

struct SpaceRow {
  SpaceKind kind = SpaceKind::kTemplates;
  uint64_t count = 0;
  uint64_t in_use = 0;
  Bytes disk = 0;
  Bytes reclaimable = 0;           // of it, what `cay system prune` frees
  std::vector<SpaceItem> items{};  // the largest first
};

struct SpaceReport {
  std::vector<SpaceRow> rows{};  // one of each kind
  Bytes used = 0;                // of the budget
  Bytes reclaimable = 0;
  SpaceBudget budget{};
  DiskRoom disk{};  // of the state directory
};

Result<SpaceReport> MeasureSpace(const TemplateStore& store);

// Of volumes and packages, which the budget counts beside the store's own.
Result<Bytes> MeasureBeside(const std::string& state_dir);

}  // namespace cay::templates
