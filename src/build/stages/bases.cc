#include "build/stages/bases.h"

#include <algorithm>

#include "build/cache/step_key.h"
#include "template/oci/history.h"

namespace cay::build {
namespace {

using templates::KeptTemplate;
using templates::oci::ImageConfig;

// Where programs are looked for, also in an image that does not say it.
void GivePath(ImageConfig& config) {
  const bool has = std::ranges::any_of(
      config.process.env, [](const std::string& one) { return one.starts_with("PATH="); });
  if (!has) config.process.env.emplace_back(templates::kDefaultPath);
}

}  // namespace

Result<Base> ScratchBase(const templates::oci::Platform& platform) {
  Base base{.chain = {.key = TRY(StepKey("scratch").Finish())}, .config = {.platform = platform}};
  GivePath(base.config);
  return base;
}

Result<Base> BaseOfTemplate(const KeptTemplate& kept) {
  Base base{.chain = {}, .config = {.platform = templates::oci::Platform::Native()}};
  if (kept.metadata->image) base.config = kept.metadata->image->config;
  GivePath(base.config);
  templates::oci::CompleteHistory(base.config);
  StepKey key("layers");
  const std::vector<templates::oci::Digest> diff_ids = base.config.diff_ids;
  for (const size_t index : TRY(templates::LayersOfImage(*kept.metadata))) {
    const std::string& id = kept.metadata->layers[index];
    const size_t place = base.chain.layers.size();
    base.chain.layers.push_back({.id = id,
                                 .root = kept.roots[index],
                                 .diff_id = place < diff_ids.size() ? diff_ids[place].text() : "",
                                 .is_of_base = true,
                                 .hold = kept.hold});
    if (place >= diff_ids.size())
      base.config.history.push_back(
          {.created_by = kept.metadata->image ? "cay snapshot" : "cay template import"});
    key.Add("layer", id);
  }
  if (!base.chain.layers.empty()) {
    // What is known is of all together.
    base.chain.layers.front().bytes = kept.metadata->info.size;
    base.chain.layers.front().entries = kept.metadata->info.entries;
    base.chain.layers.front().notes = kept.metadata->info.notes;
  }
  base.chain.key = TRY(key.Finish());
  return base;
}

Result<Base> Bases::Find(const std::string& image,
                         const std::optional<templates::oci::Platform>& platform) {
  const std::lock_guard lock(mutex_);
  const std::string name = image + "\n" + (platform ? platform->Text() : "");
  if (const auto known = known_.find(name); known != known_.end()) return known->second;
  return known_.emplace(name, TRY(BaseOfTemplate(TRY(machine_.find_base(image, platform)))))
      .first->second;
}

}  // namespace cay::build
