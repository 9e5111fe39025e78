// TemplateCache: templates as a create needs them, without looking at the whole host each time.
//
// To see whether `host` must be built anew takes some hundred lstat(2); that is done at most once
// in kHostLooks. An imported template is one small file, and is read each time, so that one that
// was replaced is not used again. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

class TemplateCache {
 public:
  static constexpr Millis kHostLooks{2000};

  explicit TemplateCache(templates::TemplateStore& store) : store_(store) {}
  Result<templates::Template> Find(const std::string& name);
  templates::TemplateStore& store() { return store_; }

 private:
  templates::TemplateStore& store_;
  std::mutex mutex_;
  std::optional<templates::Template> host_;
  std::chrono::steady_clock::time_point looked_;
};

// Whether both have the same layers at the same places.
bool SameRoot(const engine::RootFilesystem& a, const engine::RootFilesystem& b);

}  // namespace cay::sandbox
