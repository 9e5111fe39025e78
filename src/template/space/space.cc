#include "template/space/space.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/names/owned_name.h"
#include "base/os/listing.h"
#include "template/space/space_map.h"
#include "template/store/disk_use.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxNames = 1'000'000;
// As the relay calls it (network/cache/cache_place.h).
constexpr std::string_view kPackages = "/network-cache";
constexpr std::string_view kVolumes = "/volumes";
constexpr std::string_view kSandboxes = "/sandboxes";

// Which of its rows a layer is in.
SpaceKind KindOf(const SpaceMap::Layer& layer) {
  if (layer.templates > 1) return SpaceKind::kShared;
  if (layer.snapshots > 0) return SpaceKind::kSnapshots;
  if (layer.templates > 0 || layer.is_of_host) return SpaceKind::kTemplates;
  if (layer.mounts > 0) return SpaceKind::kCacheMounts;
  if (layer.steps > 0) return SpaceKind::kBuildCache;
  return SpaceKind::kOther;
}

class Reporter {
 public:
  explicit Reporter(const SpaceMap& map) : map_(map) {
    for (size_t i = 0; i < kSpaceKinds; ++i)
      report_.rows.push_back({.kind = static_cast<SpaceKind>(i)});
    for (const SpaceMap::OfTemplate& one : map.templates) {
      if (one.can_be_made_again()) continue;
      for (const std::string& id : one.metadata->layers) ++staying_[id];
    }
  }

  SpaceReport Report(const std::string& state_dir) {
    AddTemplates();
    AddBuilt();
    for (const SpaceMap::Download& one : map_.downloads) {
      Add(SpaceKind::kDownloads, {.name = one.name,
                                  .disk = one.disk,
                                  .last_used_unix_ms = one.last_used_unix_ms,
                                  .in_use = map_.downloads_in_use,
                                  .reclaimable = !map_.downloads_in_use});
    }
    AddLayers();
    AddDirectories(SpaceKind::kPackages, state_dir, kPackages, false);
    AddDirectories(SpaceKind::kVolumes, state_dir, kVolumes, true);
    AddDirectories(SpaceKind::kScratch, state_dir, kSandboxes, true);
    for (SpaceRow& row : report_.rows) {
      std::ranges::sort(row.items, std::greater<>{}, &SpaceItem::disk);
      if (row.kind != SpaceKind::kScratch) report_.used += row.disk;
      report_.reclaimable += row.reclaimable;
    }
    return std::move(report_);
  }

 private:
  SpaceRow& Row(SpaceKind kind) { return report_.rows[static_cast<size_t>(kind)]; }

  // Nobody would miss it: what needs it can be made again.
  bool IsReclaimable(const std::string& id, const SpaceMap::Layer& layer) const {
    return map_.sandboxes_known && !layer.is_pinned && !staying_.contains(id);
  }

  // One that has all that it takes for itself.
  void Add(SpaceKind kind, SpaceItem item) {
    SpaceRow& row = Row(kind);
    ++row.count;
    if (item.in_use) ++row.in_use;
    row.disk += item.disk;
    if (item.reclaimable) row.reclaimable += item.disk;
    row.items.push_back(std::move(item));
  }

  // Their layers are added with the layers.
  void AddTemplates() {
    for (const SpaceMap::OfTemplate& one : map_.templates) {
      SpaceItem item{.name = one.metadata->info.name,
                     .disk = one.file,
                     .last_used_unix_ms = one.last_used_unix_ms,
                     .in_use = one.in_use,
                     .reclaimable = one.can_be_made_again()};
      Add(one.is_snapshot() ? SpaceKind::kSnapshots : SpaceKind::kTemplates, item);
      SpaceRow& row = Row(one.is_snapshot() ? SpaceKind::kSnapshots : SpaceKind::kTemplates);
      for (const std::string& id : one.metadata->layers) {
        const auto layer = map_.layers.find(id);
        if (layer != map_.layers.end() && layer->second.templates == 1)
          row.items.back().disk += layer->second.disk;
      }
    }
  }

