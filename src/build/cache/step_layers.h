// StepLayers: the layers that the steps of one build make, and those that earlier builds made.
//
//   auto claim = TRY(layers.FindOrClaim(key));
//   if (claim.found()) return *claim.found();            // it is there: nothing need be done
//   NewLayer layer = TRY(layers.Begin());
//   … its content …
//   ChainLayer made = claim.Finish(std::move(layer), counts);
//
//   TRY(layers.Publish());                               // at the end, however the build ended
//
// Two stages that come to the same step make it once: the second waits for the first. Layers lie
// aside until Publish, survive a power failure before they are put into place, and are then kept
// for later builds (template/store/built_layers.h). Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/cache/chain.h"
#include "build/cache/digest_worker.h"
#include "build/stop.h"
#include "template/store/layer_store.h"

namespace cay::build {

// What is in a layer that was made.
struct LayerContent {
  Bytes bytes = 0;
  uint64_t entries = 0;
  templates::ImportNotes notes{};
};

class StepLayers {
 public:
  class Claim;

  // `no_cache`: what earlier builds made is not looked at. All outlive it.
  StepLayers(templates::LayerStore& store, const StopTimer& stop, bool no_cache)
      : store_(store), stop_(stop), no_cache_(no_cache) {}

  Result<Claim> FindOrClaim(const std::string& key);
  Result<templates::NewLayer> Begin() { return store_.Begin(); }

  // Whole, and of use only while this build goes on: a layer that is no step's.
  std::string Keep(templates::NewLayer layer);

  // Of a layer of a chain, in the form of an image's configuration.
  Result<std::string> DiffIdOf(const ChainLayer& layer);

  // Everything that was finished, in one go. Afterwards chains that have layers of this build are
  // read by their ids, not by their roots.
  Result<void> Publish();

  templates::LayerStore& store() { return store_; }

 private:
  struct Made {
    std::string key;
    templates::NewLayer layer;
    ChainLayer content;
  };
  struct Step {
    bool is_making = true;
    std::optional<ChainLayer> layer{};
  };

  ChainLayer Finish(const std::string& key, templates::NewLayer layer, const LayerContent& content);
  void GiveUp(const std::string& key);
  Result<std::optional<ChainLayer>> FindEarlier(const std::string& key);

  templates::LayerStore& store_;
  const StopTimer& stop_;
  const bool no_cache_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Step> steps_;
  std::vector<Made> made_;
  std::vector<templates::NewLayer> kept_;
  DigestWorker digests_;  // ends before the layers go
};

// A step that is to be done by whoever has it, unless it is found. Given up where it is not
// finished.
class StepLayers::Claim {
 public:
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&&) = delete;
  ~Claim();

  const std::optional<ChainLayer>& found() const { return found_; }
  ChainLayer Finish(templates::NewLayer layer, const LayerContent& content);

 private:
  friend class StepLayers;
  Claim(StepLayers* layers, std::string key, std::optional<ChainLayer> found)
      : layers_(layers), key_(std::move(key)), found_(std::move(found)) {}

  StepLayers* layers_;  // null: nothing is to be given up
  std::string key_;
  std::optional<ChainLayer> found_;
};

}  // namespace cay::build
