#include "template/space/space_map.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/os/listing.h"
#include "base/os/sys.h"
#include "template/store/template_name.h"
#include "template/usage/template_usage.h"

namespace cay::templates {
namespace {

constexpr Bytes kStatBlock = 512;
constexpr size_t kMaxDownloads = 100'000;

Bytes DiskOfFile(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) < 0) return 0;
  return static_cast<Bytes>(info.st_blocks) * kStatBlock;
}

// Who counts on what was fetched has a shared lock on the directory.
Result<void> ReadDownloads(const std::string& directory, SpaceMap& map) {
  auto listing = Listing::Open(directory);
  if (!listing && listing.error().sys_errno() == ENOENT) return {};
  if (!listing) return Failure(std::move(listing).error());
  while (const dirent* entry = TRY(listing->Next())) {
    struct stat info{};
    const std::string path = directory + "/" + entry->d_name;
    if (::lstat(path.c_str(), &info) < 0 || !S_ISREG(info.st_mode)) continue;
    map.downloads.push_back({.name = entry->d_name,
                             .disk = static_cast<Bytes>(info.st_blocks) * kStatBlock,
                             .last_used_unix_ms = int64_t{info.st_mtim.tv_sec} * 1000 +
                                                  info.st_mtim.tv_nsec / 1'000'000});
    if (map.downloads.size() > kMaxDownloads) {
      return Failure(
          Error(ErrorCode::kResourceExhausted, Fault::kMachine, directory + " holds too many files")
              .WithRemedy("remove them: they are parts of downloads"));
    }
  }
  if (map.downloads.empty()) return {};
  const Fd held = TRY(
      sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  map.downloads_in_use = ::flock(held.get(), LOCK_EX | LOCK_NB) < 0;
  return {};
}

Result<void> ReadTemplates(const TemplateStore& store,
                           const std::optional<std::set<std::string>>& of_sandboxes,
                           SpaceMap& map) {
  for (auto& metadata : TRY(store.ReadAll())) {
    SpaceMap::OfTemplate one{.metadata = metadata};
    one.file =
        DiskOfFile(store.layers().directory() + "/" + FileNameOf(metadata->info.name) + ".json");
    one.last_used_unix_ms = LastUse(store.layers(), *metadata);
    one.in_use = TRY(IsInUse(store.layers(), *metadata, of_sandboxes));
    for (const std::string& id : metadata->layers) {
      const auto layer = map.layers.find(id);
      if (layer == map.layers.end()) continue;
      ++layer->second.templates;
      if (one.is_snapshot()) ++layer->second.snapshots;
    }
    map.templates.push_back(std::move(one));
  }
  return {};
}

}  // namespace

Result<SpaceMap> SpaceMap::Read(const TemplateStore& store) {
  const LayerStore& layers = store.layers();
  SpaceMap map;
  const auto of_sandboxes = TRY(layers.LayersOfSandboxes());
  map.sandboxes_known = of_sandboxes.has_value();
  const std::string host = layers.HostLayer();
  for (const std::string& id : TRY(layers.LayerIds())) {
    Layer& layer = map.layers[id];
    layer.disk = TRY(layers.DiskOf(id));
    layer.is_of_host = id == host;
    layer.is_pinned =
        layer.is_of_host || (of_sandboxes && of_sandboxes->contains(id)) || TRY(layers.IsHeld(id));
  }
  TRY(ReadTemplates(store, of_sandboxes, map));
  map.built = TRY(ListBuilt(layers.directory()));
  for (const KeptBuilt& one : map.built) {
    for (const std::string& id : one.record.layers) {
      const auto layer = map.layers.find(id);
      if (layer == map.layers.end()) continue;
      ++(one.record.is_cache_mount ? layer->second.mounts : layer->second.steps);
    }
  }
  TRY(ReadDownloads(layers.directory() + "/.blobs", map));
  map.partials = TRY(layers.DiskOfPartials());
  return map;
}

Bytes SpaceMap::layer_bytes() const {
  Bytes sum = 0;
  for (const auto& [id, layer] : layers) sum += layer.disk;
  return sum;
}

Bytes SpaceMap::total() const {
  Bytes sum = layer_bytes() + partials;
  for (const OfTemplate& one : templates) sum += one.file;
  for (const KeptBuilt& one : built) sum += one.disk;
  for (const Download& one : downloads) sum += one.disk;
  return sum;
}

}  // namespace cay::templates
