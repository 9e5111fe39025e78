#include "template/space/collect.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "template/space/space_map.h"
#include "template/store/built_layers.h"
#include "template/usage/template_usage.h"

namespace cay::templates {
namespace {

// A template that a create has just pulled is held a moment later; what was fetched may be gone on
// with at once.
constexpr Millis kJustUsed{10 * 60 * 1000};

struct Candidate {
  SpaceKind kind;
  size_t index;  // in its list of the map
  int64_t last_used_unix_ms;
  Bytes own;  // beside its layers
  std::vector<std::string> layers{};
};

class Plan {
 public:
  Plan(const SpaceMap& map, const CollectOptions& options) : map_(map), options_(options) {
    const int64_t now = UnixMs();
    // Whoever says it by hand knows that nothing is being begun.
    const Millis least = options.at_least ? kJustUsed : Millis(0);
    newest_ = now - std::max(options.unused_for, least).count();
    Count();
    AddTemplates();
    AddBuilt();
    AddDownloads();
    std::ranges::sort(candidates_, {}, &Candidate::last_used_unix_ms);
  }

  // What goes, in the order in which it goes, and how much each frees.
  std::vector<std::pair<Candidate, Bytes>> Choose() {
    std::vector<std::pair<Candidate, Bytes>> chosen;
    freed_ = Nobodys();
    for (const Candidate& one : candidates_) {
      if (options_.at_least && freed_ >= *options_.at_least) break;
      // With all its layers in use nothing would be gained.
      const bool is_of_use = one.layers.empty()
                                 ? !options_.at_least || one.own > 0
                                 : std::ranges::any_of(one.layers, [&](const auto& id) {
                                     return needed_.contains(id) && !IsKept(id);
                                   });
      if (!is_of_use) continue;
      Bytes bytes = one.own;
      for (const std::string& id : one.layers) {
        const auto needed = needed_.find(id);
        if (needed == needed_.end() || --needed->second > 0 || IsKept(id)) continue;
        bytes += map_.layers.at(id).disk;
      }
      freed_ += bytes;
      chosen.emplace_back(one, bytes);
    }
    return chosen;
  }

  Bytes freed() const { return freed_; }
  // Of layers that nobody has.
  const std::vector<SpaceItem>& nobodys() const { return nobodys_; }

 private:
  // By how many each layer is needed, whoever they are.
  void Count() {
    for (const auto& [id, layer] : map_.layers)
      needed_[id] = layer.templates + layer.steps + layer.mounts;
    for (const SpaceMap::OfTemplate& one : map_.templates) {
      if (MayGo(one)) continue;
      staying_.insert(one.metadata->layers.begin(), one.metadata->layers.end());
    }
  }

  bool MayGo(const SpaceMap::OfTemplate& one) const {
    if (one.last_used_unix_ms > newest_ || !map_.sandboxes_known) return false;
    if (one.can_be_made_again()) return true;
    return options_.by_hand && !one.in_use && !one.is_snapshot();
  }

  bool IsKept(const std::string& id) const {
    return staying_.contains(id) || map_.layers.at(id).is_pinned;
  }

  Bytes Nobodys() {
    Bytes bytes = 0;
    for (const auto& [id, layer] : map_.layers) {
      if (needed_.at(id) > 0 || layer.is_pinned) continue;
      bytes += layer.disk;
      nobodys_.push_back({.name = id, .disk = layer.disk, .reclaimable = true});
    }
    return bytes;
  }

  void AddTemplates() {
    for (size_t i = 0; i < map_.templates.size(); ++i) {
      const SpaceMap::OfTemplate& one = map_.templates[i];
      if (!MayGo(one)) continue;
      candidates_.push_back({.kind = SpaceKind::kTemplates,
                             .index = i,
                             .last_used_unix_ms = one.last_used_unix_ms,
                             .own = one.file,
                             .layers = one.metadata->layers});
    }
  }

  void AddBuilt() {
    for (size_t i = 0; i < map_.built.size(); ++i) {
      const KeptBuilt& one = map_.built[i];
      if (one.last_used_unix_ms > newest_) continue;
      candidates_.push_back(
          {.kind = one.record.is_cache_mount ? SpaceKind::kCacheMounts : SpaceKind::kBuildCache,
           .index = i,
           .last_used_unix_ms = one.last_used_unix_ms,
           .own = one.disk,
           .layers = one.record.layers});
    }
  }

