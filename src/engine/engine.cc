#include "engine/engine.h"

#include <string_view>

namespace cay::engine {

LimitSet LimitSet::FromBits(uint32_t bits) {
  LimitSet set;
  set.bits_ = bits & ((1U << kLimitKindCount) - 1);
  return set;
}

const HostLayers& HostLayersOf(const RootFilesystem& root) {
  static const HostLayers kNone;
  const auto* const layers = std::get_if<HostLayers>(&root);
  return layers != nullptr ? *layers : kNone;
}

std::vector<LayerReference> LayersOf(const RootFilesystem& root) {
  using enum LayerReference::Kind;
  if (const auto* const image = std::get_if<ImageReference>(&root))
    return {{kImage, image->reference}};
  if (const auto* const image = std::get_if<DiskImage>(&root)) return {{kDiskImage, image->path}};
  std::vector<LayerReference> references;
  for (const Overlay& overlay : HostLayersOf(root).overlays)
    for (const std::string& layer : overlay.layers) references.push_back({kHostDirectory, layer});
  return references;
}

uint32_t OwnerFor(std::string_view user) {
  const std::string_view name = user.substr(0, user.find(':'));
  return name == "root" || name == "0" ? 0 : CreateRequest::kUsualOwner;
}

std::string_view LimitName(LimitKind kind) {
  static constexpr std::array<std::string_view, kLimitKindCount> kNames = {
      "memory", "cpus", "pids", "disk", "inodes", "open_files", "file_size"};
  return kNames.at(static_cast<size_t>(kind));
}

StageTimes NoStageTimes(const Description& description) {
  StageTimes none;
  none.reserve(description.stages.size());
  for (const std::string& name : description.stages) none.push_back({name, 0});
  return none;
}

std::string_view StateName(State state) {
  static constexpr std::array<std::string_view, 4> kNames = {"running", "paused", "stopped",
                                                             "failed"};
  return kNames.at(static_cast<size_t>(state));
}

std::string_view ExitReasonName(ExitReason reason) {
  static constexpr std::array<std::string_view, 6> kNames = {"none",      "stopped", "oom_killed",
                                                             "signalled", "exited",  "unknown"};
  return kNames.at(static_cast<size_t>(reason));
}

}  // namespace cay::engine
