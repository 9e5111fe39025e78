#include "build/stages/cache_mounts.h"

#include <sys/stat.h>
#include <unistd.h>

#include "build/cache/step_key.h"
#include "build/stages/aside.h"
#include "template/import/import.h"
#include "template/layers/layer_tree.h"
#include "template/store/built_layers.h"

namespace cay::build {
namespace {

using templates::BuiltRecord;
using templates::NewLayer;
using templates::dockerfile::RunMount;

// A cache of more layers is put together into one.
constexpr size_t kMaxCacheLayers = 8;

Result<std::string> KeyOf(const BuildRequest& request, const RunMount& mount) {
  return StepKey("cache mount").Add("owner", request.owner).Add("id", mount.id).Finish();
}

// Of the directory itself, which a copy of its content does not bring.
Result<void> TakeAttributes(const std::string& from, const std::string& to) {
  struct stat info{};
  if (::lstat(from.c_str(), &info) < 0 || ::lchown(to.c_str(), info.st_uid, info.st_gid) < 0 ||
      ::chmod(to.c_str(), info.st_mode & 01777) < 0)
    return Failure(Error::FromErrno("copying a cache"));
  return {};
}

// One layer instead of all of them.
Result<void> PutTogether(StepLayers& layers, BuiltRecord& record,
                         std::vector<std::shared_ptr<const void>>& holds) {
  Chain chain;
  for (auto id = record.layers.rbegin(); id != record.layers.rend(); ++id)
    chain.layers.push_back({.id = *id, .root = layers.store().LayerRoot(*id), .hold = {}});
  FileTree tree = TRY(TreeOf(chain));
  AsideCopy whole = TRY(PlanAside(tree, "."));
  NewLayer layer = TRY(layers.Begin());
  TRY(CopyAside(whole, layer));
  TRY(TakeAttributes(chain.layers.back().root, layer.root()));
  TRY(templates::SyncLayer(layer.root()));
  record.layers = {layer.id()};
  record.bytes = whole.plan.bytes();
  holds.push_back(TRY(layers.store().PublishAndHold(std::move(layer))));
  return {};
}

}  // namespace

Result<NewLayer> CacheMounts::Begin(StepLayers& layers, const RunMount& mount) {
  NewLayer layer = TRY(layers.Begin());
  templates::LayerTree tree = TRY(templates::LayerTree::Open(layer.root()));
  TRY(tree.EnsureDirectory(".", {.mode = mount.mode.value_or(0755),
                                 .uid = mount.uid.value_or(0),
                                 .gid = mount.gid.value_or(0)}));
  return layer;
}

Result<StepMount> CacheMounts::Take(const RunMount& mount, const std::string& target,
                                    const std::function<Result<NewLayer>()>& begin) {
  templates::LayerStore& store = parts_.layers.store();
  std::string key = TRY(KeyOf(parts_.request, mount));
  NewLayer written = TRY(Begin(parts_.layers, mount));
  Taken taken{.key = std::move(key), .first = {}, .written = std::move(written), .hold = {}};
  if (mount.sharing == RunMount::Sharing::kLocked && !alone_.owns_lock())
    alone_ = std::unique_lock(parts_.locked_caches);
  StepMount step{.kind = StepMount::Kind::kLayers,
                 .target = target,
                 .read_only = mount.read_only,
                 .keep_into = taken.written.root()};
  if (auto built = TRY(templates::FindBuilt(store, taken.key))) {
    for (const std::string& id : built->record.layers) step.layers.push_back(store.LayerRoot(id));
    taken.hold = std::move(built->hold);
  }
  if (step.layers.empty()) {
    taken.first.emplace(TRY(begin()));
    step.layers.push_back(taken.first->root());
  }
  taken_.push_back(std::move(taken));
  return step;
}

Result<void> CacheMounts::Keep(const StepEnd& end) {
  for (size_t i = 0; i < taken_.size() && i < end.kept.size(); ++i) {
    if (end.kept[i].entries > 0) TRY(KeepOne(taken_[i], end.kept[i].bytes));
  }
  taken_.clear();
  return {};
}

Result<void> CacheMounts::KeepOne(Taken& taken, Bytes written) {
  templates::LayerStore& store = parts_.layers.store();
  TRY(templates::SyncLayer(taken.written.root()));
  const std::lock_guard lock(parts_.cache_mounts);
  // As it is by now: others may have written.
  BuiltRecord record{.key = taken.key, .layers = {}};
  std::vector<std::shared_ptr<const void>> holds;
  if (auto now = TRY(templates::FindBuilt(store, taken.key))) {
    record = std::move(now->record);
    holds.push_back(std::move(now->hold));
  } else if (taken.first) {
    record.layers.push_back(taken.first->id());
    holds.push_back(TRY(store.PublishAndHold(std::move(*taken.first))));
  }
  record.is_cache_mount = true;
  record.bytes += written;
  record.layers.insert(record.layers.begin(), taken.written.id());
  holds.push_back(TRY(store.PublishAndHold(std::move(taken.written))));
  if (record.layers.size() > kMaxCacheLayers) TRY(PutTogether(parts_.layers, record, holds));
  return templates::KeepBuilt(store, record);
}

}  // namespace cay::build