  void AddDownloads() {
    if (map_.downloads_in_use) return;
    for (size_t i = 0; i < map_.downloads.size(); ++i) {
      const SpaceMap::Download& one = map_.downloads[i];
      if (one.last_used_unix_ms > newest_) continue;
      candidates_.push_back({.kind = SpaceKind::kDownloads,
                             .index = i,
                             .last_used_unix_ms = one.last_used_unix_ms,
                             .own = one.disk});
    }
  }

  const SpaceMap& map_;
  const CollectOptions& options_;
  int64_t newest_ = 0;
  std::vector<Candidate> candidates_;
  std::map<std::string, size_t> needed_;
  std::set<std::string> staying_;
  std::vector<SpaceItem> nobodys_;
  Bytes freed_ = 0;
};

std::string NameOf(const SpaceMap& map, const Candidate& one) {
  switch (one.kind) {
    case SpaceKind::kTemplates:
      return map.templates[one.index].metadata->info.name;
    case SpaceKind::kDownloads:
      return map.downloads[one.index].name;
    default:
      return map.built[one.index].record.key.substr(0, 19);
  }
}

// It is looked once more: a pull may have begun, and somebody else may have used or made it.
Result<bool> RemoveTemplate(TemplateStore& store, const SpaceMap::OfTemplate& known) {
  return store.RemoveIf(known.metadata->info.name, [&](const Metadata& now) {
    return now.layers == known.metadata->layers && now.info.came == known.metadata->info.came &&
           LastUse(store.layers(), now) == known.last_used_unix_ms;
  });
}

Result<bool> RemoveBuilt(const LayerStore& layers, const KeptBuilt& known) {
  TRY(layers.WithLock([&] { return ForgetBuilt(layers, known.record.key); }));
  return true;
}

Result<bool> RemoveDownload(const LayerStore& layers, const std::string& name) {
  const std::string directory = layers.directory() + "/.blobs";
  const Fd held = TRY(
      sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (::flock(held.get(), LOCK_EX | LOCK_NB) < 0) return false;
  if (::unlinkat(held.get(), name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  return Failure(Error::FromErrno("removing " + name));
}

Result<bool> Remove(TemplateStore& store, const SpaceMap& map, const Candidate& one) {
  switch (one.kind) {
    case SpaceKind::kTemplates:
      return RemoveTemplate(store, map.templates[one.index]);
    case SpaceKind::kDownloads:
      return RemoveDownload(store.layers(), map.downloads[one.index].name);
    default:
      return RemoveBuilt(store.layers(), map.built[one.index]);
  }
}

}  // namespace

Result<CollectReport> CollectSpace(TemplateStore& store, const CollectOptions& options) {
  const SpaceMap map = TRY(SpaceMap::Read(store));
  if (!map.sandboxes_known) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kMachine,
                         "a sandbox's record is damaged: what is in use is not known")
                       .WithRemedy("look at it with cay ps, and remove it"));
  }
  Plan plan(map, options);
  const auto chosen = plan.Choose();
  CollectReport report;
  for (const SpaceItem& one : plan.nobodys())
    report.removed.push_back({.kind = SpaceKind::kOther, .name = one.name, .disk = one.disk});
  if (options.dry_run || options.confirm) {
    std::vector<SpaceItem> going = plan.nobodys();
    for (const auto& [one, bytes] : chosen)
      going.push_back({.name = NameOf(map, one), .disk = bytes, .reclaimable = true});
    if (!options.dry_run && !going.empty())
      report.refused = !TRY(options.confirm(going, plan.freed()));
    if (report.refused) return CollectReport{.refused = true};
  }
  for (const auto& [one, bytes] : chosen) {
    if (!options.dry_run && !TRY(Remove(store, map, one))) continue;
    report.removed.push_back({.kind = one.kind, .name = NameOf(map, one), .disk = bytes});
  }
  for (const CollectedItem& one : report.removed) report.freed += one.disk;
  if (!options.dry_run) TRY(store.CollectGarbage());
  return report;
}

}  // namespace cay::templates
