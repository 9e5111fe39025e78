#include "build/cache/step_layers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "template/import/import.h"
#include "template/store/built_layers.h"

namespace cay::build {
namespace {

using templates::Built;
using templates::BuiltRecord;
using templates::NewLayer;

constexpr auto kLook = std::chrono::milliseconds(200);

}  // namespace

StepLayers::Claim::Claim(Claim&& other) noexcept
    : layers_(std::exchange(other.layers_, nullptr)),
      key_(std::move(other.key_)),
      found_(std::move(other.found_)) {}

StepLayers::Claim::~Claim() {
  if (layers_ != nullptr) layers_->GiveUp(key_);
}

ChainLayer StepLayers::Claim::Finish(NewLayer layer, const LayerContent& content) {
  return std::exchange(layers_, nullptr)->Finish(key_, std::move(layer), content);
}

Result<std::optional<ChainLayer>> StepLayers::FindEarlier(const std::string& key) {
  if (no_cache_) return std::nullopt;
  std::optional<Built> built = TRY(templates::FindBuilt(store_, key));
  if (!built || built->record.layers.size() != 1) return std::nullopt;
  const std::string& id = built->record.layers.front();
  return ChainLayer{.id = id,
                    .root = store_.LayerRoot(id),
                    .diff_id = built->record.diff_id,
                    .bytes = built->record.bytes,
                    .entries = built->record.entries,
                    .notes = built->record.notes,
                    .hold = std::move(built->hold)};
}

Result<StepLayers::Claim> StepLayers::FindOrClaim(const std::string& key) {
  std::unique_lock lock(mutex_);
  while (true) {
    TRY(CheckWanted(stop_));
    const auto [at, is_new] = steps_.try_emplace(key);
    if (is_new) break;
    if (!at->second.is_making) return Claim(nullptr, key, at->second.layer);
    // Given up, it is not there any more.
    changed_.wait_for(lock, kLook);
  }
  lock.unlock();
  Claim claim(this, key, std::nullopt);
  claim.found_ = TRY(FindEarlier(key));
  if (!claim.found_) return claim;
  lock.lock();
  steps_[key] = {.is_making = false, .layer = claim.found_};
  claim.layers_ = nullptr;
  changed_.notify_all();
  return claim;
}

ChainLayer StepLayers::Finish(const std::string& key, NewLayer layer, const LayerContent& content) {
  ChainLayer made{.id = layer.id(),
                  .root = layer.root(),
                  .diff_id = {},
                  .bytes = content.bytes,
                  .entries = content.entries,
                  .notes = content.notes,
                  .hold = {}};
  digests_.Begin(made.id, made.root);
  const std::lock_guard lock(mutex_);
  made_.push_back({.key = key, .layer = std::move(layer), .content = made});
  steps_[key] = {.is_making = false, .layer = made};
  changed_.notify_all();
  return made;
}

void StepLayers::GiveUp(const std::string& key) {
  const std::lock_guard lock(mutex_);
  steps_.erase(key);
  changed_.notify_all();
}

std::string StepLayers::Keep(NewLayer layer) {
  const std::lock_guard lock(mutex_);
  return kept_.emplace_back(std::move(layer)).root();
}

Result<std::string> StepLayers::DiffIdOf(const ChainLayer& layer) {
  if (!layer.diff_id.empty()) return layer.diff_id;
  // A layer of this build, or one whose digest an earlier build has noted.
  const std::string noted = "digest of layer " + layer.id;
  if (const auto known = TRY(templates::FindBuilt(store_, noted))) return known->record.diff_id;
  digests_.Begin(layer.id, layer.root);
  const std::string diff_id = TRY(digests_.Of(layer.id)).text();
  const bool is_step = [&] {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(made_, [&](const Made& one) { return one.content.id == layer.id; });
  }();
  if (!is_step) TRY(templates::KeepBuilt(store_, {.key = noted, .layers = {}, .diff_id = diff_id}));
  return diff_id;
}

Result<void> StepLayers::Publish() {
  std::vector<Made> made;
  {
    const std::lock_guard lock(mutex_);
    made = std::exchange(made_, {});
  }
  if (made.empty()) return {};
  for (const Made& one : made) (void)digests_.Of(one.content.id);
  TRY(templates::SyncLayer(made.front().layer.root()));  // the filesystem, and so all of them
  for (Made& one : made) {
    const auto digest = digests_.Of(one.content.id);
    BuiltRecord record{.key = one.key,
                       .layers = {one.content.id},
                       .diff_id = digest ? digest->text() : "",
                       .bytes = one.content.bytes,
                       .entries = one.content.entries,
                       .notes = one.content.notes};
    auto held = TRY(store_.PublishAndHold(std::move(one.layer)));
    TRY(templates::KeepBuilt(store_, record));
    const std::lock_guard lock(mutex_);
    steps_[one.key].layer->hold = std::move(held);
  }
  return {};
}

}  // namespace cay::build
