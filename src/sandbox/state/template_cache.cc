#include "sandbox/state/template_cache.h"

#include <algorithm>

#include "base/clock.h"

namespace cay::sandbox {

Result<templates::Template> TemplateCache::Find(const std::string& name) {
  if (name != "host") return store_.Find(name);
  const std::lock_guard lock(mutex_);
  const auto now = SteadyNow();
  if (!host_ || now - looked_ > kHostLooks) {
    host_ = TRY(store_.Find(name));
    looked_ = now;
  }
  return *host_;
}

bool SameRoot(const engine::RootFilesystem& a, const engine::RootFilesystem& b) {
  if (a.index() != b.index() || engine::LayersOf(a) != engine::LayersOf(b)) return false;
  return std::ranges::equal(engine::HostLayersOf(a).overlays, engine::HostLayersOf(b).overlays,
                            [](const engine::Overlay& one, const engine::Overlay& other) {
                              return one.target == other.target && one.layers == other.layers;
                            });
}

}  // namespace cay::sandbox
