#include "sandbox/state/template_cache.h"

#include <algorithm>

namespace cay::sandbox {

Result<templates::Template> TemplateCache::Find(const std::string& name) {
  if (name != "host") return store_.Find(name);
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!host_ || now - looked_ > kHostLooks) {
    host_ = TRY(store_.Find(name));
    looked_ = now;
  }
  return *host_;
}

bool SameRoot(const engine::RootFilesystem& a, const engine::RootFilesystem& b) {
  return std::ranges::equal(a.overlays, b.overlays, [](const auto& one, const auto& other) {
    return one.target == other.target && one.layers == other.layers;
  });
}

}  // namespace cay::sandbox
