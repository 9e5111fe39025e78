#include "template/store/derived.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "template/metadata/import_notes.h"
#include "template/store/last_used.h"
#include "template/store/snapshot.h"
#include "template/store/template_name.h"
#include "template/store/template_store.h"

namespace cay::templates {
namespace {

// Takes the place of a variable of the same name.
void SetVariable(std::vector<std::string>& env, const std::string& variable) {
  const std::string name = variable.substr(0, variable.find('=') + 1);
  std::erase_if(env, [&](const std::string& one) { return one.starts_with(name); });
  env.push_back(variable);
}

Result<std::vector<engine::Overlay>> OverlaysOf(const NewDerived& derived, const NewLayer& top) {
  std::vector<engine::Overlay> named = NameLayers(engine::HostLayersOf(derived.base.root).overlays);
  if (named.empty() || derived.packages.empty())
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "a template is derived of none"));
  std::vector<std::string>& layers = named.front().layers;
  layers.insert(layers.begin(), derived.layers.begin(), derived.layers.end());
  layers.insert(layers.begin(), top.id());
  if (layers.size() <= engine::kMaxOverlayLayers) return named;
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "with its packages the template would have more than " +
                           std::to_string(engine::kMaxOverlayLayers) + " layers"));
}

struct Candidate {
  std::string name;
  std::string top;  // its own layer: who has it uses the template
  int64_t used_unix_ms = 0;
  Bytes written = 0;
};

// The one that was not used for longest first.
Result<std::vector<Candidate>> DerivedOf(const TemplateStore& store) {
  std::vector<Candidate> all;
  for (const auto& metadata : TRY(store.ReadAll())) {
    if (metadata->derived_key.empty()) continue;
    const TemplateInfo& info = metadata->info;
    all.push_back(
        {.name = info.name,
         .top = metadata->layers.front(),
         .used_unix_ms = std::max(LastUseOf(store.layers(), info.name), info.imported_unix_ms),
         .written = info.written});
  }
  std::ranges::sort(all, {}, &Candidate::used_unix_ms);
  return all;
}

}  // namespace

Result<TemplateInfo> TemplateStore::AddDerived(const NewDerived& derived) {
  TRY(CheckFree(derived.name, /*replace=*/true));
  // A layer of its own, which has nothing: what the template is stands beside it.
  NewLayer top = TRY(layers_.Begin());
  std::vector<engine::Overlay> overlays = TRY(OverlaysOf(derived, top));
  Metadata metadata =
      TRY(BaseOf(layers_, engine::HostLayersOf(derived.base.root).overlays, derived.base.name));
  metadata.layers = LayerIdsOf(overlays);
  metadata.overlays.clear();
  if (overlays.size() > 1) metadata.overlays = std::move(overlays);
  metadata.hostname = engine::HostLayersOf(derived.base.root).hostname;
  for (const std::string& variable : derived.variables) {
    SetVariable(metadata.image ? metadata.image->config.process.env : metadata.variables, variable);
  }
  metadata.derived_key = derived.key;
  TemplateInfo& info = metadata.info;
  info.name = derived.name;
  info.imported_unix_ms = UnixMs();
  info.size += derived.written;
  info.entries += derived.entries;
  info.came = Came::kDerived;
  info.source = "packages";
  info.parent = derived.base.name;
  info.written = derived.written;
  info.sandbox.clear();
  info.packages = derived.packages;
  info.notes = derived.notes;
  FillInfo(metadata);
  TRY(Finish(std::move(top), metadata, /*replace=*/true));
  return info;
}

bool TemplateStore::HasDerived(const std::string& name, const std::string& key) const {
  if (!Has(name)) return false;
  const auto all = metadata_->Read(name, layers_.directory() + "/" + FileNameOf(name) + ".json");
  return all && (*all)->derived_key == key;
}

Result<PrunedDerived> PruneDerived(TemplateStore& store, const BuiltBounds& bounds) {
  PrunedDerived pruned;
  const std::vector<Candidate> all = TRY(DerivedOf(store));
  Bytes left = 0;
  for (const Candidate& one : all) left += one.written;
  const int64_t oldest = bounds.max_age > Millis(0) ? UnixMs() - bounds.max_age.count() : 0;
  std::optional<std::set<std::string>> used;
  for (const Candidate& one : all) {
    if (one.used_unix_ms >= oldest && left <= bounds.max_bytes) break;
    if (!used) used = TRY(store.layers().LayersOfSandboxes());
    if (!used) return pruned;
    if (used->contains(one.top) || TRY(store.layers().IsHeld(one.top))) continue;
    auto removed = store.Remove(one.name);
    if (!removed && removed.error().code() != ErrorCode::kNotFound)
      return Failure(std::move(removed).error());
    left -= std::min(left, one.written);
    pruned.bytes += one.written;
    pruned.removed.push_back(one.name);
  }
  return pruned;
}

}  // namespace cay::templates
