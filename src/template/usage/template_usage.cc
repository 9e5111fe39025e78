#include "template/usage/template_usage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "archive/directory_walk.h"
#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "template/metadata/layer_about.h"
#include "template/store/last_used.h"

namespace cay::templates {
namespace {

constexpr uint64_t kMaxNames = 20'000'000;
constexpr Bytes kStatBlock = 512;
constexpr size_t kMaxAboutBytes = 64 * 1024;

// Adds up what is on the disk of a tree. What vanishes meanwhile has been removed.
class DiskUse {
 public:
  Result<Bytes> Of(const std::string& path) {
    auto top = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!top && top.error().sys_errno() == ENOENT) return Bytes{0};
    if (!top) return Failure(std::move(top).error());
    archive::DirectoryWalk walk(*std::move(top), archive::Mounts::kStayOut);
    std::vector<std::vector<std::string>> pending;
    pending.push_back(TRY(AddDirectory(walk.current())));
    while (!pending.empty()) {
      if (pending.back().empty()) {
        pending.pop_back();
        if (!pending.empty()) TRY(walk.Leave());
        continue;
      }
      std::string child = std::move(pending.back().back());
      pending.back().pop_back();
      // An ordinary user may have no right to look into a directory of a layer of its own.
      if (!walk.Enter(std::move(child))) continue;
      pending.push_back(TRY(AddDirectory(walk.current())));
    }
    return bytes_;
  }

 private:
  Result<std::vector<std::string>> AddDirectory(const Fd& directory) {
    struct stat info{};
    if (::fstat(directory.get(), &info) == 0) Add(info);
    std::vector<std::string> subdirectories;
    for (std::string& name : TRY(archive::ReadNames(directory, kMaxNames))) {
      if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
      if (S_ISDIR(info.st_mode)) {
        subdirectories.push_back(std::move(name));
      } else {
        Add(info);
      }
    }
    return subdirectories;
  }

  void Add(const struct stat& info) {
    if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 &&
        !linked_.emplace(info.st_dev, info.st_ino).second) {
      return;
    }
    bytes_ += static_cast<Bytes>(info.st_blocks) * kStatBlock;
  }

  Bytes bytes_ = 0;
  std::set<std::pair<dev_t, ino_t>> linked_;
};

// Each layer measured once.
class Layers {
 public:
  explicit Layers(const LayerStore& store) : store_(store) {}
  Result<Bytes> DiskOf(const std::string& id) {
    const auto known = disk_.find(id);
    if (known != disk_.end()) return known->second;
    return disk_[id] = TRY(DiskUse().Of(store_.LayerRoot(id)));
  }

 private:
  const LayerStore& store_;
  std::map<std::string, Bytes> disk_;
};

using Counts = std::map<std::string, size_t>;

using AllMetadata = std::vector<std::shared_ptr<const Metadata>>;

// Of how many templates each layer is one.
Counts CountTemplates(const AllMetadata& all) {
  Counts counts;
  for (const auto& metadata : all)
    for (const std::string& id : metadata->layers) ++counts[id];
  return counts;
}

int64_t LastUse(const LayerStore& layers, const Metadata& metadata) {
  return std::max(LastUseOf(layers, metadata.info.name), metadata.info.imported_unix_ms);
}

// Its topmost layer is its own, so whoever has that one uses the template.
Result<bool> IsInUse(const LayerStore& layers, const Metadata& metadata,
                     const std::optional<std::set<std::string>>& of_sandboxes) {
  const std::string& top = metadata.layers.front();
  return (of_sandboxes && of_sandboxes->contains(top)) || TRY(layers.IsHeld(top));
}

Result<TemplateUsage> Measure(const LayerStore& store, const Metadata& metadata,
                              const Counts& counts,
                              const std::optional<std::set<std::string>>& of_sandboxes,
                              Layers& layers) {
  TemplateUsage usage{.name = metadata.info.name};
  usage.layers = metadata.layers.size();
  usage.last_used_unix_ms = LastUse(store, metadata);
  usage.in_use = TRY(IsInUse(store, metadata, of_sandboxes));
  for (const std::string& id : metadata.layers)
    (counts.at(id) > 1 ? usage.shared : usage.own) += TRY(layers.DiskOf(id));
  return usage;
}

struct Unused {
  std::vector<TemplateUsage> templates;
  std::vector<std::string> layers;  // that go with them
  Bytes freed = 0;
};

Result<Unused> FindUnused(TemplateStore& store, const PruneOptions& options, Layers& layers) {
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
    TemplateUsage usage = TRY(Measure(store.layers(), metadata, counts, of_sandboxes, layers));
    if (usage.in_use) continue;
    unused.templates.push_back(std::move(usage));
    for (const std::string& id : metadata.layers) ++going[id];
  }
  for (const auto& [id, count] : going) {
    if (count < counts.at(id) || of_sandboxes->contains(id)) continue;
    unused.layers.push_back(id);
    unused.freed += TRY(layers.DiskOf(id));
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
    if (measured == Measured::kYes) layer.disk = TRY(DiskUse().Of(store.layers().LayerRoot(id)));
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
  Layers measured(layers);
  StoreUsage usage;
  for (const auto& metadata : all)
    usage.templates.push_back(TRY(Measure(layers, *metadata, counts, of_sandboxes, measured)));
  for (const std::string& id : TRY(layers.LayerIds())) {
    const Bytes disk = TRY(measured.DiskOf(id));
    usage.layers += disk;
    if (!counts.contains(id)) usage.unneeded += disk;
  }
  usage.blobs = TRY(DiskUse().Of(layers.directory() + "/.blobs"));
  usage.total = TRY(DiskUse().Of(layers.directory()));
  return usage;
}

Result<PruneReport> PruneTemplates(TemplateStore& store, const PruneOptions& options) {
  Layers layers(store.layers());
  const Unused unused = TRY(FindUnused(store, options, layers));
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
  for (const std::string& id : unused.layers) {
    if (::access(store.layers().LayerRoot(id).c_str(), F_OK) < 0)
      report.freed += TRY(layers.DiskOf(id));
  }
  return report;
}

}  // namespace cay::templates