  void AddBuilt() {
    for (const KeptBuilt& one : map_.built) {
      SpaceItem item{.name = one.record.key.substr(0, 19),
                     .disk = one.disk,
                     .last_used_unix_ms = one.last_used_unix_ms,
                     .reclaimable = true};
      const SpaceKind kind =
          one.record.is_cache_mount ? SpaceKind::kCacheMounts : SpaceKind::kBuildCache;
      Add(kind, item);
      SpaceItem& added = Row(kind).items.back();
      for (const std::string& id : one.record.layers) {
        const auto layer = map_.layers.find(id);
        if (layer == map_.layers.end()) continue;
        added.in_use = added.in_use || layer->second.is_pinned;
        if (KindOf(layer->second) == kind && layer->second.steps + layer->second.mounts == 1)
          added.disk += layer->second.disk;
      }
      if (added.in_use) ++Row(kind).in_use;
    }
  }

  void AddLayers() {
    for (const auto& [id, layer] : map_.layers) {
      const SpaceKind kind = KindOf(layer);
      SpaceRow& row = Row(kind);
      row.disk += layer.disk;
      const bool reclaimable = IsReclaimable(id, layer);
      if (reclaimable) row.reclaimable += layer.disk;
      const bool is_item =
          kind == SpaceKind::kShared || kind == SpaceKind::kOther || layer.is_of_host;
      if (!is_item) continue;
      ++row.count;
      if (layer.is_pinned) ++row.in_use;
      row.items.push_back({.name = layer.is_of_host ? "host" : id,
                           .disk = layer.disk,
                           .in_use = layer.is_pinned,
                           .reclaimable = reclaimable});
    }
    if (map_.partials > 0)
      Add(SpaceKind::kOther, {.name = ".partial", .disk = map_.partials, .in_use = true});
  }

  // What has no file of its own that says how large it is: a walk of few files. Each directory
  // below is an item, or all is one.
  void AddDirectories(SpaceKind kind, const std::string& state_dir, std::string_view where,
                      bool each) {
    const std::string directory = state_dir + std::string(where);
    if (!each) {
      const auto disk = DiskUse().Of(directory);
      if (disk && *disk > 0) Add(kind, {.name = std::string(where.substr(1)), .disk = *disk});
      return;
    }
    auto listing = Listing::Open(directory);
    if (!listing) return;
    for (size_t seen = 0; seen < kMaxNames; ++seen) {
      const auto entry = listing->Next();
      if (!entry || *entry == nullptr) return;
      const std::string file = (*entry)->d_name;
      const auto disk = DiskUse().Of(directory + "/" + file);
      if (!disk || *disk == 0) continue;
      // Volumes are called as owners' things are; sandboxes by their ids.
      Add(kind, {.name = NameOfOwnedFile(file).value_or(file), .disk = *disk});
    }
  }

  const SpaceMap& map_;
  std::map<std::string, size_t> staying_;  // layers of templates that stay
  SpaceReport report_;
};

}  // namespace

std::string_view SpaceKindName(SpaceKind kind) {
  constexpr std::array<std::string_view, kSpaceKinds> kNames = {
      "templates", "shared_layers", "snapshots", "build_cache", "cache_mounts",
      "downloads", "other_layers",  "packages",  "volumes",     "scratch"};
  return kNames[static_cast<size_t>(kind)];
}

Result<SpaceReport> MeasureSpace(const TemplateStore& store) {
  const SpaceMap map = TRY(SpaceMap::Read(store));
  SpaceReport report = Reporter(map).Report(store.layers().state_dir());
  report.budget = store.budget();
  report.disk = TRY(DiskRoomOf(store.layers().state_dir()));
  return report;
}

Result<Bytes> MeasureBeside(const std::string& state_dir) {
  Bytes sum = 0;
  for (const std::string_view where : {kPackages, kVolumes})
    sum += TRY(DiskUse().Of(state_dir + std::string(where)));
  return sum;
}

}  // namespace cay::templates
