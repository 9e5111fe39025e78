#include "template/usage/template_usage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/os/file.h"
#include "template/metadata/layer_about.h"
#include "template/store/disk_use.h"
#include "template/store/last_used.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxAboutBytes = 64 * 1024;

using Counts = std::map<std::string, size_t>;

using AllMetadata = std::vector<std::shared_ptr<const Metadata>>;

// Of how many templates each layer is one.
Counts CountTemplates(const AllMetadata& all) {
  Counts counts;
  for (const auto& metadata : all)
    for (const std::string& id : metadata->layers) ++counts[id];
  return counts;
}

}  // namespace

int64_t LastUse(const LayerStore& layers, const Metadata& metadata) {
  return std::max(LastUseOf(layers, metadata.info.name), metadata.info.imported_unix_ms);
}

// Its topmost layer is its own, so whoever has that one uses the template.
Result<bool> IsInUse(const LayerStore& layers, const Metadata& metadata,
                     const std::optional<std::set<std::string>>& of_sandboxes) {
  const std::string& top = metadata.layers.front();
  return (of_sandboxes && of_sandboxes->contains(top)) || TRY(layers.IsHeld(top));
}

namespace {

Result<TemplateUsage> Measure(const LayerStore& store, const Metadata& metadata,
                              const Counts& counts,
                              const std::optional<std::set<std::string>>& of_sandboxes) {
  TemplateUsage usage{.name = metadata.info.name};
  usage.layers = metadata.layers.size();
  usage.last_used_unix_ms = LastUse(store, metadata);
  usage.in_use = TRY(IsInUse(store, metadata, of_sandboxes));
  for (const std::string& id : metadata.layers)
    (counts.at(id) > 1 ? usage.shared : usage.own) += TRY(store.DiskOf(id));
  return usage;
}

struct Unused {
  std::vector<TemplateUsage> templates;
  std::vector<std::pair<std::string, Bytes>> layers;  // that go with them
  Bytes freed = 0;
};

Result<Unused> FindUnused(TemplateStore& store, const PruneOptions& options) {
  const auto of_sandboxes = TRY(store.layers().LayersOfSandboxes());
  if (!of_sandboxes) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kMachine,
                         "a sandbox's record is damaged: which templates are in use is not known")
                       .WithRemedy("look at it with cay ps, and remove it"));
  }
  const int64_t oldest = UnixMs() - options.unused_for.count();
  const AllMetadata all = TRY(store.ReadAll());
  const Counts counts = CountTemplates(all);
  Unused unused;
  Counts going;
  for (const auto& each : all) {
    const Metadata& metadata = *each;
    if (LastUse(store.layers(), metadata) > oldest) continue;
    if (options.spares && options.spares(metadata.info.name)) continue;
    TemplateUsage usage = TRY(Measure(store.layers(), metadata, counts, of_sandboxes));
    if (usage.in_use) continue;
    unused.templates.push_back(std::move(usage));
    for (const std::string& id : metadata.layers) ++going[id];
  }
  for (const auto& [id, count] : going) {
    if (count < counts.at(id) || of_sandboxes->contains(id)) continue;
    unused.layers.emplace_back(id, TRY(store.layers().DiskOf(id)));
    unused.freed += unused.layers.back().second;
  }
  return unused;
}

}  // namespace

Result<TemplateDetails> InspectTemplate(TemplateStore& store, const std::string& name,
                                        Measured measured) {
  const KeptTemplate kept = TRY(store.Open(name));
  const Counts counts = CountTemplates(TRY(store.ReadAll()));
  TemplateDetails details{.metadata = *kept.metadata};
  details.last_used_unix_ms = LastUse(store.layers(), details.metadata);
  for (const std::string& id : details.metadata.layers) {
    LayerDetails& layer = details.layers.emplace_back(id);
    if (measured == Measured::kYes) layer.disk = TRY(store.layers().DiskOf(id));
    layer.is_cays_own = OwnLayerOf(details.metadata) == details.layers.size() - 1;
    if (const auto count = counts.find(id); count != counts.end()) layer.templates = count->second;
    // Beside layers of images only.
    const auto text = ReadFile(store.layers().LayerAboutPath(id), kMaxAboutBytes);
    if (text) layer.chain_id = TRY(ParseLayerAbout(*text)).chain_id;
  }
  return details;
}

Result<StoreUsage> MeasureStore(TemplateStore& store) {
  const LayerStore& layers = store.layers();
  const auto of_sandboxes = TRY(layers.LayersOfSandboxes());
  const AllMetadata all = TRY(store.ReadAll());
  const Counts counts = CountTemplates(all);
  StoreUsage usage;
  for (const auto& metadata : all)
    usage.templates.push_back(TRY(Measure(layers, *metadata, counts, of_sandboxes)));
  for (const std::string& id : TRY(layers.LayerIds())) {
    const Bytes disk = TRY(layers.DiskOf(id));
    usage.layers += disk;
    if (!counts.contains(id)) usage.unneeded += disk;
  }
  usage.blobs = TRY(DiskUse().Of(layers.directory() + "/.blobs"));
  usage.total = TRY(DiskUse().Of(layers.directory()));
  return usage;
}

Result<PruneReport> PruneTemplates(TemplateStore& store, const PruneOptions& options) {
  const Unused unused = TRY(FindUnused(store, options));
  PruneReport report;
  if (unused.templates.empty()) return report;
  if (options.dry_run) {
    for (const TemplateUsage& usage : unused.templates) report.removed.push_back(usage.name);
    report.freed = unused.freed;
    return report;
  }
  if (options.confirm && !TRY(options.confirm(unused.templates, unused.freed))) return report;
  for (const TemplateUsage& usage : unused.templates) {
    auto removed = store.Remove(usage.name);
    if (!removed && removed.error().code() == ErrorCode::kNotFound) continue;
    TRY(std::move(removed));
    report.removed.push_back(usage.name);
  }
  for (const auto& [id, disk] : unused.layers) {
    if (::access(store.layers().LayerRoot(id).c_str(), F_OK) < 0) report.freed += disk;
  }
  return report;
}

}  // namespace cay::templates
